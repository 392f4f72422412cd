#include "sessiond/dialer/race.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/util.h"

void race_order(struct address *list, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		size_t k = i;
		struct address next;

		while (k < n && list[k].any.sa_family == list[i - 1].any.sa_family)
			k++;
		if (k == n)
			return;
		next = list[k];
		memmove(list + i + 1, list + i, (k - i) * sizeof(*list));
		list[i] = next;
	}
}

static void name_of(const struct address *a, char *out, size_t n)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (a->any.sa_family == AF_INET6) {
		(void) inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text));
		(void) snprintf(out, n, "[%s]:%u", text, ntohs(a->v6.sin6_port));
	} else {
		(void) inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof(text));
		(void) snprintf(out, n, "%s:%u", text, ntohs(a->v4.sin_port));
	}
}

static void give_up_try(struct race_try *t)
{
	loop_io_del(&t->io);
	fd_close(&t->fd);
}

static void failed(struct race *r, size_t i, int code)
{
	char name[INET6_ADDRSTRLEN + 10];

	give_up_try(&r->tries[i]);
	r->failed++;
	name_of(&r->list[i], name, sizeof(name));
	(void) err_set(&r->err, code, "%s: %s", name, strerror(code));
}

static void on_ready(void *arg, uint32_t events);

/* 0: on its way, or an errno. */
static int begin(struct race *r, size_t i)
{
	const struct address *a = &r->list[i];
	struct race_try *t = &r->tries[i];
	struct err e = ERR_NONE;
	int on = 1;

	t->race = r;
	t->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->fd < 0)
		return errno;
	(void) setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(t->fd, &a->any,
		    a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4)) < 0 &&
	    errno != EINPROGRESS)
		return errno;
	return loop_io_add(r->loop, &t->io, t->fd, EPOLLOUT, on_ready, t, &e) < 0 ? e.code : 0;
}

/* The next one that can be begun; none, and none on its way: the end. */
static void go_on(void *arg)
{
	struct race *r = arg;

	while (r->begun < r->n) {
		size_t i = r->begun++;
		int code = begin(r, i);

		if (code == 0) {
			if (r->begun < r->n)
				loop_timer_set(r->loop, &r->next, RACE_DELAY_MS, go_on, r);
			return;
		}
		failed(r, i, code);
	}
	if (r->failed == r->n) {
		loop_timer_del(&r->next);
		r->fn(r->arg, FD_NONE, &r->err);
	}
}

static void on_ready(void *arg, uint32_t events)
{
	struct race_try *t = arg;
	struct race *r = t->race;
	socklen_t n = sizeof(int);
	int code = 0, fd;

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &code, &n) < 0)
		code = errno;
	if (code) {
		failed(r, (size_t) (t - r->tries), code);
		go_on(r);
		return;
	}
	loop_io_del(&t->io);
	fd = take_fd(&t->fd);
	race_stop(r);
	r->fn(r->arg, fd, &r->err);
}

void race_start(struct race *r, struct loop *loop, const struct address *list, size_t n,
		race_fn fn, void *arg)
{
	*r = (struct race){
		.loop = loop, .n = MIN(n, (size_t) LOOKUP_MAX), .fn = fn, .arg = arg
	};
	memcpy(r->list, list, r->n * sizeof(*list));
	race_order(r->list, r->n);
	for (size_t i = 0; i < LOOKUP_MAX; i++)
		r->tries[i].fd = FD_NONE;
	loop_timer_set(loop, &r->next, 0, go_on, r);
}

void race_stop(struct race *r)
{
	if (!r->loop)
		return;
	loop_timer_del(&r->next);
	for (size_t i = 0; i < r->begun; i++)
		give_up_try(&r->tries[i]);
}
