#include "shim/session_roles.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "shim/session.h"
#include "shim/session_io.h"

/* c's size is in force from here on. */
static void apply_size(struct session *s, struct client *c)
{
	struct err e = ERR_NONE;

	if (!c->want_cols)
		return;
	s->size_of = c->number;
	if (session_resize(s, c->want_cols, c->want_rows, &e) < 0)
		log_debug("client %u: %s", c->number, e.msg);
}

/* The size's owner may not have it any more. */
static void choose_size(struct session *s)
{
	struct client *best = NULL;

	for (struct client *c = s->clients; c; c = c->next) {
		if (c->role != CLIENT_WRITER || c->state != CLIENT_OPEN || !c->want_cols)
			continue;
		if (c->number == s->size_of)
			return;
		if (!best || c->active_ms > best->active_ms)
			best = c;
	}
	/* Without one it stays as it is: a terminal must have a size. */
	if (s->size_of && best)
		apply_size(s, best);
}

void session_typed(struct session *s, struct client *c)
{
	c->active_ms = clock_mono_ms();
	if (s->size_of && s->size_of != c->number)
		apply_size(s, c);
}

void session_size_wanted(struct session *s, struct client *c)
{
	c->active_ms = clock_mono_ms();
	apply_size(s, c);
}

enum client_role session_role_for(const struct session *s, const struct attach *a)
{
	if (a->role == CLIENT_WRITER && s->pen && !a->takeover)
		return CLIENT_VIEWER;
	return a->role;
}

void session_role_came(struct session *s, struct client *c, const struct attach *a)
{
	c->wants_write = a->role == CLIENT_WRITER;
	if (s->pen && c->role == CLIENT_WRITER)
		s->pen = c->number; /* by take-over; the others are being closed */
	if (a->cols) {
		c->want_cols = a->cols;
		c->want_rows = a->rows;
		c->active_ms = clock_mono_ms();
	}
	if (c->role == CLIENT_WRITER && a->cols)
		s->size_of = c->number;
}

static void free_pen(struct session *s)
{
	s->pen = 0;
	for (struct client *c = s->clients; c; c = c->next)
		client_set_role(c, c->wants_write ? CLIENT_WRITER : CLIENT_VIEWER);
	session_refresh(s); /* also from within one: some were served before they were told */
}

void session_role_went(struct session *s, const struct client *gone)
{
	if (s->pen == gone->number)
		free_pen(s);
	choose_size(s);
}

void session_take_pen(struct session *s, struct client *by, bool take)
{
	if (!take && s->pen != by->number)
		return;
	if (by->read_only) {
		log_info("client %u: may only watch, the pen stays where it is", by->number);
		return;
	}
	if (take) {
		log_info("client %u: has the pen", by->number);
		s->pen = by->number;
		for (struct client *c = s->clients; c; c = c->next)
			client_set_role(c, c == by ? CLIENT_WRITER : CLIENT_VIEWER);
	} else {
		log_info("client %u: gave the pen back", by->number);
		free_pen(s);
	}
	choose_size(s);
	session_refresh(s);
}
