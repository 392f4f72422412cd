#include "images/blob_sink.h"

#include <fcntl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/store.h"

int blob_sink_begin(struct store_work *w, const struct blob *expect, uint64_t limit,
		    struct blob_sink *out, struct err *e)
{
	struct blob_sink s = { .work = w, .fd = -1, .bounded = expect != NULL, .limit = limit };

	if (expect) {
		s.expect = *expect;
		s.limit = expect->size;
	}
	snprintf(s.name, sizeof(s.name), "partial.%u", w->serial++);
	if (hash_new(expect ? digest_kind(&expect->digest) : DIGEST_SHA256, &s.hash, e) < 0)
		return -1;
	s.fd = openat(w->blobs_fd, s.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s.fd < 0) {
		hash_free_ptr(&s.hash);
		return err_sys(e, "make a file in tmp/");
	}
	*out = s;
	return 0;
}

static int wrap(const struct blob_sink *s, struct err *e)
{
	return s->bounded ? err_wrap(e, "blob %s", digest_text(&s->expect.digest).s) : -1;
}

int blob_sink_put(struct blob_sink *s, const void *p, size_t n, struct err *e)
{
	s->size += n;
	if (s->size > s->limit) {
		(void) err_set(e, EFBIG, "more than the %llu bytes it may have",
			       (unsigned long long) s->limit);
		return wrap(s, e);
	}
	if (hash_update(s->hash, p, n, e) < 0 || fd_write_all(s->fd, p, n, e) < 0)
		return wrap(s, e);
	fd_write_behind(s->fd, &s->begun, s->size);
	return 0;
}

int blob_sink_finish(struct blob_sink *s, struct blob *out, struct err *e)
{
	struct blob got = { .size = s->size };

	if (hash_final(s->hash, &got.digest, e) < 0 ||
	    blob_matches(s->bounded ? &s->expect : NULL, &got, e) < 0)
		return -1;
	if (renameat(s->work->blobs_fd, s->name, s->work->blobs_fd, got.digest.hex) < 0)
		return err_sys(e, "blob %s: rename", digest_text(&got.digest).s);
	hash_free_ptr(&s->hash);
	fd_close(&s->fd);
	*out = got;
	return 0;
}

void blob_sink_fini(struct blob_sink *s)
{
	if (s->fd >= 0)
		(void) unlinkat(s->work->blobs_fd, s->name,
				0); /* the work directory goes too */
	hash_free_ptr(&s->hash);
	fd_close(&s->fd);
	*s = BLOB_SINK_NONE;
}
