#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

enum { MSG_MAX = sizeof(((struct err *) 0)->msg) - 1 };

/* A message under construction: built aside, because arguments may point into the old one. */
struct draft {
	char s[MSG_MAX + 1];
	size_t n;
	bool cut;
};

/*
 * One sentence on one line: what came from a file or a request must not move a terminal's cursor or
 * forge a second log line. U+0080..U+009F are C2 80..C2 9F; some terminals obey them like ESC.
 */
static void draft_clean(struct draft *d, size_t from)
{
	for (size_t i = from; i < d->n; i++) {
		unsigned char c = d->s[i];

		if (c == '\n' || c == '\t' || c == '\r') {
			d->s[i] = ' ';
		} else if (c < 0x20 || c == 0x7f) {
			d->s[i] = '?';
		} else if (c == 0xc2 && i + 1 < d->n && (unsigned char) d->s[i + 1] >= 0x80 &&
			   (unsigned char) d->s[i + 1] < 0xa0) {
			d->s[i] = '?';
			d->s[i + 1] = '?';
		}
	}
}

static void draft_vadd(struct draft *d, const char *fmt, va_list ap)
{
	size_t from = d->n, room = MSG_MAX - d->n;
	int r = vsnprintf(d->s + d->n, room + 1, fmt, ap);

	if (r < 0) {
		d->s[d->n] = '\0';
		return;
	}
	if ((size_t) r > room)
		d->cut = true;
	d->n += MIN((size_t) r, room);
	draft_clean(d, from);
}

__attribute__((format(printf, 2, 3))) static void draft_add(struct draft *d, const char *fmt,
							    ...)
{
	va_list ap;

	va_start(ap, fmt);
	draft_vadd(d, fmt, ap);
	va_end(ap);
}

/* Never ends inside a UTF-8 sequence. */
static void draft_store(struct draft *d, struct err *e)
{
	if (d->cut) {
		size_t n = MSG_MAX - 3;

		while (n > 0 && ((unsigned char) d->s[n] & 0xc0) == 0x80)
			n--;
		memcpy(d->s + n, "...", 4);
		d->n = n + 3;
	}
	memcpy(e->msg, d->s, d->n + 1);
}

int(err_set)(struct err *e, int code, const char *fmt, ...)
{
	int saved = errno;
	struct draft d = { .n = 0 };
	va_list ap;

	va_start(ap, fmt);
	draft_vadd(&d, fmt, ap);
	va_end(ap);
	draft_store(&d, e);
	e->code = code;
	errno = saved;
	return -1;
}

int(err_sys)(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	struct draft d = { .n = 0 };
	va_list ap;

	va_start(ap, fmt);
	draft_vadd(&d, fmt, ap);
	va_end(ap);
	errno = saved;
	draft_add(&d, ": %s", strerror(errno));
	draft_store(&d, e);
	e->code = saved;
	errno = saved;
	return -1;
}

int(err_wrap)(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	struct draft d = { .n = 0 };
	va_list ap;

	va_start(ap, fmt);
	draft_vadd(&d, fmt, ap);
	va_end(ap);
	if (e->msg[0])
		draft_add(&d, ": %s", e->msg);
	draft_store(&d, e);
	errno = saved;
	return -1;
}

int(err_hint)(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	struct draft d = { .n = 0 };
	va_list ap;

	if (e->msg[0])
		draft_add(&d, "%s; ", e->msg);
	va_start(ap, fmt);
	draft_vadd(&d, fmt, ap);
	va_end(ap);
	draft_store(&d, e);
	errno = saved;
	return -1;
}
