/*
 * Requests to a shim, each on a connection of its own, and the watch that sees it end.
 *
 * A message is a 4-byte little-endian length, a JSON object of that length, then bytes that belong to it.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/sock.h"
#include "sessiond/launch_internal.h"

enum { ANSWER_MAX = 64 * 1024, REQUEST_MAX = 128 * 1024, DEFAULT_TIMEOUT_MS = 5000 };

struct shim_call {
	struct shim_call *next;
	struct launch *launch;
	int64_t number;
	int fd;
	struct loop_io io;
	struct loop_timer timer;
	shim_answer_fn fn;
	void *arg;
};

struct shim_watch {
	int fd;
	struct loop_io io;
	shim_gone_fn gone;
	void *arg;
};

/* A shim that was stopped accepts nothing: with its queue full the answer is EAGAIN, not a loop that waits. */
static int connect_shim(struct launch *l, const char *id, struct err *e)
{
	char name[80];

	if (!launch_id_valid(id))
		return err_set(e, ENOENT, "no sandbox \"%s\"", id);
	(void) snprintf(name, sizeof(name), "%s/shim.sock", id);
	return sock_connect_at(l->sandboxes_fd, name, SOCK_SEQPACKET | SOCK_NONBLOCK, e);
}

static void call_free(struct shim_call *c)
{
	for (struct shim_call **p = &c->launch->calls; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		break;
	}
	loop_io_del(&c->io);
	loop_timer_del(&c->timer);
	fd_close(&c->fd);
	free(c);
}

static void done(struct shim_call *c, const struct json *answer, const struct err *err)
{
	shim_answer_fn fn = c->fn;
	void *arg = c->arg;

	/* First gone, then told: the callback may forget or free what this call points at. */
	call_free(c);
	fn(arg, answer, err);
}

static int refusal_code(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = { { "not_found", ENOENT },
		      { "gone", ESRCH },
		      { "limit", EUSERS },
		      { "paused", EBUSY },
		      { "invalid", EINVAL } };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(name, codes[i].name) == 0)
			return codes[i].code;
	return EIO;
}

static int parse_answer(const uint8_t *p, size_t n, struct json_doc **doc, struct err *e)
{
	uint32_t length;

	if (n == 0)
		return err_set(e, ECONNRESET, "the shim ended");
	if (n < sizeof(length))
		return err_set(e, EPROTO, "the shim's answer is too short");
	memcpy(&length, p, sizeof(length));
	length = le32toh(length);
	if (length > n - sizeof(length))
		return err_set(e, EPROTO, "the shim's answer has a wrong length");
	if (json_parse((const char *) p + sizeof(length), length, NULL, doc, e) < 0)
		return err_wrap(e, "the shim's answer");
	if (!json_bool_or(json_root(*doc), "ok", false))
		return err_set(e, refusal_code(json_str_or(json_root(*doc), "code", "")), "%s",
			       json_str_or(json_root(*doc), "error",
					   "the shim refused without a reason"));
	return 0;
}

static void on_answer(void *arg, unused_arg uint32_t events)
{
	auto_json struct json_doc *doc = NULL;
	auto_free uint8_t *block = xalloc(ANSWER_MAX);
	struct shim_call *c = arg;
	struct err e = ERR_NONE;
	size_t no_fds = 0;
	ssize_t n = sock_recv(c->fd, block, ANSWER_MAX, NULL, &no_fds, &e);

	if (n < 0 && e.code == EAGAIN)
		return;
	if (n < 0 || parse_answer(block, (size_t) n, &doc, &e) < 0)
		done(c, NULL, &e);
	else
		done(c, json_root(doc), NULL);
}

static void on_timeout(void *arg)
{
	struct err e = ERR_NONE;

	(void) err_set(&e, ETIMEDOUT, "the shim did not answer in time");
	done(arg, NULL, &e);
}

static int send_request(int fd, const struct shim_request *rq, struct err *e)
{
	auto_buf struct buf message = BUF_LIMIT(REQUEST_MAX);
	uint32_t length = htole32((uint32_t) strlen(rq->json));

	if (buf_append(&message, &length, sizeof(length), e) < 0 ||
	    buf_puts(&message, rq->json, e) < 0 ||
	    buf_append(&message, rq->tail, rq->n_tail, e) < 0)
		return -1;
	return sock_send(fd, buf_bytes(&message), buf_len(&message), &rq->fd,
			 rq->fd >= 0 ? 1 : 0, e);
}

int64_t shim_call(struct launch *l, const char *id, const struct shim_request *rq,
		  shim_answer_fn fn, void *arg, struct err *e)
{
	unsigned timeout = rq->timeout_ms ? rq->timeout_ms : DEFAULT_TIMEOUT_MS;
	auto_close int fd = connect_shim(l, id, e);
	struct shim_call *c;

	if (fd < 0 || send_request(fd, rq, e) < 0)
		return err_wrap(e, "sandbox %s", id);
	c = xalloc(sizeof(*c));
	*c = (struct shim_call){
		.launch = l, .number = ++l->next_call, .fd = take_fd(&fd), .fn = fn, .arg = arg
	};
	c->next = l->calls;
	l->calls = c;
	if (loop_io_add(l->loop, &c->io, c->fd, EPOLLIN, on_answer, c, e) < 0) {
		call_free(c);
		return -1;
	}
	if (timeout != UINT_MAX)
		loop_timer_set(l->loop, &c->timer, timeout, on_timeout, c);
	return c->number;
}

void shim_call_forget(struct launch *l, int64_t number)
{
	for (struct shim_call *c = l->calls; c; c = c->next) {
		if (c->number != number)
			continue;
		call_free(c);
		return;
	}
}

void shim_calls_end(struct launch *l)
{
	for (struct shim_call *c; (c = l->calls);) {
		l->calls = c->next;
		call_free(c);
	}
}

/* The shim never speaks on a connection that asks nothing: any event is its end. */
static void on_gone(void *arg, unused_arg uint32_t events)
{
	struct shim_watch *w = arg;

	loop_io_del(&w->io);
	fd_close(&w->fd);
	w->gone(w->arg);
}

int shim_watch_new(struct launch *l, const char *id, shim_gone_fn gone, void *arg,
		   struct shim_watch **out, struct err *e)
{
	auto_close int fd = connect_shim(l, id, e);
	struct shim_watch *w;

	if (fd < 0)
		return err_wrap(e, "sandbox %s", id);
	w = xalloc(sizeof(*w));
	*w = (struct shim_watch){ .fd = take_fd(&fd), .gone = gone, .arg = arg };
	if (loop_io_add(l->loop, &w->io, w->fd, EPOLLIN | EPOLLRDHUP, on_gone, w, e) < 0) {
		shim_watch_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void shim_watch_free(struct shim_watch *w)
{
	if (!w)
		return;
	loop_io_del(&w->io);
	fd_close(&w->fd);
	free(w);
}
