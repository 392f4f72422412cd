#include "shim/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/pack.h"
#include "base/str.h"
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
	if (r->turns)
		(void) munmap(r->turns, RING_TURNS * sizeof(*r->turns));
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

/* ---- streams ---- */

static struct ring_turn *turn(const struct ring *r, size_t i)
{
	return &r->turns[(r->first_turn + i) % RING_TURNS];
}

static void drop_first_turn(struct ring *r)
{
	r->first_turn = (r->first_turn + 1) % RING_TURNS;
	r->n_turns--;
}

/* Memory comes with the first errors. Without it all would be output: an abort is as rare and clearer. */
static void map_turns(struct ring *r)
{
	r->turns = mmap(NULL, RING_TURNS * sizeof(*r->turns), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->turns == MAP_FAILED)
		abort();
	*turn(r, r->n_turns++) = (struct ring_turn){ 0, RING_OUTPUT };
}

void ring_turn(struct ring *r, enum ring_stream stream)
{
	if (!r->turns) {
		if (stream == RING_OUTPUT)
			return;
		map_turns(r);
	}
	if (turn(r, r->n_turns - 1)->stream == stream)
		return;
	while (r->n_turns > 1 && turn(r, 1)->from <= r->oldest)
		drop_first_turn(r);
	if (r->n_turns == RING_TURNS) {
		r->oldest = MAX(r->oldest, turn(r, 1)->from);
		drop_first_turn(r);
	}
	*turn(r, r->n_turns++) = (struct ring_turn){ r->next, stream };
}

/* The last turn that begins at or before `from`. */
static size_t turn_at(const struct ring *r, uint64_t from)
{
	size_t low = 0, high = r->n_turns;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (turn(r, mid)->from <= from)
			low = mid;
		else
			high = mid;
	}
	return low;
}

size_t ring_run(const struct ring *r, uint64_t from, size_t n, enum ring_stream *stream)
{
	size_t i;

	*stream = RING_OUTPUT;
	if (!r->turns)
		return n;
	i = turn_at(r, from);
	*stream = turn(r, i)->stream;
	return i + 1 < r->n_turns ? (size_t) MIN((uint64_t) n, turn(r, i + 1)->from - from) : n;
}

size_t ring_turns(const struct ring *r, uint64_t from)
{
	return r->turns ? r->n_turns - 1 - turn_at(r, from) : 0;
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

/* ---- hand-over ---- */

void ring_save(const struct ring *r, struct pack *p)
{
	struct iovec v[2];
	int n_v = ring_peek(r, r->oldest, (size_t) (r->next - r->oldest), v);

	pack_tag(p, "ring");
	pack_u64(p, r->size);
	pack_u64(p, r->oldest);
	pack_u64(p, r->next);
	for (int i = 0; i < n_v; i++)
		pack_raw(p, v[i].iov_base, v[i].iov_len);
	pack_bool(p, r->turns != NULL);
	if (!r->turns)
		return;
	pack_u32(p, (uint32_t) r->n_turns);
	for (size_t i = 0; i < r->n_turns; i++) {
		pack_u64(p, turn(r, i)->from);
		pack_u8(p, (uint8_t) turn(r, i)->stream);
	}
}

static void restore_turns(struct ring *r, struct unpack *u)
{
	uint64_t before = 0;
	size_t n;

	if (!unpack_bool(u))
		return;
	map_turns(r);
	n = unpack_u32_to(u, RING_TURNS, "turns of a history");
	if (n == 0)
		(void) unpack_refuse(u, "a history with turns and none of them");
	for (size_t i = 0; i < n; i++) {
		uint64_t from = unpack_u64_to(u, r->next, "a turn's place");
		uint8_t stream = unpack_u8_to(u, RING_ERRORS, "a turn's stream");

		if (unpack_failed(u))
			return;
		if (stream < RING_OUTPUT || from < before || (i == 0 && from > r->oldest)) {
			(void) unpack_refuse(u, "turns of a history that are out of order");
			return;
		}
		before = from;
		r->n_turns = i;
		*turn(r, r->n_turns++) = (struct ring_turn){ from, stream };
	}
}

/* All pages at once cost a fraction of what each costs when it is touched; an older kernel than 5.14 does the latter. */
static void populate(uint8_t *p, size_t n)
{
	enum { ADVISE_POPULATE_WRITE = 23 }; /* musl has no name for it */
	const uintptr_t page = 4096, from = (uintptr_t) p & ~(page - 1);

	(void) madvise((void *) from, ((uintptr_t) p + n - from + page - 1) & ~(page - 1),
		       ADVISE_POPULATE_WRITE);
}

/* Straight to where the offsets say, in one or two pieces. */
static void restore_bytes(struct ring *r, const uint8_t *p, size_t n)
{
	struct iovec v[2];
	int n_v = ring_peek(r, r->oldest, n, v);

	for (int i = 0; i < n_v; i++) {
		populate(v[i].iov_base, v[i].iov_len);
		memcpy(v[i].iov_base, p, v[i].iov_len);
		p += v[i].iov_len;
	}
}

int ring_restore(struct ring *r, size_t size, struct unpack *u)
{
	const uint8_t *p;
	size_t n;

	unpack_tag(u, "ring");
	if (unpack_u64(u) != size)
		(void) unpack_refuse(u, "a history of another size than %zu bytes", size);
	if (unpack_failed(u) || ring_init(r, size, &u->why) < 0)
		return -1;
	r->oldest = unpack_u64(u);
	r->next = unpack_u64(u);
	if (r->oldest > r->next || r->next - r->oldest > size || r->next > INT64_MAX) {
		r->oldest = r->next = 0;
		return unpack_refuse(u, "a history whose ends do not fit together");
	}
	n = (size_t) (r->next - r->oldest);
	p = unpack_raw(u, n);
	if (p && u->fds) /* any bytes will do: a trial need not have them */
		restore_bytes(r, p, n);
	restore_turns(r, u);
	return unpack_failed(u) ? -1 : 0;
}

/* How many of the last bytes of p begin a character that is not whole. */
static size_t begun(const uint8_t *p, size_t n)
{
	for (size_t i = 1; i <= MIN(n, (size_t) 3); i++)
		if ((p[n - i] & 0xc0) != 0x80)
			return str_utf8_is_cut(p + n - i, i) ? i : 0;
	return 0;
}

size_t ring_whole(const struct ring *r, uint64_t from, size_t n)
{
	uint8_t last[3];
	struct iovec v[2];
	size_t back = MIN(n, sizeof(last)), tail;
	bool at_end = from + n == r->next;

	if (n == 0 || (at_end && !r->more))
		return n;
	if (ring_peek(r, from + n - back, back, v) > 1)
		memcpy(last + v[0].iov_len, v[1].iov_base, v[1].iov_len);
	memcpy(last, v[0].iov_base, v[0].iov_len);
	tail = begun(last, back);
	return n > tail ? n - tail : at_end ? 0 : n;
}
