/*
 * Positions are the text's (shim/scan/cells.h). For each rule `live` is where the earliest text begins that more of it might make
 * a match; `checked` is up to where that is known. Both change only when text comes or goes.
 *
 * Vectorscan's stream cannot go back. When a character is taken back it is begun anew with the text before it, as far as a
 * match can reach; the ends that it reports there are known already.
 */
#include <errno.h>
#include <hs/hs.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream_internal.h"

static const uint64_t nowhere = UINT64_MAX;

bool lane_applies(const struct lane *l, size_t i)
{
	const struct stream *s = l->stream;

	return s->rules->v[i].policy->directions & 1U << s->direction;
}

/* ---- text comes and goes ---- */

static void fail(struct lane *l, const char *what)
{
	struct stream *s = l->stream;

	if (!s->failed)
		(void) err_set(&s->why, EIO, "Vectorscan: %s", what);
	s->failed = true;
}

static int note_end(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		    void *arg)
{
	struct lane *l = arg;

	if (!lane_applies(l, id))
		return 0;
	if (l->n_ends == l->cap_ends) {
		size_t cap = l->cap_ends ? 2 * l->cap_ends : 64;
		struct stream_end *v = xalloc(cap * sizeof(*v));

		if (l->n_ends)
			memcpy(v, l->ends, l->n_ends * sizeof(*v));
		free(l->ends);
		l->ends = v;
		l->cap_ends = cap;
	}
	l->ends[l->n_ends++] = (struct stream_end){ .rule = id, .to = l->hs_from + to };
	return 0;
}

static uint64_t back(const struct lane *l, uint64_t at, size_t n)
{
	uint64_t from = at - MIN(at, (uint64_t) n);

	from = MAX(from, l->cells.from);
	while (from < l->cells.end && (*cells_text(&l->cells, from) & 0xc0) == 0x80)
		from++;
	return from;
}

static void scan_text(struct lane *l, uint64_t from, uint64_t to, match_event_handler fn)
{
	if (hs_scan_stream(l->hs, (const char *) cells_text(&l->cells, from),
			   (unsigned) (to - from), 0, l->stream->rules->scratch, fn,
			   l) != HS_SUCCESS)
		fail(l, "scan");
}

static void begin_anew(struct lane *l)
{
	uint64_t from = back(l, l->scanned, l->stream->rules->width);

	l->stale = false;
	l->hs_from = from;
	if (hs_reset_stream(l->hs, 0, l->stream->rules->scratch, NULL, NULL) != HS_SUCCESS)
		fail(l, "reset");
	if (l->scanned > from)
		scan_text(l, from, l->scanned, NULL);
}

void lane_scan(struct lane *l)
{
	if (l->scanned == l->cells.end)
		return;
	if (l->stale)
		begin_anew(l);
	scan_text(l, l->scanned, l->cells.end, note_end);
	l->scanned = l->cells.end;
	stream_take_ends(l);
}

void lane_add(struct lane *l, struct cell *cell, const uint8_t *text)
{
	if (cell->n_text > 0 && text[0] == '\n' && !l->whole)
		l->dropping = l->notice_due = false;
	if (l->dropping && cell->n_raw > 0) {
		cell->flags = CELL_DROPPED | (l->notice_due ? CELL_NOTICE : 0);
		cell->rule = l->drop_rule;
		l->notice_due = false;
	}
	cells_add(&l->cells, cell, text);
}

bool lane_erase(struct lane *l)
{
	if (!cells_erase(&l->cells))
		return false;
	stream_say_all(l);
	l->scanned = l->checked = l->cells.end;
	l->stale = true;
	for (size_t i = 0; i < l->stream->rules->n; i++) {
		struct stream_rule *st = &l->state[i];

		st->live = back(l, l->cells.end, l->stream->rules->v[i].width);
		st->said = MIN(st->said, l->cells.end);
	}
	return true;
}

/* ---- what may become a match ---- */

static uint64_t find_live(struct lane *l, size_t i, uint64_t from)
{
	const struct rules *rules = l->stream->rules;
	const struct rule *r = &rules->v[i];
	const struct cells *c = &l->cells;
	size_t n = (size_t) (c->end - c->from), at, found, n_ends, ends[RULES_ENDS];

	at = (size_t) (MAX(from, back(l, c->end, r->width)) - c->from);
	if (at >= n || !rules_keyword_within(r, c->text, at, n))
		return nowhere;
	for (; at < n; at = found + 1) {
		switch (rules_find(rules, i, c->text, n, at, true, &found, ends, &n_ends)) {
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

void lane_update(struct lane *l)
{
	for (size_t i = 0; i < l->stream->rules->n; i++) {
		struct stream_rule *st = &l->state[i];
		uint64_t from = MIN(st->live, l->checked);

		if (!lane_applies(l, i))
			continue;
		/* An alert holds nothing back; only whether it goes on is of interest. */
		if (l->stream->rules->v[i].policy->action == POLICY_ALERT) {
			st->live = nowhere;
			if (!st->found)
				continue;
			from = MIN(from, st->from);
		}
		st->live = find_live(l, i, MIN(from, l->cells.end));
	}
	l->checked = l->cells.end;
	stream_say_final(l);
}

/* Where text waits that this rule may match. */
static uint64_t rule_holds_from(const struct lane *l, size_t i)
{
	const struct stream_rule *st = &l->state[i];
	const struct cells *c = &l->cells;
	size_t k;

	if (l->whole && !l->open)
		return nowhere;
	if (l->whole) /* bytes that are no character yet could not be dropped with the others */
		return l->dropping ? l->stream->text.clip.raw : l->born;
	if (st->live == nowhere)
		return nowhere;
	/* What is part of a match is marked already, however much longer that becomes. */
	k = cells_find(c, st->found ? MAX(st->live, st->to) : st->live);
	while (k < c->n && c->v[k].flags & CELL_GONE)
		k++;
	return k < c->n ? c->v[k].raw : nowhere;
}

uint64_t lane_held_from(const struct lane *l, uint64_t limit, uint32_t *hold_ms)
{
	for (size_t i = 0; i < l->stream->rules->n; i++) {
		const struct policy_rule *p = l->stream->rules->v[i].policy;
		uint64_t from = nowhere;

		if (lane_applies(l, i) && p->action != POLICY_ALERT)
			from = rule_holds_from(l, i);
		if (from == nowhere)
			continue;
		limit = MIN(limit, from);
		*hold_ms = MAX(*hold_ms, p->hold_ms);
	}
	return limit;
}

/* ---- the end of a text ---- */

void lane_end_text(struct lane *l)
{
	hs_stream_t *copy = NULL;

	lane_scan(l);
	if (l->stale)
		begin_anew(l);
	if (hs_copy_stream(&copy, l->hs) != HS_SUCCESS ||
	    hs_close_stream(copy, l->stream->rules->scratch, note_end, l) != HS_SUCCESS)
		fail(l, "end");
	stream_take_ends(l);
	lane_update(l);
	stream_say_all(l);
}

void lane_begin(struct lane *l, uint64_t raw)
{
	cells_forget(&l->cells);
	l->scanned = l->checked = l->hs_from = l->cells.end;
	l->stale = true;
	l->open = true;
	l->born = raw;
}

void lane_end(struct lane *l)
{
	lane_end_text(l);
	for (size_t i = 0; i < l->stream->rules->n; i++)
		l->state[i].live = nowhere;
	l->open = l->dropping = l->notice_due = false;
}

/* ---- life ---- */

struct lane *lane_new(struct stream *s)
{
	struct lane *l = xalloc(sizeof(*l));

	*l = (struct lane){ .stream = s };
	cells_init(&l->cells, s->rules->width + 2 * RULES_NEAR);
	l->state = xalloc(s->rules->n * sizeof(*l->state));
	for (size_t i = 0; i < s->rules->n; i++)
		l->state[i].live = nowhere;
	if (hs_open_stream(s->rules->db, 0, &l->hs) == HS_SUCCESS)
		return l;
	lane_free(l);
	return NULL;
}

void lane_free(struct lane *l)
{
	if (!l)
		return;
	if (l->hs)
		(void) hs_close_stream(l->hs, l->stream->rules->scratch, NULL, NULL);
	cells_fini(&l->cells);
	free(l->state);
	free(l->ends);
	free(l);
}
