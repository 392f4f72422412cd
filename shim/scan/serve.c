#include "shim/scan/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream.h"
#include "shim/scan/stream_save.h"
#include "shim/scan_talk.h"

enum {
	PROCESSES = 256, /* more than the front ever has */
	OUT_LIMIT = 8 << 20,
	STATE_LIMIT = 64 << 20,
};

struct server;

struct channel {
	struct server *server;
	uint32_t process, number;
	struct stream *stream;
};

struct process {
	uint32_t number; /* 0: free */
	bool terminal;
	uint16_t cols;
	struct channel channels[SCAN_STREAMS];
};

struct server {
	const struct rules *rules;
	const struct print_key *key;
	int fd;
	struct process processes[PROCESSES];
	struct buf out;
	struct buf state; /* another one's, as it comes */
	bool saved;	  /* another one has it: nothing is let go here */
	bool failed;
	struct err why;
};

/* ---- answers ---- */

static void found(void *arg, const struct stream_event *ev)
{
	const struct channel *c = arg;
	struct server *s = c->server;
	const struct scan_head head = { .kind = SCAN_FOUND,
					.process = c->process,
					.stream = c->number,
					.n = sizeof(struct scan_found) };
	struct scan_found f = { .offset = ev->offset,
				.characters = ev->characters,
				.shown = ev->shown,
				.action = ev->action,
				.direction = ev->direction };

	(void) snprintf(f.rule, sizeof(f.rule), "%s", s->rules->v[ev->rule].policy->id);
	(void) snprintf(f.fingerprint, sizeof(f.fingerprint), "%s", ev->fingerprint);
	if (!s->failed && scan_send(s->fd, &head, &f, &s->why) < 0)
		s->failed = true;
}

/* What is in `out`, in as many messages as it takes; one at least when bytes were taken. */
static int pass(struct server *s, const struct channel *c, size_t taken, struct err *e)
{
	struct scan_head head = { .kind = SCAN_PASS,
				  .process = c->process,
				  .stream = c->number,
				  .taken = (uint32_t) taken };

	while (buf_len(&s->out) > 0 || head.taken > 0) {
		head.n = (uint32_t) MIN(buf_len(&s->out), (size_t) SCAN_BODY);
		if (scan_send(s->fd, &head, buf_bytes(&s->out), e) < 0)
			return -1;
		buf_consume(&s->out, head.n);
		head.taken = 0;
	}
	return 0;
}

/* ---- requests ---- */

static struct process *find(struct server *s, uint32_t number)
{
	for (size_t i = 0; i < PROCESSES; i++)
		if (s->processes[i].number == number)
			return &s->processes[i];
	return NULL;
}

static struct stream_spec spec_of(struct server *s, struct process *p, unsigned i)
{
	static const enum policy_direction directions[][2] = {
		[SCAN_IN] = { POLICY_UPLOAD, POLICY_IN },
		[SCAN_OUT] = { POLICY_OUT, POLICY_OUT },
		[SCAN_ERR] = { POLICY_OUT, POLICY_OUT },
	};
	struct channel *c = &p->channels[i];

	c->server = s;
	c->process = p->number;
	c->number = i;
	return (struct stream_spec){ .rules = s->rules,
				     .direction = directions[i][p->terminal],
				     .cols = p->cols,
				     .terminal = p->terminal,
				     .key = s->key,
				     .fn = found,
				     .arg = c };
}

static int open_channel(struct server *s, struct process *p, unsigned i, struct err *e)
{
	const struct stream_spec spec = spec_of(s, p, i);

	return stream_new(&spec, &p->channels[i].stream, e);
}

static int on_open(struct server *s, const struct scan_head *h, struct err *e)
{
	struct process *p = find(s, 0);

	if (!p || h->process == 0 || find(s, h->process))
		return err_set(e, EPROTO, "process %u is not to be opened", h->process);
	*p = (struct process){ .number = h->process, .terminal = h->terminal, .cols = h->cols };
	return 0;
}

static void close_process(struct process *p)
{
	for (unsigned i = 0; i < SCAN_STREAMS; i++)
		stream_free(p->channels[i].stream);
	*p = (struct process){ 0 };
}

static int on_stream(struct server *s, struct process *p, const struct scan_head *h,
		     const uint8_t *body, struct err *e)
{
	struct channel *c = &p->channels[h->stream];
	struct scan_head ended = { .kind = SCAN_ENDED,
				   .process = h->process,
				   .stream = h->stream };

	if (!c->stream && open_channel(s, p, h->stream, e) < 0)
		return -1;
	if (h->kind == SCAN_DATA) {
		if (stream_feed(c->stream, body, h->n, clock_mono_ms(), &s->out, e) < 0)
			return -1;
		return pass(s, c, h->n, e);
	}
	if (stream_finish(c->stream, &s->out, e) < 0 || pass(s, c, 0, e) < 0)
		return -1;
	return scan_send(s->fd, &ended, NULL, e);
}

static void on_size(struct process *p, const struct scan_head *h)
{
	p->cols = h->cols;
	for (unsigned i = 0; i < SCAN_STREAMS; i++)
		if (p->channels[i].stream)
			stream_resize(p->channels[i].stream, h->cols);
}

/* ---- to and from another scanner ---- */

static int send_state(void *arg, const void *p, size_t n, struct err *e)
{
	const struct server *s = arg;
	const struct scan_head head = { .kind = SCAN_STATE, .n = (uint32_t) n };

	return scan_send(s->fd, &head, p, e);
}

static void save_process(const struct process *x, struct pack *p)
{
	pack_u32(p, x->number);
	pack_bool(p, x->terminal);
	pack_u16(p, x->cols);
	for (unsigned i = 0; i < SCAN_STREAMS; i++) {
		pack_bool(p, x->channels[i].stream != NULL);
		if (x->channels[i].stream)
			stream_save(x->channels[i].stream, p);
	}
}

static int on_save(struct server *s, struct err *e)
{
	struct pack p = PACK(SCAN_BODY);
	uint32_t n = 0;
	int r;

	p.flush = send_state;
	p.arg = s;
	for (size_t i = 0; i < PROCESSES; i++)
		n += s->processes[i].number != 0;
	pack_u32(&p, SCAN_FORMAT);
	stream_rules_save(s->rules, &p);
	pack_u32(&p, n);
	for (size_t i = 0; i < PROCESSES; i++)
		if (s->processes[i].number)
			save_process(&s->processes[i], &p);
	r = pack_end(&p, e);
	pack_fini(&p);
	s->saved = true;
	return r < 0 ? -1 : send_state(s, NULL, 0, e);
}

static void restore_process(struct server *s, struct process *x, struct unpack *u)
{
	x->number = unpack_u32(u);
	x->terminal = unpack_bool(u);
	x->cols = unpack_u16(u);
	if (x->number == 0 || find(s, x->number) != x)
		(void) unpack_refuse(u, "a process that is there twice");
	for (unsigned i = 0; i < SCAN_STREAMS && !unpack_failed(u); i++) {
		const struct stream_spec spec = spec_of(s, x, i);

		if (unpack_bool(u))
			x->channels[i].stream = stream_restore(&spec, u);
	}
}

static int restore(struct server *s, struct err *e)
{
	const struct scan_head ready = { .kind = SCAN_READY, .taken = SCAN_FORMAT };
	struct unpack u = { .p = buf_bytes(&s->state), .n = buf_len(&s->state) };
	uint32_t format = unpack_u32(&u), n;

	if (format != SCAN_FORMAT)
		return err_set(e, EPROTO, "the state has format %u, where this one reads %d",
			       format, SCAN_FORMAT);
	stream_rules_check(s->rules, &u);
	n = unpack_u32_to(&u, PROCESSES, "processes");
	for (uint32_t i = 0; i < n && !unpack_failed(&u); i++)
		restore_process(s, &s->processes[i], &u);
	if (unpack_end(&u, e) < 0)
		return -1;
	buf_fini(&s->state);
	return scan_send(s->fd, &ready, NULL, e);
}

static int on_state(struct server *s, const struct scan_head *h, const uint8_t *body,
		    struct err *e)
{
	for (size_t i = 0; i < PROCESSES; i++)
		if (s->processes[i].number)
			return err_set(e, EPROTO, "a state behind what is at work already");
	return h->n > 0 ? buf_append(&s->state, body, h->n, e) : restore(s, e);
}

/* What is of no process, or of a new one. 1: it was. */
static int take_whole(struct server *s, const struct scan_head *h, const uint8_t *body,
		      struct err *e)
{
	switch (h->kind) {
	case SCAN_OPEN:
		return on_open(s, h, e) < 0 ? -1 : 1;
	case SCAN_SAVE:
		return on_save(s, e) < 0 ? -1 : 1;
	case SCAN_STATE:
		return on_state(s, h, body, e) < 0 ? -1 : 1;
	case SCAN_GO_ON:
		return 1;
	default:
		return 0;
	}
}

static int take(struct server *s, const struct scan_head *h, const uint8_t *body, struct err *e)
{
	struct process *p = h->process ? find(s, h->process) : NULL;
	int r;

	s->saved = false;
	r = take_whole(s, h, body, e);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (!p)
		return err_set(e, EPROTO, "process %u is not open", h->process);
	switch (h->kind) {
	case SCAN_DATA:
	case SCAN_END:
		return on_stream(s, p, h, body, e);
	case SCAN_SIZE:
		on_size(p, h);
		return 0;
	case SCAN_CLOSE:
		close_process(p);
		return 0;
	default:
		return err_set(e, EPROTO, "the front said %u", h->kind);
	}
}

/* ---- time ---- */

static uint64_t deadline(const struct server *s)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < PROCESSES; i++)
		for (unsigned k = 0; s->processes[i].number && k < SCAN_STREAMS; k++)
			if (s->processes[i].channels[k].stream)
				due = MIN(due,
					  stream_deadline(s->processes[i].channels[k].stream));
	return due;
}

static int let_go(struct server *s, uint64_t now_ms, struct err *e)
{
	for (size_t i = 0; i < PROCESSES; i++)
		for (unsigned k = 0; s->processes[i].number && k < SCAN_STREAMS; k++) {
			const struct channel *c = &s->processes[i].channels[k];

			if (!c->stream || stream_deadline(c->stream) > now_ms)
				continue;
			if (stream_expire(c->stream, &s->out, e) < 0 || pass(s, c, 0, e) < 0)
				return -1;
		}
	return 0;
}

/* 1: a message waits; 0: only time has passed. */
static int await(const struct server *s, struct err *e)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	uint64_t due = s->saved ? UINT64_MAX : deadline(s), now = clock_mono_ms();
	int timeout = due == UINT64_MAX ? -1 : due > now ? (int) MIN(due - now, 60000ull) : 0;
	int r = poll(&p, 1, timeout);

	return r < 0 && errno != EINTR ? err_sys(e, "poll") : r > 0;
}

static int turn(struct server *s, void *room, struct err *e)
{
	const uint8_t *body = NULL;
	struct scan_head h;
	int r = await(s, e);

	if (r < 0 || (!s->saved && let_go(s, clock_mono_ms(), e) < 0))
		return -1;
	if (r == 0)
		return 1;
	r = scan_recv(s->fd, room, &h, &body, e);
	if (r <= 0)
		return r;
	if (take(s, &h, body, e) < 0)
		return -1;
	if (s->failed) {
		*e = s->why;
		return -1;
	}
	return 1;
}

int serve_front(const struct rules *rules, const struct print_key *key, int fd, struct err *e)
{
	const struct scan_head ready = { .kind = SCAN_READY, .taken = SCAN_FORMAT };
	struct server *s = xalloc(sizeof(*s));
	void *room = xalloc(SCAN_ROOM);
	int r;

	*s = (struct server){ .rules = rules,
			      .key = key,
			      .fd = fd,
			      .out = BUF_LIMIT(OUT_LIMIT),
			      .state = BUF_LIMIT(STATE_LIMIT) };
	r = scan_send(fd, &ready, NULL, e) < 0 ? -1 : 1;
	while (r > 0)
		r = turn(s, room, e);
	for (size_t i = 0; i < PROCESSES; i++)
		close_process(&s->processes[i]);
	buf_fini(&s->out);
	buf_fini(&s->state);
	free(room);
	free(s);
	return r;
}
