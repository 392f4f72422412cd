#include "sessiond/dialer/dialer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sock.h"
#include "base/str.h"
#include "base/util.h"
#include "sessiond/dialer/backoff.h"
#include "sessiond/dialer/config.h"
#include "sessiond/dialer/connect.h"
#include "sessiond/dialer/lookup.h"
#include "sessiond/dialer/secrets.h"
#include "sessiond/outbound/close.h"
#include "sessiond/outbound/confine.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/transport.h"
#include "sessiond/outbound/tunnel.h"

enum { STOP_MS = 2000 };

struct dialer {
	const struct dialer_config *config;
	struct loop *loop;
	struct secrets secrets;
	struct lookup *lookup;
	struct connect *connect;
	struct tunnel *tunnel;
	struct backoff backoff;
	struct loop_timer retry, stable;
	bool stopping;
	struct err err; /* what ends it */
};

static void attempt(void *arg);

/* ---- WAITING ---- */

/* A refusal is not mended by asking often; the operators of both ends have to. */
static void wait_for(struct dialer *d, bool refused, const char *why)
{
	uint64_t random, ms;

	loop_timer_del(&d->stable);
	if (d->stopping)
		return;
	random_bytes(&random, sizeof(random));
	ms = refused ? d->config->retry_refused_ms : backoff_next(&d->backoff, random);
	if (refused)
		log_error("%s; trying again in %llu s", why, (unsigned long long) (ms / 1000));
	else
		log_warn("%s; trying again in %llu ms", why, (unsigned long long) ms);
	loop_timer_set(d->loop, &d->retry, ms, attempt, d);
}

static void on_stable(void *arg)
{
	struct dialer *d = arg;

	backoff_reset(&d->backoff);
}

/* ---- UP ---- */

/* What the relay says about its client is for the log alone. */
static void log_client(const uint8_t *meta, size_t n)
{
	static const struct json_limits limits = { MUX_META_MAX, 4, 64 };
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	if (!log_wants(LOG_LV_DEBUG))
		return;
	if (json_parse((const char *) meta, n, &limits, &doc, &e) < 0)
		log_debug("a client: %s", e.msg);
	else
		log_debug("a client: %s", json_str_or(json_root(doc), "peer", "unnamed"));
}

/* Unlike TCP this comes about at once, or there is no room in the listener's queue: EAGAIN. */
static int on_open(void *arg, const uint8_t *meta, size_t n, struct transport *out,
		   struct err *e)
{
	struct dialer *d = arg;
	int fd;

	log_client(meta, n);
	fd = sock_connect_at(AT_FDCWD, d->config->daemon, SOCK_STREAM | SOCK_NONBLOCK, e);
	if (fd < 0) {
		log_warn("daemon: %s", e->msg);
		return -1;
	}
	transport_plain(out, fd);
	return 0;
}

static int on_greeted(void *arg, const struct mux_frame *hello, struct err *e)
{
	struct dialer *d = arg;

	log_info("connected to relay %s as host %s", d->config->url.authority, d->config->host);
	loop_timer_set(d->loop, &d->stable, d->config->stable_ms, on_stable, d);
	return 0;
}

static void on_closed(void *arg, uint16_t code, const char *why)
{
	struct dialer *d = arg;
	auto_free char *text = xasprintf("relay %s: %s", d->config->url.authority, why);

	tunnel_free(take_ptr(&d->tunnel));
	wait_for(d, close_is_refusal(code), text);
}

static void on_connected(void *arg, struct transport *t, const void *early, size_t n,
			 bool refused, const struct err *e)
{
	static const struct tunnel_ops ops = { .greeted = on_greeted,
					       .connect = on_open,
					       .closed = on_closed };
	struct dialer *d = arg;
	const struct dialer_config *c = d->config;
	const struct tunnel_config config = { .host = c->host,
					      .streams = (uint32_t) c->streams,
					      .window = (uint32_t) c->window,
					      .ping_ms = c->ping_ms,
					      .dead_ms = c->dead_ms };
	struct err why = ERR_NONE;

	d->connect = NULL;
	if (!t)
		wait_for(d, refused, e->msg);
	else if (tunnel_new(d->loop, t, early, n, &config, &ops, d, &d->tunnel, &why) < 0)
		wait_for(d, false, why.msg);
}

static void attempt(void *arg)
{
	struct dialer *d = arg;

	/* It cannot be made anew with the rights that are left: whoever started us does that. */
	if (lookup_gone(d->lookup)) {
		(void) err_set(&d->err, ECHILD, "the process that looks up names has ended");
		loop_stop(d->loop);
		return;
	}
	d->connect = connect_new(d->loop, d->config, &d->secrets, d->lookup, on_connected, d);
}

/* ---- life ---- */

static void on_stop(void *arg, int sig)
{
	struct dialer *d = arg;

	log_info("stopping: %s", strsignal(sig));
	d->stopping = true;
	loop_stop(d->loop);
}

/* What a new token, certificate or password is for begins with the next connection; after a refusal that is now. */
static void on_reload(void *arg, int sig)
{
	struct dialer *d = arg;
	struct err e = ERR_NONE;

	if (secrets_load(d->config, &d->secrets, &e) < 0) {
		log_error("read again: %s; what was read before stays", e.msg);
		return;
	}
	log_info("token, certificates and passwords are read again");
	if (d->retry.loop)
		loop_timer_set(d->loop, &d->retry, 0, attempt, d);
}

/* A file that takes another's place is in the same directory, or where a link there points to. */
static char *directory_of(const char *file, bool followed)
{
	char *path = !file ? NULL : followed ? realpath(file, NULL) : xstrdup(file);
	char *slash = path ? strrchr(path, '/') : NULL;

	if (!path)
		return NULL;
	if (slash && slash > path)
		*slash = 0;
	else if (!slash)
		strcpy(path, ".");
	return path;
}

static int give_up_rights(const struct dialer_config *c, struct err *e)
{
	const char *const files[] = { c->token_file, c->proxy_auth_file, c->ca_file,
				      c->certificate, c->key };
	const char *readable[2 * ARRAY_SIZE(files) + 5] = {
		"/etc/ssl", "/etc/pki", "/usr/lib/ssl", "/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates"
	};
	const uint16_t port = c->proxied ? c->via.port : c->url.port;
	const struct confine spec = { .user = c->user,
				      .readable = readable,
				      .n_readable = ARRAY_SIZE(readable),
				      .ports = &port,
				      .n_ports = 1 };
	int r;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(files); i++)
		readable[5 + i] = directory_of(files[i / 2], i % 2 == 1);
	r = confine(&spec, e);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(files); i++)
		free((char *) readable[5 + i]);
	return r;
}

static int build(struct dialer *d, struct err *e)
{
	const struct dialer_config *c = d->config;
	const struct lookup_spec names = { .user = c->user,
					   .warm = c->proxied ? c->via.host : c->url.host };

	if (lookup_new(d->loop, &names, &d->lookup, e) < 0 ||
	    secrets_load(c, &d->secrets, e) < 0)
		return -1;
	if (loop_signal(d->loop, SIGTERM, on_stop, d, e) < 0 ||
	    loop_signal(d->loop, SIGINT, on_stop, d, e) < 0 ||
	    loop_signal(d->loop, SIGHUP, on_reload, d, e) < 0)
		return -1;
	return give_up_rights(c, e);
}

static void wind_down(struct dialer *d)
{
	uint64_t until = clock_mono_ms() + STOP_MS;
	struct err e = ERR_NONE;

	loop_timer_del(&d->retry);
	loop_timer_del(&d->stable);
	connect_cancel(d->connect);
	if (d->tunnel)
		tunnel_close(d->tunnel, CLOSE_STOPPING, "the dialer stops");
	while (d->tunnel && clock_mono_ms() < until)
		if (loop_turn(d->loop, 50, &e) < 0)
			break;
}

int dialer_run(const struct dialer_config *c, struct err *e)
{
	struct dialer d = {
		.config = c, .backoff = { .min_ms = c->retry_min_ms, .max_ms = c->retry_max_ms }
	};
	int r;

	if (loop_new(&d.loop, e) < 0)
		return -1;
	r = build(&d, e);
	if (r == 0) {
		attempt(&d);
		r = loop_run(d.loop, e);
		wind_down(&d);
		if (r == 0 && d.err.code) {
			*e = d.err;
			r = -1;
		}
	}
	lookup_free(d.lookup);
	loop_free(d.loop);
	secrets_fini(&d.secrets);
	return r;
}
