/*
 * Positions are the text's (shim/scan/cells.h). For each rule `live` is where the earliest text begins that more of it might make
 * a match; `checked` is up to where that is known. Both change only when text comes or goes.
 *
 * Vectorscan's stream cannot go back. When a character is taken back it is begun anew with the text before it, as far as a
 * match can reach; the ends that it reports there are known already.
 */
#include "shim/scan/stream.h"

#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "shim/scan/cells.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream_internal.h"

static const uint64_t nowhere = UINT64_MAX;

static bool applies(const struct stream *s, size_t i)
{
	return s->rules->v[i].policy->directions & 1U << s->direction;
}

/* ---- text comes and goes ---- */

static void fail(struct stream *s, const char *what)
{
	if (!s->failed)
		(void) err_set(&s->why, EIO, "Vectorscan: %s", what);
	s->failed = true;
}

static int note_end(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *arg)
{
	struct stream *s = arg;

	if (!applies(s, id))
		return 0;
	if (s->n_ends == s->cap_ends) {
		size_t cap = s->cap_ends ? 2 * s->cap_ends : 64;
		struct stream_end *v = xalloc(cap * sizeof(*v));

		if (s->n_ends)
			memcpy(v, s->ends, s->n_ends * sizeof(*v));
		free(s->ends);
		s->ends = v;
		s->cap_ends = cap;
	}
	s->ends[s->n_ends++] = (struct stream_end){ .rule = id, .to = s->hs_from + to };
	return 0;
}

static uint64_t back(const struct stream *s, uint64_t at, size_t n)
{
	uint64_t from = at - MIN(at, (uint64_t) n);

	from = MAX(from, s->cells.from);
	while (from < s->cells.end && (*cells_text(&s->cells, from) & 0xc0) == 0x80)
		from++;
	return from;
}

static void begin_anew(struct stream *s)
{
	uint64_t from = back(s, s->scanned, s->rules->width);

	s->stale = false;
	s->hs_from = from;
	if (hs_reset_stream(s->hs, 0, s->rules->scratch, NULL, NULL) != HS_SUCCESS)
		fail(s, "reset");
	if (s->scanned > from &&
	    hs_scan_stream(s->hs, (const char *) cells_text(&s->cells, from),
			   (unsigned) (s->scanned - from), 0, s->rules->scratch, NULL,
			   NULL) != HS_SUCCESS)
		fail(s, "scan");
}

/* What is new in the text. */
static void scan(struct stream *s)
{
	if (s->scanned == s->cells.end)
		return;
	if (s->stale)
		begin_anew(s);
	if (hs_scan_stream(s->hs, (const char *) cells_text(&s->cells, s->scanned),
			   (unsigned) (s->cells.end - s->scanned), 0, s->rules->scratch,
			   note_end, s) != HS_SUCCESS)
		fail(s, "scan");
	s->scanned = s->cells.end;
	stream_take_ends(s);
}

static void add(struct stream *s, struct cell *cell, const uint8_t *text)
{
	if (text[0] == '\n')
		s->dropping = s->notice_due = false;
	if (s->dropping && cell->n_raw > 0) {
		cell->flags = CELL_DROPPED | (s->notice_due ? CELL_NOTICE : 0);
		cell->rule = s->drop_rule;
		s->notice_due = false;
	}
	cells_add(&s->cells, cell, text);
}

static void on_run(void *arg, const uint8_t *p, size_t n, uint64_t offset)
{
	struct stream *s = arg;

	for (size_t i = 0; i < n; i++) {
		struct cell c = { .raw = offset + i, .n_raw = 1, .n_text = 1, .width = 1 };

		add(s, &c, p + i);
	}
}

static void on_glyph(void *arg, uint32_t code, unsigned width, uint64_t offset, size_t n_raw)
{
	struct stream *s = arg;
	uint8_t text[4];
	struct cell c = { .raw = offset,
			  .n_raw = (uint8_t) n_raw,
			  .n_text = (uint8_t) vt_utf8(code, text),
			  .width = (uint8_t) width };

	add(s, &c, text);
}

/* ---- what may become a match ---- */

static uint64_t find_live(struct stream *s, size_t i, uint64_t from)
{
	const struct rule *r = &s->rules->v[i];
	const struct cells *c = &s->cells;
	size_t n = (size_t) (c->end - c->from), at, found, n_ends, ends[RULES_ENDS];

	at = (size_t) (MAX(from, back(s, c->end, r->width)) - c->from);
	if (at >= n || !rules_keyword_within(r, c->text, at, n))
		return nowhere;
	for (; at < n; at = found + 1) {
		switch (rules_find(s->rules, i, c->text, n, at, true, &found, ends, &n_ends)) {
		case RULES_NONE:
			return nowhere;
		case RULES_PARTIAL:
			if (rules_keyword(r, c->text, found))
				return c->from + found;
			break;
		case RULES_MATCH:
			break;
		}
		while (found + 1 < n && (c->text[found + 1] & 0xc0) == 0x80)
			found++;
	}
	return nowhere;
}

static void update_live(struct stream *s)
{
	for (size_t i = 0; i < s->rules->n; i++) {
		struct stream_rule *st = &s->state[i];
		uint64_t from = MIN(st->live, s->checked);

		if (!applies(s, i))
			continue;
		/* An alert holds nothing back; only whether it goes on is of interest. */
		if (s->rules->v[i].policy->action == POLICY_ALERT) {
			st->live = nowhere;
			if (!st->found)
				continue;
			from = MIN(from, st->from);
		}
		st->live = find_live(s, i, MIN(from, s->cells.end));
	}
	s->checked = s->cells.end;
	stream_say_final(s);
}

/* ---- what may go on ---- */

static int put_notice(void *arg, uint16_t rule, struct buf *out, struct err *e)
{
	struct stream *s = arg;

	if (s->direction != POLICY_OUT)
		return 0;
	return buf_printf(out, e, "[blocked: %s]", s->rules->v[rule].policy->id);
}

static int release(struct stream *s, uint64_t to, struct buf *out, struct err *e)
{
	if (s->failed) {
		*e = s->why;
		return -1;
	}
	return cells_release(&s->cells, to, put_notice, s, out, e);
}

/* The first byte that must wait, and how long the rules say that it is to. */
static uint64_t held_from(const struct stream *s, uint32_t *hold_ms)
{
	uint64_t limit = text_decided(&s->text);

	*hold_ms = limit < s->text.offset ? POLICY_HOLD_MS : 0;
	for (size_t i = 0; i < s->rules->n; i++) {
		const struct policy_rule *p = s->rules->v[i].policy;
		const struct stream_rule *st = &s->state[i];
		const struct cells *c = &s->cells;
		size_t k;

		if (!applies(s, i) || p->action == POLICY_ALERT || st->live == nowhere)
			continue;
		/* What is part of a match is marked already, however much longer that becomes. */
		k = cells_find(c, st->found ? MAX(st->live, st->to) : st->live);
		while (k < c->n && c->v[k].flags & CELL_GONE)
			k++;
		if (k == c->n)
			continue;
		limit = MIN(limit, c->v[k].raw);
		*hold_ms = MAX(*hold_ms, p->hold_ms);
	}
	return limit;
}

static void decide(struct stream *s)
{
	uint32_t hold_ms;

	scan(s);
	update_live(s);
	if (release(s, held_from(s, &hold_ms), s->out, &s->why) < 0)
		s->failed = true;
}

/* What is true before and what is true after goes out each: nothing may depend on whether a read ended here. */
static void on_erase(void *arg)
{
	struct stream *s = arg;

	decide(s);
	if (!cells_erase(&s->cells))
		return;
	stream_say_all(s);
	s->scanned = s->checked = s->cells.end;
	s->stale = true;
	for (size_t i = 0; i < s->rules->n; i++)
		s->state[i].live = back(s, s->cells.end, s->rules->v[i].width);
	decide(s);
}

static const struct text_calls calls = { .run = on_run, .glyph = on_glyph, .erase = on_erase };

int stream_feed(struct stream *s, const uint8_t *p, size_t n, uint64_t now_ms, struct buf *out,
		struct err *e)
{
	uint32_t hold_ms;
	uint64_t limit;

	if (cells_append_raw(&s->cells, p, n, e) < 0)
		return -1;
	s->out = out;
	text_feed(&s->text, p, n, &calls, s);
	scan(s);
	update_live(s);
	limit = held_from(s, &hold_ms);
	if (cells_raw_end(&s->cells) - limit > STREAM_HELD)
		return stream_expire(s, out, e);
	if (release(s, limit, out, e) < 0)
		return -1;
	if (limit == cells_raw_end(&s->cells))
		s->deadline_ms = nowhere;
	else if (s->deadline_ms == nowhere || s->held_from != limit)
		s->deadline_ms = now_ms + hold_ms;
	s->held_from = limit;
	return 0;
}

uint64_t stream_deadline(const struct stream *s)
{
	return s->deadline_ms;
}

/* As if nothing came any more: what ends in a boundary ends here. */
static int end_text(struct stream *s, struct buf *out, struct err *e)
{
	hs_stream_t *copy = NULL;

	text_settle(&s->text, &calls, s);
	scan(s);
	if (s->stale)
		begin_anew(s);
	if (hs_copy_stream(&copy, s->hs) != HS_SUCCESS ||
	    hs_close_stream(copy, s->rules->scratch, note_end, s) != HS_SUCCESS)
		fail(s, "end");
	stream_take_ends(s);
	update_live(s);
	stream_say_all(s);
	s->deadline_ms = nowhere;
	return release(s, cells_raw_end(&s->cells), out, e);
}

int stream_expire(struct stream *s, struct buf *out, struct err *e)
{
	return end_text(s, out, e);
}

int stream_finish(struct stream *s, struct buf *out, struct err *e)
{
	return end_text(s, out, e);
}

void stream_resize(struct stream *s, unsigned cols)
{
	text_resize(&s->text, cols);
}

/* ---- life ---- */

int stream_new(const struct stream_spec *spec, struct stream **out, struct err *e)
{
	static const enum text_kind kinds[][2] = {
		[POLICY_OUT] = { TEXT_PLAIN, TEXT_SHOWN },
		[POLICY_IN] = { TEXT_PLAIN, TEXT_TYPED },
		[POLICY_UPLOAD] = { TEXT_PLAIN, TEXT_TYPED },
	};
	struct stream *s = xalloc(sizeof(*s));

	*s = (struct stream){ .rules = spec->rules,
			      .direction = spec->direction,
			      .key = spec->key,
			      .fn = spec->fn,
			      .arg = spec->arg,
			      .deadline_ms = nowhere };
	text_init(&s->text, kinds[spec->direction][spec->terminal], spec->cols);
	cells_init(&s->cells, s->rules->width + 2 * RULES_NEAR);
	s->state = xalloc(s->rules->n * sizeof(*s->state));
	for (size_t i = 0; i < s->rules->n; i++)
		s->state[i].live = nowhere;
	if (hs_open_stream(s->rules->db, 0, &s->hs) != HS_SUCCESS) {
		stream_free(s);
		return err_set(e, ENOMEM, "no memory for Vectorscan's stream");
	}
	*out = s;
	return 0;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->hs)
		(void) hs_close_stream(s->hs, s->rules->scratch, NULL, NULL);
	cells_fini(&s->cells);
	free(s->state);
	free(s->ends);
	free(s);
}
