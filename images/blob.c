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
#include "images/blob_sink.h"
#include "images/store.h"

enum { CHUNK = 256 * 1024, SMALL_BLOB = 8 * 1024 * 1024 };

int blob_matches(const struct blob *expect, const struct blob *got, struct err *e)
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

/* A file of ours, where it is. */
static int hash_file(int fd, enum digest_kind kind, struct blob *got, struct err *e)
{
	auto_hash struct hash *h = NULL;
	auto_free uint8_t *chunk = xalloc(CHUNK);
	ssize_t n = 1;

	got->size = 0;
	if (hash_new(kind, &h, e) < 0)
		return -1;
	while (n != 0) {
		n = read(fd, chunk, CHUNK);
		if (n < 0 && errno != EINTR)
			return err_sys(e, "read");
		if (n > 0 && hash_update(h, chunk, (size_t) n, e) < 0)
			return -1;
		got->size += (uint64_t) MAX(n, 0);
	}
	return hash_final(h, &got->digest, e);
}

int blob_stage_fd(struct store_work *w, int fd, const struct blob *expect, uint64_t limit,
		  struct blob *out, struct err *e)
{
	auto_free uint8_t *chunk = xalloc(CHUNK);
	struct blob_sink s = BLOB_SINK_NONE;
	ssize_t n = 1;
	int r = blob_sink_begin(w, expect, limit, &s, e);

	while (r == 0 && n != 0) {
		n = read(fd, chunk, CHUNK);
		if (n < 0 && errno != EINTR)
			r = err_sys(e, "read");
		else if (n > 0)
			r = blob_sink_put(&s, chunk, (size_t) n, e);
	}
	if (r == 0)
		r = blob_sink_finish(&s, out, e);
	blob_sink_fini(&s);
	return r;
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
	if (hash_file(fd, kind_of(expect), &got, e) < 0)
		return err_wrap(e, "%s", name);
	if (blob_matches(expect, &got, e) < 0)
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

	if (fd < 0 || hash_file(fd, digest_kind(d), &got, e) < 0)
		return -1;
	if (!digest_equal(&got.digest, d))
		return err_set(e, EBADMSG, "its content has the digest %s",
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
