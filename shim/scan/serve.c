#include "shim/scan/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream.h"
#include "shim/scan_talk.h"

enum {
	PROCESSES = 256, /* more than the front ever has */
	OUT_LIMIT = 8 << 20,
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

static int open_channel(struct server *s, struct process *p, unsigned i, struct err *e)
{
	static const enum policy_direction directions[][2] = {
		[SCAN_IN] = { POLICY_UPLOAD, POLICY_IN },
		[SCAN_OUT] = { POLICY_OUT, POLICY_OUT },
		[SCAN_ERR] = { POLICY_OUT, POLICY_OUT },
	};
	struct channel *c = &p->channels[i];
	const struct stream_spec spec = { .rules = s->rules,
					  .direction = directions[i][p->terminal],
					  .cols = p->cols,
					  .terminal = p->terminal,
					  .key = s->key,
					  .fn = found,
					  .arg = c };

	c->server = s;
	c->process = p->number;
	c->number = i;
	return stream_new(&spec, &c->stream, e);
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

static int take(struct server *s, const struct scan_head *h, const uint8_t *body, struct err *e)
{
	struct process *p = h->process ? find(s, h->process) : NULL;

	if (h->kind == SCAN_OPEN)
		return on_open(s, h, e);
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
	uint64_t due = deadline(s), now = clock_mono_ms();
	int timeout = due == UINT64_MAX ? -1 : due > now ? (int) MIN(due - now, 60000ull) : 0;
	int r = poll(&p, 1, timeout);

	return r < 0 && errno != EINTR ? err_sys(e, "poll") : r > 0;
}

static int turn(struct server *s, void *room, struct err *e)
{
	const uint8_t *body = NULL;
	struct scan_head h;
	int r = await(s, e);

	if (r < 0 || let_go(s, clock_mono_ms(), e) < 0)
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
	const struct scan_head ready = { .kind = SCAN_READY };
	struct server *s = xalloc(sizeof(*s));
	void *room = xalloc(SCAN_ROOM);
	int r;

	*s = (struct server){
		.rules = rules, .key = key, .fd = fd, .out = BUF_LIMIT(OUT_LIMIT)
	};
	r = scan_send(fd, &ready, NULL, e) < 0 ? -1 : 1;
	while (r > 0)
		r = turn(s, room, e);
	for (size_t i = 0; i < PROCESSES; i++)
		close_process(&s->processes[i]);
	buf_fini(&s->out);
	free(room);
	free(s);
	return r;
}
