#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream_internal.h"

/* ---- events ---- */

static void say(struct lane *l, size_t i)
{
	struct stream_rule *st = &l->state[i];
	struct stream_event ev = { .rule = i,
				   .action = l->stream->rules->v[i].policy->action,
				   .direction = l->stream->direction,
				   .offset = st->offset,
				   .characters = cells_count(&l->cells, st->from,
							     MIN(st->to, l->cells.end)),
				   .shown = st->shown };

	if (st->told)
		return;
	if (l->stream->key)
		print_end(&st->print, l->stream->key, ev.fingerprint);
	l->stream->fn(l->stream->arg, &ev);
	st->told = true;
	st->said = MAX(st->said, st->to);
}

void stream_say_all(struct lane *l)
{
	for (size_t i = 0; i < l->stream->rules->n; i++) {
		if (l->state[i].found)
			say(l, i);
		l->state[i].found = false;
	}
}

void stream_say_final(struct lane *l)
{
	for (size_t i = 0; i < l->stream->rules->n; i++) {
		struct stream_rule *st = &l->state[i];

		if (!st->found || st->live < st->to)
			continue;
		say(l, i);
		st->found = false;
	}
}

/* ---- marks ---- */

static bool is_line_feed(const struct cells *c, const struct cell *cell)
{
	return cell->n_text == 1 && *cells_text(c, cell->text) == '\n';
}

static void mask(struct lane *l, uint64_t from, uint64_t to)
{
	struct cells *c = &l->cells;

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
static void drop(struct lane *l, size_t i, uint64_t from, uint64_t to)
{
	struct stream_rule *st = &l->state[i];
	struct cells *c = &l->cells;
	bool rest = l->stream->direction == POLICY_OUT && *cells_text(c, to - 1) != '\n';

	st->noticed |= l->dropping;
	for (size_t k = cells_find(c, from); k < c->n; k++) {
		struct cell *cell = &c->v[k];

		if (cell->text >= to && (!rest || is_line_feed(c, cell)))
			return;
		drop_one(st, cell, i);
	}
	if (!rest)
		return;
	l->notice_due = !st->noticed;
	st->noticed = l->dropping = true;
	l->drop_rule = (uint16_t) i;
}

/* What is for the clipboard goes nowhere when any of it matches: half of a text would be taken for the whole. */
static void drop_string(struct lane *l)
{
	struct cells *c = &l->cells;

	for (size_t k = c->first; k < c->n; k++)
		if (c->v[k].raw + c->v[k].n_raw > l->born)
			c->v[k].flags |= CELL_DROPPED;
	l->dropping = true;
}

/* ---- matches ---- */

static void begin(struct lane *l, size_t i, uint64_t from)
{
	struct stream_rule *st = &l->state[i];

	if (st->found)
		say(l, i);
	st->found = true;
	st->told = st->noticed = false;
	st->from = st->to = from;
	st->counted = MAX(st->counted, from);
	st->shown = 0;
	st->offset = cells_offset(&l->cells, from);
	st->printed = from;
	if (l->stream->key)
		print_begin(&st->print, l->stream->key,
			    l->stream->rules->v[i].policy->check == POLICY_CHECK_LUHN);
}

/* As the match grows: its beginning may have been forgotten when it ends. */
static void print_more(struct lane *l, struct stream_rule *st)
{
	if (!l->stream->key || st->printed >= st->to)
		return;
	print_add(&st->print, cells_text(&l->cells, st->printed),
		  (size_t) (st->to - st->printed));
	st->printed = st->to;
}

static void matched(struct lane *l, size_t i, uint64_t from, uint64_t to)
{
	enum policy_action action = l->stream->rules->v[i].policy->action;
	struct stream_rule *st = &l->state[i];
	uint64_t shown = MIN(to, cells_unshown(&l->cells));

	/* The end of the text says again what was said when it was taken for that. */
	if (!st->found && to <= st->said)
		return;
	if (!st->found || from >= st->to)
		begin(l, i, from);
	st->to = MAX(st->to, to);
	print_more(l, st);
	/* What was dropped has gone, too, but nowhere. */
	if (action != POLICY_ALERT && st->counted < shown && !(l->whole && l->dropping))
		st->shown += cells_count(&l->cells, st->counted, shown);
	st->counted = MAX(st->counted, to);
	if (l->whole && action != POLICY_ALERT)
		drop_string(l);
	else if (action == POLICY_BLOCK)
		drop(l, i, from, to);
	else if (action != POLICY_ALERT)
		mask(l, from, to);
	if (action == POLICY_KILL)
		say(l, i);
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
static uint64_t longest(const struct lane *l, size_t i, const struct ends *all, size_t from,
			const size_t *ends, size_t n_ends)
{
	const struct rule *r = &l->stream->rules->v[i];
	const struct cells *c = &l->cells;

	if (!rules_keyword(r, c->text, from))
		return 0;
	for (size_t k = 0; k < n_ends; k++)
		if (noted(all, c->from + ends[k]) &&
		    rules_check(r, c->text + from, ends[k] - from))
			return c->from + ends[k];
	return 0;
}

static uint64_t reach_back(const struct lane *l, uint64_t to, size_t width)
{
	return MAX(to - MIN(to, (uint64_t) width), l->cells.from);
}

static size_t whole_character(const struct cells *c, size_t at, size_t n)
{
	while (at < n && (c->text[at] & 0xc0) == 0x80)
		at++;
	return at;
}

/* From the left to the right; where matches overlap, only what reaches further than those before is looked for. */
static void take_rule(struct lane *l, size_t i, const struct ends *all)
{
	const struct rule *r = &l->stream->rules->v[i];
	struct cells *c = &l->cells;
	size_t n = (size_t) (c->end - c->from), next = 0, n_ends, found, ends[RULES_ENDS];
	size_t at = (size_t) (reach_back(l, all->v[0], r->width) - c->from);

	if (!rules_keyword_within(r, c->text, at, n))
		return;
	for (at = whole_character(c, at, n); at < n; at = whole_character(c, at, n)) {
		uint64_t to;

		if (rules_find(l->stream->rules, i, c->text, n, at, false, &found, ends,
			       &n_ends) != RULES_MATCH ||
		    c->from + found >= all->v[all->n - 1])
			return;
		at = found + 1;
		to = longest(l, i, all, found, ends, n_ends);
		if (to == 0)
			continue;
		matched(l, i, c->from + found, to);
		while (next < all->n && all->v[next] <= to)
			next++;
		if (next == all->n)
			return;
		at = MAX(at, (size_t) (reach_back(l, all->v[next], r->width) - c->from));
	}
}

void stream_take_ends(struct lane *l)
{
	auto_free uint64_t *room = NULL;

	if (l->n_ends == 0)
		return;
	room = xalloc(l->n_ends * sizeof(*room));
	for (size_t i = 0; i < l->stream->rules->n; i++) {
		struct ends all = { .v = room };

		for (size_t k = 0; k < l->n_ends; k++)
			if (l->ends[k].rule == i && l->ends[k].to > l->cells.from)
				all.v[all.n++] = l->ends[k].to;
		if (all.n > 0)
			take_rule(l, i, &all);
	}
	l->n_ends = 0;
}
