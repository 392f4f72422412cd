/*
 * The compressed side of an inflating child: what it has read and not used yet.
 */
#ifndef CARREL_IMAGES_INFLATE_INPUT_H
#define CARREL_IMAGES_INFLATE_INPUT_H

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "base/err.h"

struct inflate_input {
	int fd;
	size_t n;
	uint8_t chunk[256 * 1024];
};

/* 1 with bytes in chunk, 0 at the end. */
static inline int inflate_more(struct inflate_input *in, struct err *e)
{
	ssize_t n;

	do
		n = read(in->fd, in->chunk, sizeof(in->chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read");
	in->n = (size_t) n;
	return n > 0;
}

#endif
