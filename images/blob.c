#include "images/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "images/store.h"

enum { CHUNK = 256 * 1024, SMALL_BLOB = 8 * 1024 * 1024 };

static int check(const struct blob *expect, const struct blob *got, struct err *e)
{
	if (!expect)
		return 0;
	if (expect->size != got->size)
		return err_set(e, EINVAL,
			       "blob %s: it has %llu bytes, its descriptor says %llu",
			       digest_text(&expect->digest).s, (unsigned long long) got->size,
			       (unsigned long long) expect->size);
	if (!digest_equal(&expect->digest, &got->digest))
		return err_set(e, EINVAL, "blob %s: its content has the digest %s",
			       digest_text(&expect->digest).s, digest_text(&got->digest).s);
	return 0;
}

static enum digest_kind kind_of(const struct blob *expect)
{
	return expect ? digest_kind(&expect->digest) : DIGEST_SHA256;
}

/* Reads fd to the end through the hash; writes to out_fd unless that is -1. A size lie is noticed at the
 * first byte too many, not at the end of an endless source. */
static int pump(int fd, int out_fd, enum digest_kind kind, uint64_t limit, struct blob *got,
		struct err *e)
{
	auto_hash struct hash *h = NULL;
	auto_free uint8_t *chunk = xalloc(CHUNK);
	uint64_t size = 0;

	if (hash_new(kind, &h, e) < 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			break;
		size += (uint64_t) n;
		if (size > limit)
			return err_set(e, EFBIG, "more than the %llu bytes it may have",
				       (unsigned long long) limit);
		if (hash_update(h, chunk, (size_t) n, e) < 0)
			return -1;
		if (out_fd >= 0 && fd_write_all(out_fd, chunk, (size_t) n, e) < 0)
			return -1;
	}
	got->size = size;
	return hash_final(h, &got->digest, e);
}

int blob_stage_fd(struct store_work *w, int fd, const struct blob *expect, uint64_t limit,
		  struct blob *out, struct err *e)
{
	enum digest_kind kind = kind_of(expect);
	char partial[32];
	struct blob got;

	snprintf(partial, sizeof(partial), "partial.%u", w->serial++);
	auto_close int out_fd =
		openat(w->blobs_fd, partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out_fd < 0)
		return err_sys(e, "make a file in tmp/");
	if (pump(fd, out_fd, kind, expect ? expect->size : limit, &got, e) < 0) {
		(void) unlinkat(w->blobs_fd, partial, 0);
		return expect ? err_wrap(e, "blob %s", digest_text(&expect->digest).s) : -1;
	}
	if (check(expect, &got, e) < 0) {
		(void) unlinkat(w->blobs_fd, partial, 0);
		return -1;
	}
	if (renameat(w->blobs_fd, partial, w->blobs_fd, got.digest.hex) < 0)
		return err_sys(e, "blob %s: rename", digest_text(&got.digest).s);
	*out = got;
	return 0;
}

int blob_stage_mem(struct store_work *w, const void *p, size_t n, struct blob *out,
		   struct err *e)
{
	struct blob got = { .size = n };

	if (digest_of(DIGEST_SHA256, p, n, &got.digest, e) < 0 ||
	    fd_write_atomic(w->blobs_fd, got.digest.hex, p, n, 0600, false, e) < 0)
		return -1;
	*out = got;
	return 0;
}

int blob_stage_own_file(struct store_work *w, int dir_fd, const char *name,
			const struct blob *expect, struct blob *out, struct err *e)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	struct blob got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: no regular file", name);
	if (pump(fd, -1, kind_of(expect), (uint64_t) st.st_size, &got, e) < 0)
		return err_wrap(e, "%s", name);
	if (check(expect, &got, e) < 0)
		return -1;
	if (fchmod(fd, 0600) < 0)
		return err_sys(e, "blob %s: chmod", digest_text(&got.digest).s);
	if (linkat(dir_fd, name, w->blobs_fd, got.digest.hex, 0) < 0 && errno != EEXIST)
		return err_sys(e, "blob %s: link", digest_text(&got.digest).s);
	*out = got;
	return 0;
}

int blob_open(const struct store *s, const struct store_work *w, const struct digest *d,
	      struct err *e)
{
	int fd = -1;

	if (w)
		fd = openat(w->blobs_fd, d->hex, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fd = openat(s->blobs_fd, digest_path(d).s, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "blob %s", digest_text(d).s);
	return fd;
}

int blob_check(const struct store *s, const struct digest *d, struct blob *out, struct err *e)
{
	auto_close int fd = blob_open(s, NULL, d, e);
	struct blob got;

	if (fd < 0 || pump(fd, -1, digest_kind(d), UINT64_MAX, &got, e) < 0)
		return -1;
	if (!digest_equal(&got.digest, d))
		return err_set(e, EIO, "its content has the digest %s",
			       digest_text(&got.digest).s);
	*out = got;
	return 0;
}

int blob_read(const struct store *s, const struct store_work *w, const struct digest *d,
	      struct buf *out, struct err *e)
{
	auto_close int fd = blob_open(s, w, d, e);
	struct digest got;

	if (fd < 0)
		return -1;
	if (fd_read_all(fd, SMALL_BLOB, out, e) < 0)
		return err_wrap(e, "blob %s", digest_text(d).s);
	if (digest_of(digest_kind(d), buf_bytes(out), buf_len(out), &got, e) < 0)
		return -1;
	if (!digest_equal(&got, d))
		return err_set(e, EIO,
			       "blob %s: damaged in the store (its digest is now %s); "
			       "remove the image and import it again",
			       digest_text(d).s, digest_text(&got).s);
	return 0;
}
