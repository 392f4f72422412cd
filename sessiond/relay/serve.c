/*
 * Order of a start: hosts, certificate and key, sockets; then every right is given up; then the first client.
 * Order of a stop: no new connections, dialers are told, everything is freed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "sessiond/listen.h"
#include "sessiond/outbound/confine.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/tls.h"
#include "sessiond/relay/hosts.h"
#include "sessiond/relay/relay_internal.h"

enum { LISTEN_MAX = 8, ACCEPTS_PER_TURN = 64, PAUSE_MS = 100, STOP_MS = 2000, LEAST_MS = 10 };

struct listener {
	struct relay *relay;
	struct listen_addr addr;
	int fd;
	struct loop_io io;
	struct loop_timer pause;
};

struct service {
	struct relay relay;
	struct listener listeners[LISTEN_MAX];
	size_t n;
};

int relay_config_complete(struct relay_config *c, struct err *e)
{
	c->ping_ms = c->ping_ms ? c->ping_ms : 15000;
	c->dead_ms = c->dead_ms ? c->dead_ms : 3 * c->ping_ms;
	c->head_ms = c->head_ms ? c->head_ms : 10000;
	c->streams = c->streams ? c->streams : MUX_STREAMS_DEFAULT;
	c->window = c->window ? c->window : MUX_WINDOW_DEFAULT;
	if (!c->hosts)
		return err_set(e, EINVAL,
			       "--hosts is needed: the file with the hosts that "
			       "may dial in; `carrel-relay token` makes its lines");
	if (!c->cert != !c->key)
		return err_set(e, EINVAL, "--cert and --key: one is there without the other");
	if (c->suffix && (c->suffix[0] != '.' || !c->suffix[1]))
		return err_set(e, EINVAL, "--suffix: it begins with a dot, as .relay.example");
	if (c->streams > MUX_STREAMS_MAX)
		return err_set(e, EINVAL, "--streams: at most %d", MUX_STREAMS_MAX);
	if (c->window < MUX_WINDOW_MIN || c->window > MUX_WINDOW_MAX)
		return err_set(e, EINVAL, "--window: %d to %d bytes", MUX_WINDOW_MIN,
			       MUX_WINDOW_MAX);
	if (c->ping_ms < LEAST_MS || c->dead_ms <= c->ping_ms)
		return err_set(e, EINVAL, "--dead: it has to be longer than --ping");
	return 0;
}

/* ---- sockets ---- */

static void on_connection(void *arg, uint32_t events);

static void resume(void *arg)
{
	struct listener *l = arg;
	struct err e = ERR_NONE;

	if (loop_io_add(l->relay->loop, &l->io, l->fd, EPOLLIN, on_connection, l, &e) < 0)
		log_error("%s", e.msg);
}

/* Out of descriptors: what is open goes on, and some of it ends. */
static void pause_listener(struct listener *l, const struct err *e)
{
	log_warn("%s; no new connections for a moment", e->msg);
	loop_io_del(&l->io);
	loop_timer_set(l->relay->loop, &l->pause, PAUSE_MS, resume, l);
}

static void peer_text(int fd, char out[PEER_MAX])
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa = { 0 };
	socklen_t n = sizeof(sa);
	char host[INET6_ADDRSTRLEN] = "";

	(void) snprintf(out, PEER_MAX, "unix");
	if (getpeername(fd, &sa.any, &n) < 0)
		return;
	if (sa.any.sa_family == AF_INET &&
	    inet_ntop(AF_INET, &sa.v4.sin_addr, host, sizeof(host)))
		(void) snprintf(out, PEER_MAX, "%s:%u", host, ntohs(sa.v4.sin_port));
	if (sa.any.sa_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &sa.v6.sin6_addr, host, sizeof(host)))
		(void) snprintf(out, PEER_MAX, "[%s]:%u", host, ntohs(sa.v6.sin6_port));
}

static void on_connection(void *arg, uint32_t events)
{
	struct listener *l = arg;
	char peer[PEER_MAX];
	int on = 1;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct err e = ERR_NONE;
		int fd = sock_accept(l->fd, &e);

		if (fd < 0) {
			if (e.code != EAGAIN)
				pause_listener(l, &e);
			return;
		}
		if (!l->addr.is_unix)
			(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		peer_text(fd, peer);
		front_new(l->relay, fd, peer);
	}
}

static int listen_one(struct service *s, const char *text, struct err *e)
{
	struct listener *l = &s->listeners[s->n];
	const struct relay_config *c = s->relay.config;

	if (s->n == LISTEN_MAX)
		return err_set(e, E2BIG, "listen: more than %d addresses", LISTEN_MAX);
	if (listen_parse(text, &l->addr, e) < 0)
		return -1;
	if (!l->addr.loopback && !s->relay.tls && !c->insecure_plain)
		return err_set(e, EACCES,
			       "listen %s: not a loopback address, and there is no TLS; give "
			       "--cert and --key, put a TLS proxy before a loopback address, "
			       "or insist with --insecure-plain",
			       text);
	l->relay = &s->relay;
	l->fd = listen_open(&l->addr, e);
	if (l->fd < 0)
		return -1;
	s->n++;
	return loop_io_add(s->relay.loop, &l->io, l->fd, EPOLLIN, on_connection, l, e);
}

/* ---- signals ---- */

static void on_stop(void *arg, int sig)
{
	struct relay *r = arg;

	log_info("stopping: %s", strsignal(sig));
	loop_stop(r->loop);
}

static void on_reload(void *arg, int sig)
{
	struct relay *r = arg;
	struct ssl_ctx_st *tls = NULL;
	struct hosts *hosts = NULL;
	struct err e = ERR_NONE;

	if (hosts_load(r->config->hosts, &hosts, &e) < 0)
		log_error("%s; what was read before stays", e.msg);
	else
		relay_replace_hosts(r, hosts);
	if (!r->tls)
		return;
	if (tls_server(r->config->cert, r->config->key, &tls, &e) < 0) {
		log_error("%s; what was read before stays", e.msg);
		return;
	}
	/* Connections hold on to the one that they began with. */
	tls_free(r->tls);
	r->tls = tls;
}

/* ---- life ---- */

/* Files that are read again may have been replaced: the directory where one really lies. */
static char *directory_of(const char *file)
{
	char *path = file ? realpath(file, NULL) : NULL;

	if (path)
		*MAX(strrchr(path, '/'), path + 1) = 0;
	return path;
}

static int give_up_rights(const struct relay_config *c, struct err *e)
{
	auto_free char *hosts = directory_of(c->hosts), *cert = directory_of(c->cert),
		       *key = directory_of(c->key);
	const char *const readable[] = { hosts, cert, key, "/etc/ssl/openssl.cnf" };
	const struct confine spec = { .user = c->user,
				      .readable = readable,
				      .n_readable = ARRAY_SIZE(readable) };

	return confine(&spec, e);
}

static void announce(struct service *s, relay_ready_fn ready)
{
	const char *addresses[LISTEN_MAX + 1] = { 0 };
	char text[LISTEN_MAX][300];

	for (size_t i = 0; i < s->n; i++) {
		const struct listen_addr *a = &s->listeners[i].addr;

		if (a->is_unix)
			(void) snprintf(text[i], sizeof(text[i]), "unix:%s", a->path);
		else
			(void) snprintf(text[i], sizeof(text[i]), "%s://%s:%u",
					s->relay.tls ? "https" : "http", a->host, a->port);
		addresses[i] = text[i];
		log_info("listening on %s", text[i]);
	}
	ready(addresses);
}

static int build(struct service *s, struct err *e)
{
	struct relay *r = &s->relay;
	const struct relay_config *c = r->config;
	int result = 0;

	if (hosts_load(c->hosts, &r->hosts, e) < 0 ||
	    (c->cert && tls_server(c->cert, c->key, &r->tls, e) < 0))
		return -1;
	if (c->listen.n == 0)
		result = listen_one(s, r->tls ? "127.0.0.1:8443" : "127.0.0.1:8080", e);
	for (size_t i = 0; result == 0 && i < c->listen.n; i++)
		result = listen_one(s, c->listen.v[i], e);
	if (result < 0 || loop_signal(r->loop, SIGTERM, on_stop, r, e) < 0 ||
	    loop_signal(r->loop, SIGINT, on_stop, r, e) < 0 ||
	    loop_signal(r->loop, SIGHUP, on_reload, r, e) < 0)
		return -1;
	return give_up_rights(c, e);
}

static void wind_down(struct service *s)
{
	struct relay *r = &s->relay;
	uint64_t until = clock_mono_ms() + STOP_MS;
	struct err e = ERR_NONE;

	for (size_t i = 0; i < s->n; i++) {
		loop_io_del(&s->listeners[i].io);
		loop_timer_del(&s->listeners[i].pause);
		fd_close(&s->listeners[i].fd);
	}
	relay_close_all(r);
	/* A client that was not answered is told so, too. */
	while ((r->n_dialers || r->n_fronts) && clock_mono_ms() < until)
		if (loop_turn(r->loop, 50, &e) < 0)
			break;
	fronts_close(r);
}

int relay_run(const struct relay_config *c, relay_ready_fn ready, struct err *e)
{
	struct service s = { .relay.config = c };
	int r;

	if (loop_new(&s.relay.loop, e) < 0)
		return -1;
	r = build(&s, e);
	if (r == 0) {
		announce(&s, ready);
		r = loop_run(s.relay.loop, e);
	}
	wind_down(&s);
	loop_free(s.relay.loop);
	hosts_free(s.relay.hosts);
	tls_free(s.relay.tls);
	return r;
}
