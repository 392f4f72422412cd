/*
 * The compressed side of an inflating child: what it has read and not used yet.
 */
#ifndef CARREL_IMAGES_INFLATE_INPUT_H
#define CARREL_IMAGES_INFLATE_INPUT_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

struct inflate_input {
	int fd;
	size_t n;
	uint8_t chunk[256 * 1024];
};

/* Behind the n bytes that are there: 1 with more of them, 0 at the end. */
static inline int inflate_add(struct inflate_input *in, struct err *e)
{
	ssize_t n;

	do
		n = read(in->fd, in->chunk + in->n, sizeof(in->chunk) - in->n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read");
	in->n += (size_t) n;
	return n > 0;
}

/* 1 with bytes in chunk, 0 at the end. */
static inline int inflate_more(struct inflate_input *in, struct err *e)
{
	in->n = 0;
	return inflate_add(in, e);
}

/* Keeps the `left` bytes at rest, a part of chunk, and has `want` of them (at most all of chunk) unless the end comes. */
static inline int inflate_top_up(struct inflate_input *in, const uint8_t *rest, size_t left,
				 size_t want, struct err *e)
{
	int more = 1;

	memmove(in->chunk, rest, left);
	in->n = left;
	while (more == 1 && in->n < want)
		more = inflate_add(in, e);
	return more < 0 ? -1 : 0;
}

/* What follows the end of a stream begins another one, or has no business there. */
static inline int inflate_refuse_rest(const char *what, struct err *e)
{
	return err_set(e, EINVAL, "%s: other bytes follow the end of the stream", what);
}

#endif
