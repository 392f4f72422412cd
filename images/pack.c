#include "images/pack.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "base/err.h"
#include "base/fd.h"

enum { CHUNK = 128 * 1024, GZIP_LEVEL = 6, GZIP_WINDOW = 15 + 16, ZSTD_LEVEL = 3 };

struct pack {
	enum compression compression;
	int out_fd;
	struct hash *in;
	z_stream gzip;
	bool gzip_open;
	ZSTD_CCtx *zstd;
	unsigned char chunk[CHUNK];
};

int pack_new(enum compression c, int out_fd, struct pack **out, struct err *e)
{
	struct pack *p = xalloc(sizeof(*p));
	int r = hash_new(DIGEST_SHA256, &p->in, e);

	p->compression = c;
	p->out_fd = out_fd;
	if (r == 0 && c == COMPRESSION_FOREIGN)
		r = err_set(e, EINVAL, "nothing is compressed like this");
	if (r == 0 && c == COMPRESSION_GZIP) {
		p->gzip_open = deflateInit2(&p->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
					    Z_DEFAULT_STRATEGY) == Z_OK;
		if (!p->gzip_open)
			r = err_set(e, ENOMEM, "gzip: zlib refuses to start");
	}
	if (r == 0 && c == COMPRESSION_ZSTD) {
		p->zstd = ZSTD_createCCtx();
		if (!p->zstd ||
		    ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel,
							ZSTD_LEVEL)))
			r = err_set(e, ENOMEM, "zstd: it refuses to start");
	}
	if (r < 0) {
		pack_free_ptr(&p);
		return -1;
	}
	*out = p;
	return 0;
}

void pack_free_ptr(struct pack **pp)
{
	struct pack *p = *pp;

	if (!p)
		return;
	if (p->gzip_open)
		(void) deflateEnd(&p->gzip);
	ZSTD_freeCCtx(p->zstd);
	hash_free_ptr(&p->in);
	free(p);
	*pp = NULL;
}

static int gzip(struct pack *p, const void *data, size_t n, int flush, struct err *e)
{
	int r;

	p->gzip.next_in = (Bytef *) data;
	p->gzip.avail_in = (uInt) n;
	do {
		p->gzip.next_out = p->chunk;
		p->gzip.avail_out = sizeof(p->chunk);
		r = deflate(&p->gzip, flush);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return err_set(e, EIO, "gzip: zlib says %d", r);
		if (fd_write_all(p->out_fd, p->chunk, sizeof(p->chunk) - p->gzip.avail_out, e) <
		    0)
			return -1;
	} while (p->gzip.avail_out == 0);
	return 0;
}

static int zstd(struct pack *p, const void *data, size_t n, ZSTD_EndDirective end,
		struct err *e)
{
	ZSTD_inBuffer in = { .src = data, .size = n };
	size_t left;

	do {
		ZSTD_outBuffer out = { .dst = p->chunk, .size = sizeof(p->chunk) };

		left = ZSTD_compressStream2(p->zstd, &out, &in, end);
		if (ZSTD_isError(left))
			return err_set(e, EIO, "zstd: %s", ZSTD_getErrorName(left));
		if (fd_write_all(p->out_fd, p->chunk, out.pos, e) < 0)
			return -1;
	} while (end == ZSTD_e_end ? left > 0 : in.pos < in.size);
	return 0;
}

/* Slices that zlib's counters hold. */
static int pack_slice(struct pack *p, const void *data, size_t n, struct err *e)
{
	switch (p->compression) {
	case COMPRESSION_GZIP:
		return gzip(p, data, n, Z_NO_FLUSH, e);
	case COMPRESSION_ZSTD:
		return zstd(p, data, n, ZSTD_e_continue, e);
	default:
		return fd_write_all(p->out_fd, data, n, e);
	}
}

int pack_write(struct pack *p, const void *data, size_t n, struct err *e)
{
	const char *from = data;

	if (hash_update(p->in, data, n, e) < 0)
		return -1;
	while (n > 0) {
		size_t slice = MIN(n, (size_t) 1 << 30);

		if (pack_slice(p, from, slice, e) < 0)
			return -1;
		from += slice;
		n -= slice;
	}
	return 0;
}

int pack_finish(struct pack *p, struct digest *in, struct err *e)
{
	int r = 0;

	if (p->compression == COMPRESSION_GZIP)
		r = gzip(p, NULL, 0, Z_FINISH, e);
	else if (p->compression == COMPRESSION_ZSTD)
		r = zstd(p, NULL, 0, ZSTD_e_end, e);
	return r < 0 ? -1 : hash_final(p->in, in, e);
}
