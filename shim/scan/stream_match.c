#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream_internal.h"

/* ---- events ---- */

static void say(struct stream *s, size_t i)
{
	struct stream_rule *st = &s->state[i];
	struct stream_event ev = { .rule = i,
				   .action = s->rules->v[i].policy->action,
				   .direction = s->direction,
				   .offset = st->offset,
				   .characters = cells_count(&s->cells, st->from,
							     MIN(st->to, s->cells.end)),
				   .shown = st->shown };

	if (st->told)
		return;
	if (s->key)
		print_end(&st->print, s->key, ev.fingerprint);
	s->fn(s->arg, &ev);
	st->told = true;
}

void stream_say_all(struct stream *s)
{
	for (size_t i = 0; i < s->rules->n; i++) {
		if (s->state[i].found)
			say(s, i);
		s->state[i].found = false;
	}
}

void stream_say_final(struct stream *s)
{
	for (size_t i = 0; i < s->rules->n; i++) {
		struct stream_rule *st = &s->state[i];

		if (!st->found || st->live < st->to)
			continue;
		say(s, i);
		st->found = false;
	}
}

/* ---- marks ---- */

static bool is_line_feed(const struct cells *c, const struct cell *cell)
{
	return cell->n_text == 1 && *cells_text(c, cell->text) == '\n';
}

static void mask(struct stream *s, uint64_t from, uint64_t to)
{
	struct cells *c = &s->cells;

	for (size_t k = cells_find(c, from); k < c->n && c->v[k].text < to; k++)
		if (!(c->v[k].flags & CELL_GONE))
			c->v[k].flags |= CELL_MASKED;
}

static void drop_one(struct stream_rule *st, struct cell *cell, size_t rule)
{
	if (cell->n_raw == 0 || cell->flags & CELL_GONE)
		return;
	if (!st->noticed && !(cell->flags & CELL_DROPPED)) {
		cell->flags |= CELL_NOTICE;
		cell->rule = (uint16_t) rule;
	}
	st->noticed = true;
	cell->flags |= CELL_DROPPED;
}

/* The match, and of output the rest of the line that its last character is in. */
static void drop(struct stream *s, size_t i, uint64_t from, uint64_t to)
{
	struct stream_rule *st = &s->state[i];
	struct cells *c = &s->cells;
	bool rest = s->direction == POLICY_OUT && *cells_text(c, to - 1) != '\n';

	st->noticed |= s->dropping;
	for (size_t k = cells_find(c, from); k < c->n; k++) {
		struct cell *cell = &c->v[k];

		if (cell->text >= to && (!rest || is_line_feed(c, cell)))
			return;
		drop_one(st, cell, i);
	}
	if (!rest)
		return;
	s->notice_due = !st->noticed;
	st->noticed = s->dropping = true;
	s->drop_rule = (uint16_t) i;
}

/* ---- matches ---- */

static void begin(struct stream *s, size_t i, uint64_t from)
{
	struct stream_rule *st = &s->state[i];

	if (st->found)
		say(s, i);
	st->found = true;
	st->told = st->noticed = false;
	st->from = st->to = from;
	st->counted = MAX(st->counted, from);
	st->shown = 0;
	st->offset = cells_offset(&s->cells, from);
	st->printed = from;
	if (s->key)
		print_begin(&st->print, s->key,
			    s->rules->v[i].policy->check == POLICY_CHECK_LUHN);
}

/* As the match grows: its beginning may have been forgotten when it ends. */
static void print_more(struct stream *s, struct stream_rule *st)
{
	if (!s->key || st->printed >= st->to)
		return;
	print_add(&st->print, cells_text(&s->cells, st->printed),
		  (size_t) (st->to - st->printed));
	st->printed = st->to;
}

static void matched(struct stream *s, size_t i, uint64_t from, uint64_t to)
{
	enum policy_action action = s->rules->v[i].policy->action;
	struct stream_rule *st = &s->state[i];
	uint64_t shown = MIN(to, cells_unshown(&s->cells));

	if (!st->found || from >= st->to)
		begin(s, i, from);
	st->to = MAX(st->to, to);
	print_more(s, st);
	if (action != POLICY_ALERT && st->counted < shown)
		st->shown += cells_count(&s->cells, st->counted, shown);
	st->counted = MAX(st->counted, to);
	if (action == POLICY_BLOCK)
		drop(s, i, from, to);
	else if (action != POLICY_ALERT)
		mask(s, from, to);
	if (action == POLICY_KILL)
		say(s, i);
}

/* The noted ends of one rule, in their order. */
struct ends {
	uint64_t *v;
	size_t n;
};

static bool noted(const struct ends *all, uint64_t to)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (all->v[mid] < to)
			low = mid + 1;
		else
			high = mid;
	}
	return low < all->n && all->v[low] == to;
}

/* The longest of the matches at `from` that counts; 0: none. */
static uint64_t longest(const struct stream *s, size_t i, const struct ends *all, size_t from,
			const size_t *ends, size_t n_ends)
{
	const struct rule *r = &s->rules->v[i];
	const struct cells *c = &s->cells;

	if (!rules_keyword(r, c->text, from))
		return 0;
	for (size_t k = 0; k < n_ends; k++)
		if (noted(all, c->from + ends[k]) &&
		    rules_check(r, c->text + from, ends[k] - from))
			return c->from + ends[k];
	return 0;
}

static uint64_t reach_back(const struct stream *s, uint64_t to, size_t width)
{
	return MAX(to - MIN(to, (uint64_t) width), s->cells.from);
}

static size_t whole_character(const struct cells *c, size_t at, size_t n)
{
	while (at < n && (c->text[at] & 0xc0) == 0x80)
		at++;
	return at;
}

/* From the left to the right; where matches overlap, only what reaches further than those before is looked for. */
static void take_rule(struct stream *s, size_t i, const struct ends *all)
{
	const struct rule *r = &s->rules->v[i];
	struct cells *c = &s->cells;
	size_t n = (size_t) (c->end - c->from), next = 0, n_ends, found, ends[RULES_ENDS];
	size_t at = (size_t) (reach_back(s, all->v[0], r->width) - c->from);

	if (!rules_keyword_within(r, c->text, at, n))
		return;
	for (at = whole_character(c, at, n); at < n; at = whole_character(c, at, n)) {
		uint64_t to;

		if (rules_find(s->rules, i, c->text, n, at, false, &found, ends, &n_ends) !=
			    RULES_MATCH ||
		    c->from + found >= all->v[all->n - 1])
			return;
		at = found + 1;
		to = longest(s, i, all, found, ends, n_ends);
		if (to == 0)
			continue;
		matched(s, i, c->from + found, to);
		while (next < all->n && all->v[next] <= to)
			next++;
		if (next == all->n)
			return;
		at = MAX(at, (size_t) (reach_back(s, all->v[next], r->width) - c->from));
	}
}

void stream_take_ends(struct stream *s)
{
	auto_free uint64_t *room = NULL;

	if (s->n_ends == 0)
		return;
	room = xalloc(s->n_ends * sizeof(*room));
	for (size_t i = 0; i < s->rules->n; i++) {
		struct ends all = { .v = room };

		for (size_t k = 0; k < s->n_ends; k++)
			if (s->ends[k].rule == i && s->ends[k].to > s->cells.from)
				all.v[all.n++] = s->ends[k].to;
		if (all.n > 0)
			take_rule(s, i, &all);
	}
	s->n_ends = 0;
}
