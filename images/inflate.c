#include "images/inflate.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

enum { CHUNK = 256 * 1024 };

static const struct {
	enum compression kind;
	const char *name;
	size_t n;
	unsigned char magic[6];
} magics[] = {
	{ COMPRESSION_GZIP, "gzip", 2, { 0x1f, 0x8b } },
	{ COMPRESSION_ZSTD, "zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 3, { 'B', 'Z', 'h' } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 4, { 0x04, 0x22, 0x4d, 0x18 } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 4, { 'P', 'K', 3, 4 } },
};

const char *compression_name(enum compression c)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		if (magics[i].kind == c)
			return magics[i].name;
	}
	return "no compression";
}

enum compression compression_detect(const void *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		if (n >= magics[i].n && memcmp(p, magics[i].magic, magics[i].n) == 0)
			return magics[i].kind;
	}
	return COMPRESSION_NONE;
}

int compression_of_file(int fd, enum compression *out, struct err *e)
{
	unsigned char first[8];
	ssize_t n = pread(fd, first, sizeof(first), 0);

	if (n < 0)
		return err_sys(e, "read");
	*out = compression_detect(first, (size_t) n);
	return 0;
}

static int archive_err(struct archive *a, struct err *e)
{
	const char *s = archive_error_string(a);

	return err_set(e, EINVAL, "decompress: %s", s ? s : "damaged");
}

static int copy_out(struct archive *a, int out_fd, struct err *e)
{
	struct archive_entry *entry;
	int r = archive_read_next_header(a, &entry);
	int64_t offset;
	const void *p;
	size_t n;

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return archive_err(a, e);
	while ((r = archive_read_data_block(a, &p, &n, &offset)) == ARCHIVE_OK) {
		if (fd_write_all(out_fd, p, n, e) < 0)
			return -1;
	}
	return r == ARCHIVE_EOF ? 0 : archive_err(a, e);
}

struct input {
	int fd;
	unsigned char chunk[CHUNK];
};

/* libarchive's own reader of descriptors also asks fstat and lseek, which the child may not. */
static la_ssize_t feed(struct archive *a, void *arg, const void **p)
{
	struct input *in = arg;
	ssize_t n;

	do
		n = read(in->fd, in->chunk, sizeof(in->chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		archive_set_error(a, errno, "read");
	*p = in->chunk;
	return n < 0 ? ARCHIVE_FATAL : n;
}

int inflate_stream(int in_fd, int out_fd, struct err *e)
{
	struct archive *a = archive_read_new();
	struct input *in = xalloc(sizeof(*in));
	int r;

	in->fd = in_fd;
	if (!a || archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
	    archive_read_support_format_raw(a) != ARCHIVE_OK)
		r = err_set(e, ENOMEM, "libarchive reads no gzip and zstd");
	else if (archive_read_open(a, in, NULL, feed, NULL) != ARCHIVE_OK)
		r = archive_err(a, e);
	else
		r = copy_out(a, out_fd, e);
	archive_read_free(a);
	free(in);
	return r;
}
