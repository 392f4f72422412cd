#include "shim/ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/util.h"

/* How far ring_cut looks for a line feed or an escape: longer than the lines and sequences that
 * programs print, short against the history. */
enum { CUT_REACH = 4096 };

int ring_init(struct ring *r, size_t size, struct err *e)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "map %zu bytes of history", size);
	*r = (struct ring){ .data = p, .size = size };
	return 0;
}

void ring_fini(struct ring *r)
{
	if (r->data)
		(void) munmap(r->data, r->size);
	*r = (struct ring){ 0 };
}

size_t ring_reserve(struct ring *r, size_t want, uint8_t **p)
{
	size_t at = r->next % r->size;
	size_t n = MIN(want, r->size - at);

	if (r->next + n - r->oldest > r->size)
		r->oldest = r->next + n - r->size;
	*p = r->data + at;
	return n;
}

void ring_commit(struct ring *r, size_t n)
{
	r->next += n;
}

void ring_put(struct ring *r, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n > 0) {
		uint8_t *to;
		size_t k = ring_reserve(r, n, &to);

		memcpy(to, from, k);
		ring_commit(r, k);
		from += k;
		n -= k;
	}
}

int ring_peek(const struct ring *r, uint64_t from, size_t n, struct iovec out[2])
{
	size_t at = from % r->size;
	size_t first = MIN(n, r->size - at);

	if (n == 0)
		return 0;
	out[0] = (struct iovec){ .iov_base = r->data + at, .iov_len = first };
	if (first == n)
		return 1;
	out[1] = (struct iovec){ .iov_base = r->data, .iov_len = n - first };
	return 2;
}

uint64_t ring_cut(const struct ring *r, uint64_t from)
{
	uint64_t at = MAX(from, r->oldest);
	uint64_t end = MIN(r->next, at + CUT_REACH);
	uint64_t whole = end; /* the first byte that begins a character */

	if (at == 0 || at >= r->next)
		return at;
	/* The byte before `at` may still be there, or not: what precedes `oldest` is unknown. */
	if (at > r->oldest && r->data[(at - 1) % r->size] == '\n')
		return at;
	for (uint64_t i = at; i < end; i++) {
		uint8_t c = r->data[i % r->size];

		if (c == '\n')
			return i + 1;
		if (c == 0x1b)
			return i;
		if ((c & 0xc0) != 0x80 && whole == end)
			whole = i;
	}
	return whole;
}
