#include "shim/session_screen.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/stack.h"
#include "base/util.h"
#include "shim/client.h"
#include "shim/proto.h"
#include "shim/ring.h"
#include "shim/screen.h"
#include "shim/session.h"
#include "shim/table.h"

/* A character's first bytes are kept in the history while the rest is not there: so many are fed ahead. */
enum { AHEAD = 4, LOOK_BACK = 4096 };

/* After so much silence it sleeps. */
enum { REST_MS = 250, SLEEP_BYTES = 16 << 20 };

static void expect_rest(struct session *s);

static bool has_begun(const struct session_screen *sc)
{
	return sc->model || buf_len(&sc->asleep) > 0;
}

void session_screen_fini(struct session_screen *sc)
{
	loop_timer_del(&sc->rest);
	buf_fini(&sc->asleep);
	screen_free(sc->model);
	*sc = (struct session_screen){ 0 };
}

/* ---- sleep ---- */

/* Without memory for the bytes it stays awake. */
static void fall_asleep(struct session_screen *sc)
{
	struct pack p = PACK(SLEEP_BYTES);
	struct err e = ERR_NONE;

	screen_save(sc->model, &p);
	sc->asleep = (struct buf){ .limit = SLEEP_BYTES };
	/* Once more: the pack's own buffer has grown by doubling. */
	if (pack_end(&p, &e) == 0 &&
	    buf_append(&sc->asleep, buf_bytes(&p.out), buf_len(&p.out), &e) == 0) {
		screen_free(sc->model);
		sc->model = NULL;
	}
	pack_fini(&p);
}

static void look_for_rest(void *arg)
{
	struct session *s = arg;
	struct session_screen *sc = &s->screen;

	if (s->ring.next != sc->rest_at)
		expect_rest(s);
	else if (sc->model)
		fall_asleep(sc);
	stack_give_back();
}

static void expect_rest(struct session *s)
{
	struct session_screen *sc = &s->screen;

	if (sc->rest.due_ns != 0)
		return;
	sc->rest_at = s->ring.next;
	loop_timer_set(s->table->loop, &sc->rest, REST_MS, look_for_rest, s);
}

static void wake(struct session_screen *sc)
{
	struct screen_limits limits = SCREEN_LIMITS;
	struct unpack u = { .p = buf_bytes(&sc->asleep), .n = buf_len(&sc->asleep) };

	if (u.n == 0)
		return;
	sc->model = screen_restore(&limits, &u);
	sc->failed = !sc->model;
	buf_fini(&sc->asleep);
}

/* ---- feeding ---- */

static bool have_model(struct session *s)
{
	struct session_screen *sc = &s->screen;
	struct screen_limits limits = SCREEN_LIMITS;
	bool failed = sc->failed;

	wake(sc);
	if (!sc->model && !sc->failed) {
		sc->model = screen_new(sc->first_cols ? sc->first_cols : s->cols,
				       sc->first_rows ? sc->first_rows : s->rows, &limits);
		sc->failed = !sc->model;
	}
	if (sc->failed && !failed)
		log_warn(
			"no memory for a model of the terminal: late clients get the history alone");
	if (sc->model)
		expect_rest(s);
	return sc->model != NULL;
}

static void feed(struct session *s, uint64_t to)
{
	struct session_screen *sc = &s->screen;
	struct iovec v[2];
	int n_v;

	if (to <= sc->at)
		return;
	n_v = ring_peek(&s->ring, sc->at, (size_t) (to - sc->at), v);
	for (int i = 0; i < n_v; i++)
		screen_feed_bulk(sc->model, v[i].iov_base, v[i].iov_len);
	sc->at = to;
}

/* Up to `to`, with the sizes that were in force. */
static void advance(struct session *s, uint64_t to)
{
	struct session_screen *sc = &s->screen;

	if (!have_model(s))
		return;
	while (sc->n_resizes > 0 && sc->resizes[0].at <= to) {
		feed(s, sc->resizes[0].at);
		screen_resize(sc->model, sc->resizes[0].cols, sc->resizes[0].rows);
		memmove(sc->resizes, sc->resizes + 1, --sc->n_resizes * sizeof(sc->resizes[0]));
	}
	feed(s, to);
}

void session_screen_resized(struct session *s, uint16_t cols, uint16_t rows)
{
	struct session_screen *sc = &s->screen;
	size_t n;

	if (!has_begun(sc) && !sc->first_cols) {
		sc->first_cols = s->cols;
		sc->first_rows = s->rows;
	}
	if (sc->n_resizes == SESSION_SCREEN_RESIZES)
		advance(s, s->ring.next);
	n = sc->n_resizes;
	/* Two at one place are one; so are any without a model to tell them to. */
	if (n > 0 && (sc->resizes[n - 1].at == s->ring.next || n == SESSION_SCREEN_RESIZES))
		n--;
	sc->resizes[n].at = s->ring.next;
	sc->resizes[n].cols = cols;
	sc->resizes[n].rows = rows;
	sc->n_resizes = n + 1;
}

/* Back from `to` to where a line begins, where one does so near. */
static uint64_t line_start(const struct ring *r, uint64_t to, uint64_t least)
{
	uint64_t end = to > least + LOOK_BACK ? to - LOOK_BACK : least;
	struct iovec v[2];

	for (int i = ring_peek(r, end, (size_t) (to - end), v) - 1; i >= 0; i--) {
		const uint8_t *feed = memrchr(v[i].iov_base, '\n', v[i].iov_len);

		if (feed)
			return end + (i > 0 ? v[0].iov_len : 0) +
			       (size_t) (feed + 1 - (uint8_t *) v[i].iov_base);
	}
	return to;
}

void session_screen_keep(struct session *s, size_t n)
{
	const struct ring *r = &s->ring;
	uint64_t lost;

	if (!s->terminal || r->next + n <= r->size)
		return;
	lost = r->next + n - r->size + AHEAD;
	/* Much at once: of long plain text the most need not be drawn. */
	if (s->screen.at < lost)
		advance(s, line_start(r, MIN(r->next, lost + r->size / 4), MIN(r->next, lost)));
}

bool session_screen_take(void *arg, bool newest, struct client_screen *out)
{
	struct session *s = arg;
	struct err e = ERR_NONE;

	if (!s->terminal)
		return false;
	/* A client has one size: what was printed for another cannot be replayed to it. */
	newest = newest || s->screen.n_resizes > 0;
	advance(s, newest ? s->ring.next : MAX(s->screen.at, s->ring.oldest));
	if (!s->screen.model)
		return false;
	buf_clear(&out->bytes);
	if (screen_snapshot(s->screen.model, &out->bytes, &e) < 0) {
		log_warn("%s", e.msg);
		return false;
	}
	out->cols = s->cols;
	out->rows = s->rows;
	out->offset = MAX(s->screen.at - screen_partial(s->screen.model), s->ring.oldest);
	return true;
}

/* ---- hand-over ---- */

void session_screen_save(const struct session *s, struct pack *p)
{
	const struct session_screen *sc = &s->screen;

	pack_tag(p, "scrn");
	pack_u16(p, sc->first_cols);
	pack_u16(p, sc->first_rows);
	pack_bool(p, sc->failed);
	pack_u8(p, (uint8_t) sc->n_resizes);
	for (size_t i = 0; i < sc->n_resizes; i++) {
		pack_u64(p, sc->resizes[i].at);
		pack_u16(p, sc->resizes[i].cols);
		pack_u16(p, sc->resizes[i].rows);
	}
	pack_bool(p, has_begun(sc));
	pack_u64(p, sc->at);
	if (sc->model)
		screen_save(sc->model, p);
	else
		pack_raw(p, buf_bytes(&sc->asleep), buf_len(&sc->asleep));
}

static uint16_t side(struct unpack *u, uint16_t least)
{
	uint16_t n = unpack_u16(u);

	if (n < least || n > PROTO_MAX_SIZE)
		(void) unpack_refuse(u, "a screen's side of %u", n);
	return n;
}

static void restore_resizes(struct session_screen *sc, const struct ring *r, struct unpack *u)
{
	uint64_t before = 0;

	sc->n_resizes = unpack_u8_to(u, SESSION_SCREEN_RESIZES, "changes of size");
	for (size_t i = 0; i < sc->n_resizes; i++) {
		sc->resizes[i].at = unpack_u64_to(u, r->next, "the place of a change of size");
		sc->resizes[i].cols = side(u, 1);
		sc->resizes[i].rows = side(u, 1);
		if (sc->resizes[i].at < before)
			(void) unpack_refuse(u, "changes of size that are out of order");
		before = sc->resizes[i].at;
	}
}

void session_screen_restore(struct session *s, struct unpack *u)
{
	const struct screen_limits limits = SCREEN_LIMITS;
	struct session_screen *sc = &s->screen;
	bool model;

	unpack_tag(u, "scrn");
	sc->first_cols = side(u, 0);
	sc->first_rows = side(u, 0);
	sc->failed = unpack_bool(u);
	restore_resizes(sc, &s->ring, u);
	model = unpack_bool(u);
	sc->at = unpack_u64_to(u, s->ring.next, "what a screen has seen");
	if (sc->at < s->ring.oldest && (model || s->ring.oldest > 0) && s->terminal &&
	    !sc->failed)
		(void) unpack_refuse(u, "a screen that has missed output");
	if (!model)
		return;
	sc->model = screen_restore(&limits, u);
	sc->failed |= !sc->model;
}
