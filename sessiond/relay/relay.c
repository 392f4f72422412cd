#include "sessiond/relay/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "sessiond/outbound/close.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/tunnel.h"
#include "sessiond/relay/answer.h"
#include "sessiond/relay/call.h"
#include "sessiond/relay/hosts.h"
#include "sessiond/relay/relay_internal.h"

enum { LINGER_MS = 30000 };

struct dialer {
	struct relay *relay;
	char host[MUX_HOST_MAX + 1];
	char peer[PEER_MAX];
	struct tunnel *tunnel;
	bool named; /* in the table: its HELLO came, and it is its host's newest */
	struct dialer *next;
};

/* ---- the table of hosts ---- */

static struct dialer **bucket(struct relay *r, const char *host)
{
	uint32_t sum = 2166136261U;

	for (; *host; host++)
		sum = (sum ^ (uint8_t) *host) * 16777619U;
	return &r->dialers[sum % DIALERS];
}

static struct dialer *find(struct relay *r, const char *host)
{
	struct dialer *d = *bucket(r, host);

	while (d && strcmp(d->host, host) != 0)
		d = d->next;
	return d;
}

static struct dialer **list_of(struct dialer *d)
{
	return d->named ? bucket(d->relay, d->host) : &d->relay->unnamed;
}

static void move(struct dialer *d, bool named)
{
	struct dialer **at = list_of(d);

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	d->named = named;
	at = list_of(d);
	d->next = *at;
	*at = d;
}

/* ---- a dialer ---- */

static int on_greeted(void *arg, const struct mux_frame *hello, struct err *e)
{
	struct dialer *d = arg, *old = find(d->relay, d->host);

	if (strcmp(hello->hello.host, d->host) != 0)
		return err_set(e, EPROTO, "HELLO: of another host than its token");
	/* Who dials in again is behind a new connection; the old one may be dead without anybody having noticed. */
	if (old) {
		log_info("host %s: %s takes the place of %s", d->host, d->peer, old->peer);
		move(old, false);
		tunnel_close(old->tunnel, CLOSE_REPLACED, "another dialer of this host came");
	}
	move(d, true);
	log_info("host %s: connected from %s", d->host, d->peer);
	return 0;
}

static void on_unanswered(void *arg, struct transport *t, uint16_t code)
{
	struct dialer *d = arg;
	auto_buf struct buf text = BUF_LIMIT(ANSWER_MAX);

	if (code == MUX_CODE_BUSY)
		answer_problem(&text, 503, "the host has too many connections open already");
	else
		answer_problem(&text, 502, "the host gave no answer");
	front_answer(d->relay, t, "client", &text);
}

static void on_closed(void *arg, uint16_t code, const char *why)
{
	struct dialer *d = arg, **at = list_of(d);

	log_info("host %s: %s is gone: %s", d->host, d->peer, why);
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	d->relay->n_dialers--;
	tunnel_free(d->tunnel);
	free(d);
}

void relay_dialed(struct relay *r, const char *host, struct transport *t, const void *early,
		  size_t n, const char *peer)
{
	static const struct tunnel_ops ops = { .greeted = on_greeted,
					       .unanswered = on_unanswered,
					       .closed = on_closed };
	const struct tunnel_config config = { .relay = true,
					      .streams = (uint32_t) r->config->streams,
					      .window = (uint32_t) r->config->window,
					      .ping_ms = r->config->ping_ms,
					      .dead_ms = r->config->dead_ms,
					      .linger_ms = LINGER_MS };
	struct dialer *d = xalloc(sizeof(*d));
	struct err e = ERR_NONE;

	d->relay = r;
	(void) snprintf(d->host, sizeof(d->host), "%s", host);
	(void) snprintf(d->peer, sizeof(d->peer), "%s", peer);
	if (tunnel_new(r->loop, t, early, n, &config, &ops, d, &d->tunnel, &e) < 0) {
		log_warn("host %s: %s", host, e.msg);
		free(d);
		return;
	}
	d->next = r->unnamed;
	r->unnamed = d;
	r->n_dialers++;
}

static int write_meta(struct buf *out, const char *peer, bool tls, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "peer", peer);
	jw_str(w, "proto", tls ? "https" : "http");
	jw_close(w);
	return json_writer_end(w, e);
}

int relay_pass(struct relay *r, const struct call *c, struct transport *t, const void *head,
	       size_t n, const char *peer, struct err *e)
{
	auto_buf struct buf meta = BUF_LIMIT(MUX_META_MAX);
	struct dialer *d = find(r, c->host);
	int on = 1;

	/* The same words for one that does not exist: who may know which do? */
	if (!d)
		return err_set(e, ENOTCONN, "the host is not connected");
	if (write_meta(&meta, peer, r->tls != NULL, e) < 0)
		return -1;
	(void) setsockopt(t->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	return tunnel_open(d->tunnel, t, buf_str(&meta), head, n, c->body, e);
}

/* ---- all of them ---- */

static void each(struct relay *r, void (*fn)(struct dialer *d, void *arg), void *arg)
{
	struct dialer *next;

	for (size_t i = 0; i <= DIALERS; i++) {
		for (struct dialer *d = i < DIALERS ? r->dialers[i] : r->unnamed; d; d = next) {
			next = d->next;
			fn(d, arg);
		}
	}
}

static void check_host(struct dialer *d, void *arg)
{
	if (!hosts_same(d->relay->hosts, arg, d->host))
		tunnel_close(d->tunnel, CLOSE_REFUSED,
			     "this host's token is not valid any more");
}

void relay_replace_hosts(struct relay *r, struct hosts *hosts)
{
	each(r, check_host, hosts);
	hosts_free(r->hosts);
	r->hosts = hosts;
	log_info("%zu hosts may dial in", hosts_count(hosts));
}

static void close_one(struct dialer *d, void *arg)
{
	tunnel_close(d->tunnel, CLOSE_STOPPING, "the relay stops");
}

void relay_close_all(struct relay *r)
{
	each(r, close_one, NULL);
}
