#include "images/erofs_out.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

enum { LARGE = 32 * 1024 };

static int put(int fd, uint64_t at, const uint8_t *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t r = pwrite(fd, p, n, (off_t) at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "write the image");
		p += r;
		n -= (size_t) r;
		at += (uint64_t) r;
	}
	return 0;
}

static int put_top(struct erofs_out *o, uint64_t at, const void *p, size_t n, struct err *e)
{
	o->top = MAX(o->top, at + n);
	if (put(o->fd, at, p, n, e) < 0)
		return -1;
	fd_write_behind(o->fd, &o->begun, at + n);
	return 0;
}

int erofs_out_flush(struct erofs_out *o, struct err *e)
{
	const size_t n = o->n;

	o->n = 0;
	if (put(o->fd, o->at, o->chunk, n, e) < 0)
		return -1;
	fd_write_behind(o->fd, &o->begun, o->at);
	return 0;
}

int erofs_out_alloc(struct erofs_out *o, uint64_t n, uint32_t *first, struct err *e)
{
	if (n > UINT32_MAX - o->next)
		return err_set(e, EFBIG, "more than the 16 TiB of an image");
	*first = o->next;
	o->next += (uint32_t) n;
	return 0;
}

/* The chunk lies at the end of what was written so far: a gap in it, or before it, holds nothing yet. */
int erofs_out_write(struct erofs_out *o, uint64_t at, const void *p, size_t n, struct err *e)
{
	const uint64_t end = at + n;

	if (o->n > 0 && at >= o->at && end <= o->at + sizeof(o->chunk) && n < LARGE) {
		size_t from = (size_t) (at - o->at);

		if (from > o->n)
			memset(o->chunk + o->n, 0, from - o->n);
		memcpy(o->chunk + from, p, n);
		o->n = MAX(o->n, from + n);
	} else {
		if (o->n > 0 && end > o->at && erofs_out_flush(o, e) < 0)
			return -1;
		if (at < o->top || n >= LARGE)
			return put_top(o, at, p, n, e);
		o->at = at;
		o->n = n;
		memcpy(o->chunk, p, n);
	}
	o->top = MAX(o->top, end);
	return 0;
}
