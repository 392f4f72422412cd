/*
 * A page: text printed into a buffer piece by piece; the first failure sticks and everything after it is skipped,
 * so that a renderer checks once, at its end (page.r).
 */
#ifndef CARREL_BASE_PAGE_H
#define CARREL_BASE_PAGE_H

#include "base/buf.h"

struct page {
	struct buf *out;
	struct err *e;
	int r; /* 0, or -1 with *e set */
};

#define page_say(p, ...)                                                                       \
	do {                                                                                   \
		if ((p)->r == 0)                                                               \
			(p)->r = buf_printf((p)->out, (p)->e, __VA_ARGS__);                    \
	} while (0)

#endif
