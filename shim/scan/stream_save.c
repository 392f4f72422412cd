#include "shim/scan/stream_save.h"

#include <string.h>

#include "base/pack.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream_internal.h"

enum {
	CELLS_MAX = 1 << 17,
	TEXT_MAX = 1 << 20,
	COLS_MAX = 65535,
	FLAGS = CELL_MASKED | CELL_DROPPED | CELL_NOTICE | CELL_GONE,
};

/* ---- rules ---- */

void stream_rules_save(const struct rules *r, struct pack *p)
{
	pack_tag(p, "rule");
	pack_u32(p, (uint32_t) r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct policy_rule *x = r->v[i].policy;

		pack_str(p, x->id);
		pack_str(p, x->pattern);
		pack_u32(p, x->directions);
		pack_u8(p, (uint8_t) x->action);
		pack_u8(p, (uint8_t) x->check);
		for (const char **k = x->keywords; k && *k; k++)
			pack_str(p, *k);
		pack_str(p, "");
	}
}

static bool same_text(struct unpack *u, const char *s)
{
	char text[POLICY_PATTERN * 4 + 1];

	unpack_str(u, text, sizeof(text));
	return !unpack_failed(u) && strcmp(text, s) == 0;
}

static bool same_rule(const struct policy_rule *x, struct unpack *u)
{
	bool same = same_text(u, x->id) && same_text(u, x->pattern) &&
		    unpack_u32(u) == x->directions && unpack_u8(u) == x->action &&
		    unpack_u8(u) == x->check;

	for (const char **k = x->keywords; same && k && *k; k++)
		same = same_text(u, *k);
	return same && same_text(u, "");
}

void stream_rules_check(const struct rules *r, struct unpack *u)
{
	bool same;

	unpack_tag(u, "rule");
	same = unpack_u32(u) == r->n;
	for (size_t i = 0; same && i < r->n; i++)
		same = same_rule(r->v[i].policy, u);
	if (!same)
		(void) unpack_refuse(u, "the policy's rules have changed since");
}

/* ---- text ---- */

static void save_clip(const struct clip *c, struct pack *p)
{
	pack_u8(p, (uint8_t) c->state);
	pack_bool(p, c->lines);
	pack_bool(p, c->c2);
	pack_u8(p, (uint8_t) c->match);
	pack_u32(p, c->bits);
	pack_u8(p, (uint8_t) c->n_bits);
	pack_bytes(p, c->partial, c->n_partial);
	pack_u64(p, c->raw);
}

static void restore_clip(struct clip *c, struct unpack *u)
{
	const void *bytes;
	size_t n;

	c->state = unpack_u8_to(u, CLIP_PAYLOAD, "where in a clipboard's string it is");
	c->lines = unpack_bool(u);
	c->c2 = unpack_bool(u);
	c->match = unpack_u8_to(u, c->state == CLIP_NUMBER ? 2 : 3, "a clipboard's number");
	c->bits = unpack_u32(u);
	c->n_bits = unpack_u8_to(u, 7, "bits of Base64");
	bytes = unpack_bytes(u, sizeof(c->partial) - 1, &n);
	if (bytes) {
		memcpy(c->partial, bytes, n);
		c->n_partial = (uint8_t) n;
	}
	c->raw = unpack_u64(u);
}

static void save_text(const struct text *t, struct pack *p)
{
	pack_tag(p, "text");
	vt_save(&t->vt, p);
	pack_u32(p, t->cols);
	pack_u32(p, t->col);
	pack_u64(p, t->offset);
	pack_u64(p, t->begun);
	pack_u64(p, t->space);
	pack_bool(p, t->has_space);
	pack_bool(p, t->cr);
	pack_bool(p, t->cr_at_margin);
	save_clip(&t->clip, p);
}

static void restore_text(struct text *t, struct unpack *u)
{
	unpack_tag(u, "text");
	vt_restore(&t->vt, u);
	t->cols = unpack_u32_to(u, COLS_MAX, "columns");
	t->col = unpack_u32(u);
	t->offset = unpack_u64_to(u, INT64_MAX, "an offset");
	t->begun = unpack_u64_to(u, t->offset, "an offset");
	t->space = unpack_u64_to(u, t->offset, "an offset");
	t->has_space = unpack_bool(u);
	t->cr = unpack_bool(u);
	t->cr_at_margin = unpack_bool(u);
	restore_clip(&t->clip, u);
}

/* ---- cells ---- */

static void save_cells(const struct cells *c, struct pack *p)
{
	pack_tag(p, "cell");
	pack_u64(p, c->raw_from);
	pack_buf(p, &c->raw);
	pack_u64(p, c->from);
	pack_bytes(p, c->text, (size_t) (c->end - c->from));
	pack_u32(p, (uint32_t) (c->n - c->first));
	for (size_t i = c->first; i < c->n; i++) {
		const struct cell *v = &c->v[i];

		pack_u64(p, v->raw);
		pack_u64(p, v->text);
		pack_u16(p, v->rule);
		pack_u8(p, v->n_raw);
		pack_u8(p, v->n_text);
		pack_u8(p, v->width);
		pack_u8(p, v->flags);
	}
	pack_u32(p, (uint32_t) c->n_turns);
	for (size_t i = 0; i < c->n_turns; i++) {
		pack_u64(p, c->turns[i].text);
		pack_u64(p, c->turns[i].ahead);
	}
}

/* raw_end: of the stream's bytes. They stand behind each other in the text. */
static void restore_cell(struct cells *c, uint64_t raw_end, size_t n_rules, struct unpack *u)
{
	const struct cell *last = c->n > 0 ? &c->v[c->n - 1] : NULL;
	struct cell *v = &c->v[c->n];

	v->raw = unpack_u64_to(u, raw_end, "a character's offset");
	v->text = unpack_u64_to(u, c->end, "a character's position");
	v->rule = unpack_u16(u);
	v->n_raw = unpack_u8(u);
	v->n_text = unpack_u8_to(u, 4, "a character's bytes");
	v->width = unpack_u8_to(u, 2, "a character's width");
	v->flags = unpack_u8_to(u, FLAGS, "a character's marks");
	if (unpack_failed(u))
		return;
	if ((last && (v->raw < last->raw || v->text < last->text + last->n_text)) ||
	    v->raw + v->n_raw > raw_end || v->text + v->n_text > c->end ||
	    ((v->flags & CELL_NOTICE) && v->rule >= n_rules))
		(void) unpack_refuse(u, "characters that do not fit together");
	c->n++;
}

static void restore_turns(struct cells *c, struct unpack *u)
{
	size_t n = unpack_u32_to(u, TEXT_MAX, "turns");

	c->turns = xalloc(MAX(n, (size_t) 1) * sizeof(*c->turns));
	c->cap_turns = MAX(n, (size_t) 1);
	for (; n > 0 && !unpack_failed(u); n--) {
		c->turns[c->n_turns].text = unpack_u64(u);
		c->turns[c->n_turns++].ahead = unpack_u64(u);
	}
}

/* main: whose bytes they are. */
static void restore_cells(struct cells *c, const struct cells *main, size_t n_rules,
			  struct unpack *u)
{
	const void *text;
	size_t n;

	unpack_tag(u, "cell");
	c->raw_from = unpack_u64_to(u, INT64_MAX, "an offset");
	unpack_buf(u, &c->raw);
	c->from = c->end = unpack_u64_to(u, INT64_MAX, "a position");
	text = unpack_bytes(u, TEXT_MAX, &n);
	if (text) {
		c->cap_text = 2 * MAX(n, c->keep);
		c->text = xalloc(c->cap_text);
		memcpy(c->text, text, n);
		c->end += n;
	}
	n = unpack_u32_to(u, CELLS_MAX, "characters");
	c->v = xalloc(MAX(n, (size_t) 1) * sizeof(*c->v));
	c->cap = MAX(n, (size_t) 1);
	for (; n > 0 && !unpack_failed(u); n--)
		restore_cell(c, cells_raw_end(main), n_rules, u);
	restore_turns(c, u);
}

/* ---- matches ---- */

static void save_rule(const struct stream_rule *st, struct pack *p)
{
	pack_u64(p, st->live);
	pack_bool(p, st->found);
	pack_bool(p, st->told);
	pack_bool(p, st->noticed);
	pack_u64(p, st->from);
	pack_u64(p, st->to);
	pack_u64(p, st->counted);
	pack_u64(p, st->offset);
	pack_u64(p, st->said);
	pack_u32(p, st->shown);
}

static void restore_rule(struct stream_rule *st, const struct cells *c, struct unpack *u)
{
	st->live = unpack_u64(u);
	st->found = unpack_bool(u);
	st->told = unpack_bool(u);
	st->noticed = unpack_bool(u);
	st->from = unpack_u64(u);
	st->to = unpack_u64(u);
	st->counted = unpack_u64(u);
	st->offset = unpack_u64(u);
	st->said = unpack_u64(u);
	st->shown = unpack_u32(u);
	/* Of one that was told they mean nothing any more. */
	if (st->found && (st->from > st->to || st->to > c->end))
		(void) unpack_refuse(u, "a match that is not in the text");
}

/* What a key has made of a part of a match does not travel: it is made anew, of the text. */
static void print_anew(struct lane *l, size_t i, struct unpack *u)
{
	const struct stream *s = l->stream;
	struct stream_rule *st = &l->state[i];

	if (!st->found || !s->key || unpack_failed(u))
		return;
	if (st->from < l->cells.from) {
		(void) unpack_refuse(u, "a match that is longer than the text that is kept");
		return;
	}
	print_begin(&st->print, s->key, s->rules->v[i].policy->check == POLICY_CHECK_LUHN);
	print_add(&st->print, cells_text(&l->cells, st->from), (size_t) (st->to - st->from));
	st->printed = st->to;
}

/* ---- the texts ---- */

static void save_lane(const struct lane *l, struct pack *p)
{
	pack_tag(p, "lane");
	pack_bool(p, l->open);
	pack_u64(p, l->born);
	save_cells(&l->cells, p);
	for (size_t i = 0; i < l->stream->rules->n; i++)
		save_rule(&l->state[i], p);
	pack_bool(p, l->dropping);
	pack_bool(p, l->notice_due);
	pack_u16(p, l->drop_rule);
}

static void restore_lane(struct lane *l, struct unpack *u)
{
	const struct stream *s = l->stream;

	unpack_tag(u, "lane");
	l->open = unpack_bool(u);
	l->born = unpack_u64(u);
	restore_cells(&l->cells, &s->lanes[LANE_MAIN]->cells, s->rules->n, u);
	for (size_t i = 0; i < s->rules->n; i++) {
		restore_rule(&l->state[i], &l->cells, u);
		print_anew(l, i, u);
	}
	l->dropping = unpack_bool(u);
	l->notice_due = unpack_bool(u);
	l->drop_rule = unpack_u16(u);
	if (!unpack_failed(u) && l->drop_rule >= s->rules->n)
		(void) unpack_refuse(u, "a rule that is not there");
	/* Between two calls all text has been read. */
	l->scanned = l->checked = l->cells.end;
	l->stale = true;
}

/* ---- the stream ---- */

void stream_save(const struct stream *s, struct pack *p)
{
	save_text(&s->text, p);
	for (size_t i = 0; i < LANES; i++) {
		pack_bool(p, s->lanes[i] != NULL);
		if (s->lanes[i])
			save_lane(s->lanes[i], p);
	}
	pack_u64(p, s->deadline_ms);
	pack_u64(p, s->held_from);
}

static void restore(struct stream *s, struct unpack *u)
{
	restore_text(&s->text, u);
	for (size_t i = 0; i < LANES && !unpack_failed(u); i++) {
		if (!unpack_bool(u) && i != LANE_MAIN)
			continue;
		if (!s->lanes[i])
			s->lanes[i] = lane_new(s);
		if (!s->lanes[i]) {
			(void) unpack_refuse(u, "no memory for Vectorscan's stream");
			return;
		}
		s->lanes[i]->whole = i == LANE_CLIP;
		restore_lane(s->lanes[i], u);
	}
	s->deadline_ms = unpack_u64(u);
	s->held_from = unpack_u64(u);
	if (!unpack_failed(u) && s->text.offset != cells_raw_end(&s->lanes[LANE_MAIN]->cells))
		(void) unpack_refuse(u, "a text that is not the bytes'");
}

struct stream *stream_restore(const struct stream_spec *spec, struct unpack *u)
{
	struct stream *s = NULL;
	struct err e = ERR_NONE;

	if (unpack_failed(u))
		return NULL;
	if (stream_new(spec, &s, &e) < 0) {
		(void) unpack_refuse(u, "%s", e.msg);
		return NULL;
	}
	restore(s, u);
	if (!unpack_failed(u))
		return s;
	stream_free(s);
	return NULL;
}
