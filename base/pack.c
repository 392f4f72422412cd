#include "base/pack.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* ---- out ---- */

void pack_fini(struct pack *p)
{
	buf_fini(&p->out);
	buf_fini(&p->fds);
}

static void flush(struct pack *p)
{
	if (p->why.code || !p->flush || buf_len(&p->out) == 0)
		return;
	if (p->flush(p->arg, buf_bytes(&p->out), buf_len(&p->out), &p->why) == 0)
		buf_clear(&p->out);
}

void pack_raw(struct pack *p, const void *v, size_t n)
{
	const uint8_t *at = v;

	while (n > 0 && !p->why.code) {
		size_t room = p->out.limit - buf_len(&p->out), k = p->flush ? MIN(n, room) : n;

		if (k == 0) {
			flush(p);
			continue;
		}
		if (buf_append(&p->out, at, k, &p->why) < 0)
			return;
		at += k;
		n -= k;
	}
}

static void put(struct pack *p, uint64_t v, size_t n)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t) (v >> (8 * i));
	pack_raw(p, bytes, n);
}

void pack_tag(struct pack *p, const char tag[4])
{
	pack_raw(p, tag, 4);
}

void pack_u8(struct pack *p, uint8_t v)
{
	put(p, v, 1);
}

void pack_u16(struct pack *p, uint16_t v)
{
	put(p, v, 2);
}

void pack_u32(struct pack *p, uint32_t v)
{
	put(p, v, 4);
}

void pack_u64(struct pack *p, uint64_t v)
{
	put(p, v, 8);
}

void pack_bool(struct pack *p, bool v)
{
	put(p, v, 1);
}

void pack_bytes(struct pack *p, const void *v, size_t n)
{
	pack_u64(p, n);
	pack_raw(p, v, n);
}

void pack_str(struct pack *p, const char *s)
{
	pack_bytes(p, s, strlen(s));
}

void pack_buf(struct pack *p, const struct buf *b)
{
	pack_bytes(p, buf_bytes(b), buf_len(b));
}

void pack_fd(struct pack *p, int fd)
{
	pack_bool(p, fd >= 0);
	if (fd >= 0 && !p->why.code)
		(void) buf_append(&p->fds, &fd, sizeof(fd), &p->why);
}

int pack_end(struct pack *p, struct err *e)
{
	flush(p);
	if (!p->why.code)
		return 0;
	*e = p->why;
	return -1;
}

/* ---- in ---- */

int unpack_refuse(struct unpack *u, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!unpack_failed(u)) /* the first one is the cause */
		(void) err_set(&u->why, EPROTO, "%s", text);
	return -1;
}

const void *unpack_raw(struct unpack *u, size_t n)
{
	const void *p = u->p;

	if (unpack_failed(u))
		return NULL;
	if (n > u->n) {
		(void) unpack_refuse(u, "it ends where %zu more bytes belong", n);
		return NULL;
	}
	u->p += n;
	u->n -= n;
	return p;
}

static uint64_t take(struct unpack *u, size_t n)
{
	const uint8_t *p = unpack_raw(u, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v |= (uint64_t) p[i] << (8 * i);
	return v;
}

void unpack_tag(struct unpack *u, const char tag[4])
{
	const char *p = unpack_raw(u, 4);

	if (p && memcmp(p, tag, 4) != 0)
		(void) unpack_refuse(u, "another part stands where %.4s belongs", tag);
}

uint64_t unpack_u64_to(struct unpack *u, uint64_t max, const char *what)
{
	uint64_t v = take(u, 8);

	if (v <= max)
		return v;
	(void) unpack_refuse(u, "%s: %llu where at most %llu can be", what,
			     (unsigned long long) v, (unsigned long long) max);
	return 0;
}

uint32_t unpack_u32_to(struct unpack *u, uint32_t max, const char *what)
{
	uint32_t v = (uint32_t) take(u, 4);

	if (v <= max)
		return v;
	(void) unpack_refuse(u, "%s: %u where at most %u can be", what, v, max);
	return 0;
}

uint8_t unpack_u8_to(struct unpack *u, uint8_t max, const char *what)
{
	uint8_t v = (uint8_t) take(u, 1);

	if (v <= max)
		return v;
	(void) unpack_refuse(u, "%s: %u where at most %u can be", what, v, max);
	return 0;
}

uint8_t unpack_u8(struct unpack *u)
{
	return (uint8_t) take(u, 1);
}

uint16_t unpack_u16(struct unpack *u)
{
	return (uint16_t) take(u, 2);
}

uint32_t unpack_u32(struct unpack *u)
{
	return (uint32_t) take(u, 4);
}

uint64_t unpack_u64(struct unpack *u)
{
	return take(u, 8);
}

bool unpack_bool(struct unpack *u)
{
	return unpack_u8_to(u, 1, "yes or no") == 1;
}

const void *unpack_bytes(struct unpack *u, size_t max, size_t *n)
{
	*n = (size_t) unpack_u64_to(u, max, "length");
	return unpack_raw(u, *n);
}

void unpack_buf(struct unpack *u, struct buf *b)
{
	size_t n;
	const void *p = unpack_bytes(u, b->limit - buf_len(b), &n);

	if (p && n > 0)
		(void) buf_append(b, p, n, &u->why);
}

void unpack_str(struct unpack *u, char *out, size_t size)
{
	size_t n;
	const char *p = unpack_bytes(u, size - 1, &n);

	out[0] = '\0';
	if (!p)
		return;
	if (memchr(p, '\0', n)) {
		(void) unpack_refuse(u, "a text with a NUL in it");
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

int unpack_fd(struct unpack *u)
{
	int fd = -1;

	if (!unpack_bool(u))
		return -1;
	if (u->at_fd == u->n_fds)
		return unpack_refuse(u, "it names more descriptors than the %zu that came",
				     u->n_fds);
	if (u->fds) {
		fd = u->fds[u->at_fd];
		u->fds[u->at_fd] = -1;
	}
	u->at_fd++;
	return fd;
}

int unpack_end(struct unpack *u, struct err *e)
{
	if (!unpack_failed(u) && u->n > 0)
		(void) unpack_refuse(u, "%zu bytes are left", u->n);
	if (!unpack_failed(u) && u->at_fd < u->n_fds)
		(void) unpack_refuse(u, "%zu descriptors are left", u->n_fds - u->at_fd);
	if (!unpack_failed(u))
		return 0;
	*e = u->why;
	return -1;
}
