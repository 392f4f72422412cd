#include "shim/scan_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/policy.h"
#include "base/util.h"
#include "shim/orders.h"
#include "shim/scan_talk.h"
#include "shim/session_scan.h"
#include "shim/table.h"

enum {
	READY_SECONDS = 15,
	MESSAGES_PER_TURN = 64,
	LAST_LINE = 64,
};

/* ---- the findings' file ---- */

static void note_line(struct scan_log *log, const char *line, size_t n)
{
	if (log->fd < 0)
		return;
	if (log->size + n + LAST_LINE > SCAN_LOG_BYTES) {
		log->dropped++;
		return;
	}
	/* A file that cannot be written must not keep a terminal from going on; that it was not is counted. */
	if (write(log->fd, line, n) == (ssize_t) n)
		log->size += n;
	else
		log->dropped++;
}

static void note_found(struct scan_log *log, uint32_t process, const struct scan_found *f)
{
	auto_buf struct buf text = BUF_LIMIT(1024);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);
	struct err e = ERR_NONE;

	jw_object(w, NULL);
	jw_uint(w, "at_ms", clock_real_ms());
	jw_uint(w, "process", process);
	jw_str(w, "rule", f->rule);
	jw_str(w, "action", policy_action_name((enum policy_action) f->action));
	jw_str(w, "direction", policy_direction_name((enum policy_direction) f->direction));
	jw_uint(w, "offset", f->offset);
	jw_uint(w, "characters", f->characters);
	jw_uint(w, "shown", f->shown);
	if (f->fingerprint[0])
		jw_str(w, "fingerprint", f->fingerprint);
	jw_close(w);
	if (json_writer_end(w, &e) < 0 || buf_puts(&text, "\n", &e) < 0)
		log->dropped++;
	else
		note_line(log, buf_str(&text), buf_len(&text));
}

static void note_end(struct scan_log *log)
{
	char line[LAST_LINE];
	int n = snprintf(line, sizeof(line), "{\"at_ms\":%llu,\"dropped\":%llu}\n",
			 (unsigned long long) clock_real_ms(),
			 (unsigned long long) log->dropped);

	if (log->fd >= 0 && log->dropped > 0 && write(log->fd, line, (size_t) n) != n)
		log_warn("policy.jsonl: %llu findings are not in it",
			 (unsigned long long) log->dropped);
	fd_close(&log->fd);
}

/* ---- the end ---- */

void scan_link_fail(struct scan_link *l, const char *why)
{
	struct table *t = l->table;

	if (l->broken)
		return;
	l->broken = true;
	scan_renew_stop(l);
	loop_io_del(&l->io);
	for (struct session *s = t->sessions; s; s = s->next)
		session_scan_lost(s);
	table_fail(t, why);
}

/* ---- messages in ---- */

static void found(struct scan_link *l, const struct scan_head *h, const uint8_t *body)
{
	struct session *s = table_find(l->table, h->process);
	const struct scan_found f = scan_finding(h, body);

	log_info("process %u: policy: %s: %s", h->process, f.rule,
		 policy_action_name((enum policy_action) f.action));
	note_found(&l->log, h->process, &f);
	if (f.action == POLICY_KILL)
		table_end(l->table, END_POLICY);
	else if (f.action == POLICY_BLOCK && f.direction != POLICY_OUT && s)
		session_notice_rule(s, "policy", f.rule);
}

static void take(struct scan_link *l, const struct scan_head *h, const uint8_t *body)
{
	struct session *s = table_find(l->table, h->process);

	switch (h->kind) {
	case SCAN_FOUND:
		found(l, h, body);
		break;
	case SCAN_PASS:
		if (s &&
		    !session_scan_passed(s, (enum scan_stream) h->stream, body, h->n, h->taken))
			scan_link_fail(l, "the policy scanner passed more than it was given");
		break;
	case SCAN_ENDED:
		if (s)
			session_scan_ended(s, (enum scan_stream) h->stream);
		break;
	case SCAN_STATE:
		if (!scan_renew_state(l, h, body))
			scan_link_fail(l, "the policy scanner said what it must not");
		break;
	case SCAN_FAILED:
		log_error("scanner: %.*s", (int) h->n, (const char *) body);
		scan_link_fail(l, "the policy scanner failed");
		break;
	default:
		scan_link_fail(l, "the policy scanner said what it must not");
	}
}

static void read_messages(struct scan_link *l)
{
	struct err e = ERR_NONE;
	const uint8_t *body = NULL;
	struct scan_head h;

	for (int i = 0; i < MESSAGES_PER_TURN && !l->broken; i++) {
		int r = scan_recv(l->fd, l->room, &h, &body, &e);

		if (r < 0 && e.code == EAGAIN)
			return;
		if (r > 0) {
			take(l, &h, body);
			continue;
		}
		if (r < 0)
			log_error("%s", e.msg);
		scan_link_fail(l, "the policy scanner ended; without it nothing may be shown");
	}
}

/* ---- messages out ---- */

void scan_link_watch(struct scan_link *l)
{
	uint32_t events = EPOLLIN | (buf_len(&l->queue) > 0 ? EPOLLOUT : 0);
	struct err e = ERR_NONE;

	if (!l->broken && loop_io_set(&l->io, events, &e) < 0) {
		log_error("%s", e.msg);
		scan_link_fail(l, "the policy scanner cannot be waited for");
	}
}

static void write_queue(struct scan_link *l)
{
	if (!l->broken && scan_flush(l->fd, &l->queue) < 0)
		scan_link_fail(l, "the policy scanner ended; without it nothing may be shown");
}

static void ready(void *arg, uint32_t events)
{
	struct scan_link *l = arg;

	if (events & EPOLLOUT)
		write_queue(l);
	if (events & ~(uint32_t) EPOLLOUT)
		read_messages(l);
	scan_link_watch(l);
}

void scan_link_say(struct scan_link *l, const struct scan_head *head, const void *body)
{
	struct err e = ERR_NONE;

	if (!l->on || l->broken)
		return;
	if (scan_renew_holds(&l->renew)) {
		if (scan_queue(&l->renew.held, head, body, &e) < 0)
			scan_link_fail(l, "the policy scanner is too far behind");
		return;
	}
	if (buf_len(&l->queue) == 0) {
		if (scan_send(l->fd, head, body, &e) == 0)
			return;
		if (e.code != EAGAIN) {
			scan_link_fail(
				l, "the policy scanner ended; without it nothing may be shown");
			return;
		}
	}
	if (scan_queue(&l->queue, head, body, &e) < 0) {
		log_error("%s", e.msg);
		scan_link_fail(l, "the policy scanner is too far behind");
		return;
	}
	scan_link_watch(l);
}

/* ---- life ---- */

int scan_link_await(int fd, uint32_t *format, struct err *e)
{
	const struct timeval patience = { .tv_sec = READY_SECONDS }, none = { 0 };
	auto_free void *room = xalloc(SCAN_ROOM);
	const uint8_t *body = NULL;
	struct scan_head h;
	int r;

	if (fd <= 0)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(e, "the policy scanner's socket");
	r = scan_recv(fd, room, &h, &body, e);
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none,
			  sizeof(none)); /* it is made non-blocking */
	if (r < 0 && e->code == EAGAIN)
		return err_set(e, ETIMEDOUT, "the policy scanner is not ready after %d s",
			       READY_SECONDS);
	if (r < 0)
		return -1;
	if (r == 0)
		return err_set(e, ECHILD, "the policy scanner ended before it was ready");
	if (h.kind == SCAN_FAILED)
		return err_set(e, EIO, "the policy scanner: %.*s", (int) h.n,
			       (const char *) body);
	*format = h.taken;
	return h.kind == SCAN_READY
		       ? 0
		       : err_set(e, EPROTO, "the policy scanner did not say that it is ready");
}

int scan_link_init(struct scan_link *l, struct table *t, int fd, uint32_t format, int log_fd,
		   struct err *e)
{
	*l = (struct scan_link){ .on = fd > 0,
				 .fd = fd,
				 .format = format,
				 .table = t,
				 .renew = SCAN_RENEW_NONE,
				 .queue = BUF_LIMIT(SCAN_QUEUE),
				 .log = { .fd = log_fd > 0 ? log_fd : FD_NONE } };
	/* Whoever makes a table without it would show what no scanner has seen. */
	if (!l->on && t->orders->policy.program)
		return err_set(e, EINVAL,
			       "this sandbox is under a policy, and its scanner is not there");
	if (!l->on)
		return 0;
	l->room = xalloc(SCAN_ROOM);
	if (fd_set_nonblock(fd, true, e) < 0)
		return -1;
	return loop_io_add(t->loop, &l->io, fd, EPOLLIN, ready, l, e);
}

void scan_link_fini(struct scan_link *l)
{
	if (!l->on)
		return;
	scan_renew_stop(l);
	loop_io_del(&l->io);
	fd_close(&l->fd);
	note_end(&l->log);
	buf_fini(&l->queue);
	free(l->room);
	*l = (struct scan_link){ .fd = FD_NONE };
}

/* ---- hand-over ---- */

void scan_link_save(const struct scan_link *l, struct pack *p)
{
	pack_tag(p, "scan");
	pack_bool(p, l->on);
	if (!l->on)
		return;
	pack_fd(p, l->fd);
	pack_buf(p, &l->queue);
	pack_fd(p, l->log.fd);
	pack_u64(p, l->log.size);
	pack_u64(p, l->log.dropped);
	pack_u32(p, l->format);
}

/* Whole messages, each behind its length. */
static void check_queue(const struct buf *queue, struct unpack *u)
{
	const uint8_t *p = buf_bytes(queue);
	size_t left = buf_len(queue);
	uint32_t n;

	while (left > 0 && !unpack_failed(u)) {
		if (left >= sizeof(n))
			memcpy(&n, p, sizeof(n));
		if (left < sizeof(n) || n == 0 || n > left - sizeof(n)) {
			(void) unpack_refuse(u, "half of a message to the policy scanner");
			return;
		}
		p += sizeof(n) + n;
		left -= sizeof(n) + n;
	}
}

void scan_link_restore(struct scan_link *l, struct table *t, bool on, struct unpack *u)
{
	unpack_tag(u, "scan");
	*l = (struct scan_link){ .fd = FD_NONE,
				 .table = t,
				 .renew = SCAN_RENEW_NONE,
				 .queue = BUF_LIMIT(SCAN_QUEUE),
				 .log = { .fd = FD_NONE } };
	if (unpack_bool(u) != on)
		(void) unpack_refuse(u, "a policy that is not the orders'");
	if (unpack_failed(u) || !on)
		return;
	l->on = true;
	l->room = xalloc(SCAN_ROOM);
	l->fd = unpack_fd(u);
	unpack_buf(u, &l->queue);
	check_queue(&l->queue, u);
	l->log.fd = unpack_fd(u);
	l->log.size = unpack_u64(u);
	l->log.dropped = unpack_u64(u);
	/* Those of format 1 hand nothing over. */
	l->format = u->format >= 2 ? unpack_u32(u) : 0;
}

int scan_link_hear(struct scan_link *l, struct err *e)
{
	return loop_io_add(l->table->loop, &l->io, l->fd,
			   EPOLLIN | (buf_len(&l->queue) > 0 ? EPOLLOUT : 0), ready, l, e);
}

int scan_link_go_on(struct scan_link *l, struct err *e)
{
	return l->on ? scan_link_hear(l, e) : 0;
}
