/*
 * Order of a start: lock on the state directory, tiers, page, database, launcher, recovery of sandboxes,
 * sockets. Whoever connects is answered after recovery, so nobody sees a sandbox twice or not at all.
 *
 * Order of a stop: no new connections, no new sandboxes, starts cancelled, (ephemeral: sandboxes ended),
 * open replies sent or given up after STOP_MS, everything freed. Running sandboxes and their clients do
 * not notice.
 */
#include "sessiond/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/path.h"
#include "base/util.h"
#include "sessiond/audit.h"
#include "sessiond/cgroup_parent.h"
#include "sessiond/config.h"
#include "sessiond/db.h"
#include "sessiond/http.h"
#include "sessiond/keys.h"
#include "sessiond/launch.h"
#include "sessiond/listen.h"
#include "sessiond/policies.h"
#include "sessiond/recordings.h"
#include "sessiond/records.h"
#include "sessiond/renew.h"
#include "sessiond/routes.h"
#include "sessiond/sandboxes.h"
#include "sessiond/server.h"
#include "sessiond/static.h"
#include "sessiond/tickets.h"
#include "sessiond/tls.h"
#include "sessiond/tls_relay.h"
#include "sessiond/volume_sweep.h"

enum {
	LISTEN_MAX = 8,
	STOP_MS = 5000,
	STOP_EPHEMERAL_MS = 20000,
	FIRST_USE_MS = 24 * 3600 * 1000,
};

struct serve {
	struct server server;
	struct http *http[LISTEN_MAX];
	struct tls_relay *relays[LISTEN_MAX]; /* NULL: plain */
	struct listen_addr addrs[LISTEN_MAX];
	size_t n;
	struct renew *renew; /* NULL: nothing is renewed by itself */
	int lock_fd;
	bool stop;
};

/* ---- directories ---- */

static int make_dir(const char *path, struct err *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), dir = -1;

	if (root < 0)
		return err_sys(e, "/");
	dir = path_mkdirs_in(root, path, 0700, e);
	return dir < 0 ? err_wrap(e, "%s", path) : 0;
}

int serve_open_db(const struct config *c, struct db **out, struct err *e)
{
	if (make_dir(c->state_dir, e) < 0)
		return -1;
	return db_open(c->state_dir, "carrel.db", out, e);
}

/* Two daemons with one database would both adopt the same sandboxes. The lock is a process's, not flock's, which a child
 * that has not become its program yet would hold on to when this one is killed. */
static int lock_state(struct serve *s, const struct config *c, struct err *e)
{
	auto_free char *path = xasprintf("%s/lock", c->state_dir);

	if (make_dir(c->state_dir, e) < 0)
		return -1;
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_sys(e, "%s", path);
	if (fcntl(s->lock_fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK }) < 0)
		return err_set(e, errno, "%s: another carrel-sessiond serves this directory",
			       c->state_dir);
	return 0;
}

/* ---- the start ---- */

static int open_launch(struct server *server, struct err *e)
{
	const struct config *c = server->config;
	auto_free char *image = xasprintf("%s/carrel-image", c->bin_dir),
		       *shim = xasprintf("%s/carrel-shim", c->bin_dir),
		       *runtime = xasprintf("%s/carrel-runtime", c->bin_dir),
		       *init = xasprintf("%s/carrel-init", c->bin_dir),
		       *recordings = recordings_dir(c), *scanner = policies_scanner(c),
		       *policy_key = xasprintf("%s/policy.key", c->state_dir);
	struct launch_config lc = {
		.run_dir = c->run_dir,
		.store = c->store,
		.tiers = c->tiers,
		.volumes = c->volumes,
		.image = image,
		.shim = shim,
		.runtime = runtime,
		.init = init,
		.seccomp = c->seccomp,
		.cgroup = c->cgroup,
		.recordings = recordings,
		.scanner = scanner,
		.policy_key = policy_key,
		.uid_base = (uint32_t) c->uid_base,
		.uid_count = 65536,
		.uid_slots = (uint32_t) c->uid_slots,
		.ready_ms = 15000,
	};

	/* Nothing of it is asked for, or refused, where no tier has a network. */
	if (tiers_have_network(&server->tiers) &&
	    launch_network_parse(c->network, lc.uid_slots, &lc.network, e) < 0)
		return -1;
	if (make_dir(recordings, e) < 0)
		return -1;
	return launch_new(server->loop, &lc, &server->launch, e);
}

static int listen_one(struct serve *s, const char *text, struct err *e)
{
	struct listen_addr *a = &s->addrs[s->n];
	bool tls;
	int fd;

	if (s->n == LISTEN_MAX)
		return err_set(e, E2BIG, "listen: more than %d addresses", LISTEN_MAX);
	if (listen_parse(text, a, e) < 0)
		return -1;
	/* Whoever reaches a unix socket is on this machine. */
	tls = s->server.tls && !a->is_unix;
	if (!a->loopback && !tls && !s->server.config->insecure_listen)
		return err_set(
			e, EACCES,
			"listen %s: not a loopback address, and there is no TLS; give "
			"--tls-certificate and --tls-key, put a TLS proxy before a loopback "
			"address, or insist with --insecure-listen",
			text);
	fd = listen_open(a, e);
	if (fd < 0)
		return -1;
	if (!a->is_unix && !a->wildcard)
		origins_add_own(&s->server.origins, tls, a->host, a->port);
	if (http_new(s->server.loop, tls ? FD_NONE : fd, &routes_callbacks, &s->server,
		     &s->http[s->n], e) < 0)
		return -1;
	s->n++;
	return tls ? tls_relay_new(s->server.loop, fd, s->server.tls, s->http[s->n - 1],
				   &s->relays[s->n - 1], e)
		   : 0;
}

static int listen_all(struct serve *s, struct err *e)
{
	const struct config *c = s->server.config;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->origins.n; i++)
		r = origins_add(&s->server.origins, c->origins.v[i], e);
	for (size_t i = 0; r == 0 && i < c->listen.n; i++)
		r = listen_one(s, c->listen.v[i], e);
	if (r == 0 && c->listen.n == 0)
		r = listen_one(s, "127.0.0.1:7681", e);
	return r;
}

/* Also for sandboxes that were started when there were policies. */
static int open_audit(struct server *server, struct err *e)
{
	int old = records_have_policy(server->db, e);

	if (old < 0)
		return -1;
	return server->policies || old ? audit_open(server, &server->audit, e) : 0;
}

static int build(struct serve *s, struct err *e)
{
	struct server *server = &s->server;
	const struct config *c = server->config;

	if (lock_state(s, c, e) < 0 || tiers_load(c->tiers, &server->tiers, e) < 0 ||
	    policies_prepare(c, &server->tiers, &server->policies, e) < 0)
		return -1;
	if (c->tls_certificate && tls_new(c->tls_certificate, c->tls_key, &server->tls, e) < 0)
		return -1;
	if (c->web && pages_load(c->web, &server->pages, e) < 0)
		return -1;
	if (!c->web)
		log_info("no page is served: --web was not given and none lies beside the "
			 "program");
	if (serve_open_db(c, &server->db, e) < 0 || open_launch(server, e) < 0)
		return -1;
	if (open_audit(server, e) < 0)
		return -1;
	server->tickets = tickets_new();
	server->sandboxes = sandboxes_new(server);
	if (sandboxes_recover(server->sandboxes, e) < 0 || volume_sweep(server, e) < 0 ||
	    listen_all(s, e) < 0)
		return -1;
	server->ready = true;
	return 0;
}

/* For the person who started it: the strongest tier of the file, and an administrator. */
static int add_first_use(struct server *server, char key[KEY_LEN + 1], struct err *e)
{
	struct key_spec spec = {
		.user = "owner",
		.tier = server->tiers.v[server->tiers.n - 1].name,
		.admin = true,
		.first_use = true,
		.expires_ms = clock_real_ms() + FIRST_USE_MS,
	};
	char id[KEY_ID_LEN + 1];

	return key_add(server->db, &spec, key, id, e);
}

static int announce(struct serve *s, serve_ready_fn ready, struct err *e)
{
	const char *addresses[LISTEN_MAX + 1] = { 0 };
	char text[LISTEN_MAX][300], key[KEY_LEN + 1];
	bool first_use = s->server.config->first_use_key;

	for (size_t i = 0; i < s->n; i++) {
		const struct listen_addr *a = &s->addrs[i];

		if (a->is_unix)
			(void) snprintf(text[i], sizeof(text[i]), "unix:%s", a->path);
		else
			(void) snprintf(text[i], sizeof(text[i]), "%s://%s:%u",
					s->relays[i] ? "https" : "http", a->host, a->port);
		addresses[i] = text[i];
		log_info("listening on %s", text[i]);
	}
	if (first_use && add_first_use(&s->server, key, e) < 0)
		return -1;
	ready(addresses, first_use ? key : NULL);
	return 0;
}

/* A certificate that was renewed. */
static void on_hangup(void *arg, int sig)
{
	struct serve *s = arg;
	struct err e = ERR_NONE;

	if (!s->server.tls)
		log_info("SIGHUP: there is no certificate to read again");
	else if (tls_reload(s->server.tls, &e) < 0)
		log_error("%s; the certificate of before stays", e.msg);
	else
		log_info("the TLS certificate and its key were read again");
}

/* ---- the stop ---- */

static void on_signal(void *arg, int sig)
{
	struct serve *s = arg;

	log_info("stopping: %s", strsignal(sig));
	s->stop = true;
	loop_stop(s->server.loop);
}

static bool busy(const struct serve *s, bool wait_for_sandboxes)
{
	for (size_t i = 0; i < s->n; i++) {
		if (http_pending(s->http[i]))
			return true;
	}
	return wait_for_sandboxes && sandboxes_live(s->server.sandboxes) > 0;
}

static bool wind_down(struct serve *s)
{
	bool ephemeral = s->server.config->ephemeral;
	uint64_t until = clock_mono_ms() + (ephemeral ? STOP_EPHEMERAL_MS : STOP_MS);
	struct err e = ERR_NONE;

	s->server.stopping = true;
	for (size_t i = 0; i < s->n; i++) {
		if (s->relays[i])
			tls_relay_quiesce(s->relays[i]);
		http_quiesce(s->http[i]);
	}
	sandboxes_cancel_starts(s->server.sandboxes);
	if (ephemeral)
		sandboxes_end_all(s->server.sandboxes);
	while (busy(s, ephemeral) && clock_mono_ms() < until) {
		if (loop_turn(s->server.loop, 100, &e) < 0) {
			log_error("%s", e.msg);
			break;
		}
	}
	for (size_t i = 0; i < s->n; i++) {
		if (s->relays[i])
			tls_relay_flush(s->relays[i]);
	}
	if (!busy(s, ephemeral))
		return true;
	log_warn("stopped with %zu sandboxes live and requests unanswered",
		 sandboxes_live(s->server.sandboxes));
	return false;
}

/* Connections that cannot be freed in order (a handler still owes an answer) end with the process. */
static void free_all(struct serve *s, bool clean)
{
	struct server *server = &s->server;

	for (size_t i = 0; i < s->n; i++) {
		tls_relay_free(s->relays[i]);
		if (clean)
			http_free(s->http[i]);
	}
	tls_free(server->tls);
	renew_free(s->renew);
	sandboxes_free(server->sandboxes);
	launch_free(server->launch);
	tickets_free(server->tickets);
	db_close(server->db);
	pages_free(server->pages);
	tiers_fini(&server->tiers);
	origins_fini(&server->origins);
	audit_close(server->audit);
	if (clean)
		loop_free(server->loop);
	fd_close(&s->lock_fd);
}

static int run(struct serve *s, serve_ready_fn ready, struct err *e)
{
	struct loop *loop = s->server.loop;

	if (loop_signal(loop, SIGTERM, on_signal, s, e) < 0 ||
	    loop_signal(loop, SIGINT, on_signal, s, e) < 0 ||
	    loop_signal(loop, SIGHUP, on_hangup, s, e) < 0 || announce(s, ready, e) < 0)
		return -1;
	if (s->server.config->upgrade_at_start)
		s->renew = renew_new(&s->server);
	return loop_run(loop, e);
}

int serve_run(const struct config *c, serve_ready_fn ready, struct err *e)
{
	struct serve s = { .lock_fd = FD_NONE };
	bool clean = true;
	int r;

	s.server.config = c;
	if (loop_new(&s.server.loop, e) < 0)
		return -1;
	r = build(&s, e);
	if (r == 0) {
		r = run(&s, ready, e);
		clean = wind_down(&s);
		cgroup_parent_remove(c->cgroup);
	}
	free_all(&s, clean);
	return r;
}
