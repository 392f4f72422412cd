#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum { CAP_FIRST = 256 };

void buf_fini(struct buf *b)
{
	int saved = errno;

	free(b->data);
	*b = BUF_LIMIT(b->limit);
	errno = saved;
}

void buf_clear(struct buf *b)
{
	b->head = 0;
	b->tail = 0;
}

/* Moves the content to the front: cheaper than growing whenever half of the memory lies before it. */
static void buf_compact(struct buf *b)
{
	size_t n = buf_len(b);

	if (b->head && n)
		memmove(b->data, b->data + b->head, n);
	b->head = 0;
	b->tail = n;
}

int buf_reserve(struct buf *b, size_t n, struct err *e)
{
	size_t len = buf_len(b), cap;
	uint8_t *p;

	if (n > b->limit || len > b->limit - n)
		return err_set(e, ENOBUFS, "more than %zu bytes", b->limit);
	if (b->cap - b->tail >= n)
		return 0;
	if (b->head >= len && b->cap >= len + n) {
		buf_compact(b);
		return 0;
	}

	cap = MAX(b->cap, (size_t) CAP_FIRST / 2);
	do {
		cap = cap > b->limit / 2 ? b->limit : cap * 2;
	} while (cap < len + n);
	buf_compact(b);
	if (cap <= b->cap)
		return 0;
	/* One byte more than cap: the place of buf_str's NUL. */
	p = realloc(b->data, cap + 1);
	if (!p)
		return err_set(e, ENOMEM, "no memory for %zu bytes", cap);
	b->data = p;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t n, struct err *e)
{
	if (buf_reserve(b, n, e) < 0)
		return -1;
	if (n)
		memcpy(b->data + b->tail, p, n);
	b->tail += n;
	return 0;
}

int buf_puts(struct buf *b, const char *s, struct err *e)
{
	return buf_append(b, s, strlen(s), e);
}

int buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
	size_t room = b->cap ? b->cap - b->tail + 1 : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? (char *) b->data + b->tail : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err_sys(e, "format text");
	if ((size_t) n >= room) {
		if (buf_reserve(b, n, e) < 0)
			return -1;
		if (!b->data)
			return 0;
		va_start(ap, fmt);
		(void) vsnprintf((char *) b->data + b->tail, n + 1, fmt, ap);
		va_end(ap);
	}
	b->tail += n;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	b->head += MIN(n, buf_len(b));
	if (b->head == b->tail)
		buf_clear(b);
}

const char *buf_str(struct buf *b)
{
	if (!b->data)
		return "";
	b->data[b->tail] = '\0';
	return (const char *) b->data + b->head;
}

char *buf_take_str(struct buf *b)
{
	char *s;

	if (!b->data)
		return xstrdup("");
	buf_compact(b);
	b->data[b->tail] = '\0';
	s = (char *) b->data;
	*b = BUF_LIMIT(b->limit);
	return s;
}
