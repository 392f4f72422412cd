#include "shim/scan_renew.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "shim/scan_link.h"
#include "shim/scan_talk.h"
#include "shim/table.h"

enum { RENEW_MS = 15000 };

static void close_new(struct scan_renew *r)
{
	loop_io_del(&r->io);
	loop_timer_del(&r->timer);
	fd_close(&r->fd);
	buf_fini(&r->out);
}

void scan_renew_stop(struct scan_link *l)
{
	close_new(&l->renew);
	buf_fini(&l->renew.held);
	l->renew.state = RENEW_NONE;
}

/* ---- who goes on ---- */

/* Behind what was queued before. */
static void release(struct scan_link *l)
{
	struct buf *held = &l->renew.held;
	struct err e = ERR_NONE;

	if (buf_append(&l->queue, buf_bytes(held), buf_len(held), &e) < 0) {
		scan_link_fail(l, "the policy scanner is too far behind");
		return;
	}
	buf_fini(held);
	scan_link_watch(l);
}

static void old_goes_on(struct scan_link *l)
{
	const struct scan_head go_on = { .kind = SCAN_GO_ON };

	l->renew.state = RENEW_NONE;
	scan_link_say(l, &go_on, NULL);
	if (!l->broken)
		release(l);
}

static void abandon(struct scan_link *l, const char *why)
{
	enum renew_state was = l->renew.state;

	log_warn("policy: the scanner of before goes on: %s", why);
	close_new(&l->renew);
	l->renew.state = was == RENEW_SAVING ? RENEW_DRAINING : RENEW_NONE;
	if (was == RENEW_RESTORING)
		old_goes_on(l);
}

static void new_goes_on(struct scan_link *l, uint32_t format)
{
	struct scan_renew *r = &l->renew;
	struct err e = ERR_NONE;

	loop_io_del(&l->io);
	loop_io_del(&r->io);
	fd_close(&l->fd);
	l->fd = take_fd(&r->fd);
	l->format = format;
	close_new(r);
	r->state = RENEW_NONE;
	if (scan_link_hear(l, &e) < 0) {
		log_error("%s", e.msg);
		scan_link_fail(l, "the policy scanner cannot be waited for");
		return;
	}
	log_info("policy: the scanner is another one now");
	release(l);
}

/* ---- the new one ---- */

static void new_is_ready(struct scan_link *l, uint32_t format)
{
	const struct scan_head save = { .kind = SCAN_SAVE };

	if (l->renew.state == RENEW_RESTORING) {
		new_goes_on(l, format);
	} else if (l->renew.state != RENEW_STARTING || format == 0) {
		abandon(l, "the new one is of a version that takes nothing over");
	} else {
		scan_link_say(l, &save, NULL);
		if (!l->broken)
			l->renew.state = RENEW_SAVING;
	}
}

static void hear_new(struct scan_link *l)
{
	const uint8_t *body = NULL;
	struct err e = ERR_NONE;
	struct scan_head h;
	char why[256];
	int r = scan_recv(l->renew.fd, l->room, &h, &body, &e);

	if (r < 0 && e.code == EAGAIN)
		return;
	if (r > 0 && h.kind == SCAN_READY) {
		new_is_ready(l, h.taken);
		return;
	}
	(void) snprintf(why, sizeof(why), "the new one: %.*s",
			r > 0 && h.kind == SCAN_FAILED ? (int) h.n : 200,
			r > 0 && h.kind == SCAN_FAILED ? (const char *) body
			: r < 0			       ? e.msg
						       : "it ended before it was ready");
	abandon(l, why);
}

static void watch_new(struct scan_link *l)
{
	struct scan_renew *r = &l->renew;
	struct err e = ERR_NONE;

	if (r->io.loop &&
	    loop_io_set(&r->io, EPOLLIN | (buf_len(&r->out) > 0 ? EPOLLOUT : 0), &e) < 0)
		abandon(l, e.msg);
}

static void on_new(void *arg, uint32_t events)
{
	struct scan_link *l = arg;

	if ((events & EPOLLOUT) && scan_flush(l->renew.fd, &l->renew.out) < 0)
		abandon(l, "the new one ended");
	else if (events & ~(uint32_t) EPOLLOUT)
		hear_new(l);
	watch_new(l);
}

static void on_late(void *arg)
{
	abandon(arg, "the new one has not taken over within 15 s");
}

/* ---- the old one ---- */

bool scan_renew_state(struct scan_link *l, const struct scan_head *h, const uint8_t *body)
{
	struct scan_renew *r = &l->renew;
	struct err e = ERR_NONE;

	if (r->state == RENEW_DRAINING) {
		if (h->n == 0)
			old_goes_on(l);
		return true;
	}
	if (r->state != RENEW_SAVING)
		return false;
	if (scan_queue(&r->out, h, body, &e) < 0)
		abandon(l, e.msg);
	if (h->n == 0 && r->state == RENEW_SAVING)
		r->state = RENEW_RESTORING;
	else if (h->n == 0)
		old_goes_on(l);
	watch_new(l);
	return true;
}

/* ---- life ---- */

void scan_renew_begin(struct scan_link *l, int fd)
{
	struct scan_renew *r = &l->renew;
	struct err e = ERR_NONE;

	*r = (struct scan_renew){ .fd = fd,
				  .out = BUF_LIMIT(SCAN_QUEUE),
				  .held = BUF_LIMIT(SCAN_QUEUE) };
	if (!l->on || l->broken) {
		close_new(r);
		return;
	}
	if (l->format == 0) {
		abandon(l, "it is of a version that hands nothing over");
		return;
	}
	if (fd_set_nonblock(fd, true, &e) < 0 ||
	    loop_io_add(l->table->loop, &r->io, fd, EPOLLIN, on_new, l, &e) < 0) {
		abandon(l, e.msg);
		return;
	}
	r->state = RENEW_STARTING;
	loop_timer_set(l->table->loop, &r->timer, RENEW_MS, on_late, l);
}
