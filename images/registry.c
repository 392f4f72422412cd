#include "images/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/helper.h"
#include "base/sock.h"
#include "images/progress.h"
#include "images/sanitized.h"

enum { END_MS = 2000 };

static const char system_ca[] = "/etc/ssl/certs/ca-certificates.crt";

/* What the helper gets of our environment: how to leave the house, and where a sanitizer reports. */
static const char *const passed_on[] = {
	"http_proxy", "https_proxy", "HTTPS_PROXY",  "all_proxy",     "ALL_PROXY",
	"no_proxy",   "NO_PROXY",    "ASAN_OPTIONS", "UBSAN_OPTIONS",
};

static int start(struct registry *r, struct err *e)
{
	char *envp[ARRAY_SIZE(passed_on) + 1] = { NULL };
	auto_free char *path = helper_find("carrel-registry");
	struct child_spec spec = CHILD_SPEC_NONE;
	char *argv[] = { path, NULL };
	size_t n = 0;
	int pair[2], code;

	if (!path)
		return err_set(e, ENOENT,
			       "the program carrel-registry is neither beside carrel-image nor "
			       "in libexec/carrel: install it");
	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++) {
		const char *value = getenv(passed_on[i]);

		if (value)
			envp[n++] = xasprintf("%s=%s", passed_on[i], value);
	}
	spec.path = path;
	spec.argv = argv;
	spec.envp = envp;
	spec.stdio[2] = IMAGES_SANITIZED ? STDERR_FILENO : -1;
	spec.keep_fds = &pair[1];
	spec.n_keep_fds = 1;
	spec.parent_death_signal = SIGKILL;
	code = child_spawn(&spec, &r->child, e);
	while (n > 0)
		free(envp[--n]);
	fd_close(&pair[1]);
	r->fd = pair[0];
	return code;
}

static int find_credentials(const struct endpoint *at, const struct registry_options *o,
			    struct credentials *out, struct err *e)
{
	char host[REFERENCE_HOST + 1];

	if (o->creds && !at->mirror)
		return credentials_parse(o->creds, out, e);
	snprintf(host, sizeof(host), "%.*s", (int) strcspn(at->key, "/"), at->key);
	return credentials_find(o->authfile, host, at->repo, out, e);
}

static int open_ca(const struct endpoint *at, struct err *e)
{
	const char *path = at->ca ? at->ca : system_ca;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, "the certificates to believe: %s", path);
	return fd;
}

static int set_up(struct registry *r, const struct endpoint *at, struct err *e)
{
	const struct registry_options *o = r->options;
	auto_free struct registry_setup *s = xalloc(sizeof(*s));
	auto_free struct credentials *c = xalloc(sizeof(*c));
	auto_close int ca = -1;
	int code;

	if (find_credentials(at, o, c, e) < 0)
		return -1;
	ca = at->plain ? -1 : open_ca(at, e);
	if (!at->plain && ca < 0)
		return -1;
	s->scheme = at->plain ? REGISTRY_HTTP : REGISTRY_HTTPS;
	s->retries = o->retries;
	s->delay_ms = o->delay_ms;
	s->stall_ms = o->stall_ms;
	s->deadline_ms = o->deadline_ms;
	memcpy(s->host, at->host, sizeof(s->host));
	memcpy(s->user, c->user, sizeof(s->user));
	memcpy(s->secret, c->secret, sizeof(s->secret));
	code = sock_send(r->fd, s, sizeof(*s), &ca, ca >= 0, e);
	OPENSSL_cleanse(s, sizeof(*s));
	credentials_fini(c);
	return code;
}

static int await_ready(struct registry *r, struct err *e)
{
	struct registry_answer a;

	if (registry_recv(r, &a, e) < 0)
		return -1;
	return a.kind == REGISTRY_READY ? 0 : registry_failure(r, &a, e);
}

int registry_open(const struct endpoint *at, const struct registry_options *o,
		  struct registry *out, struct err *e)
{
	struct registry r = REGISTRY_NONE;

	r.options = o;
	r.next_id = 1;
	snprintf(r.name, sizeof(r.name), "%.*s", (int) strcspn(at->key, "/"), at->key);
	if (start(&r, e) < 0 || set_up(&r, at, e) < 0 || await_ready(&r, e) < 0) {
		registry_close(&r);
		return -1;
	}
	*out = r;
	return 0;
}

void registry_close(struct registry *r)
{
	struct child_status ignored;
	struct err why = ERR_NONE;

	fd_close(&r->fd);
	if (r->child.pidfd >= 0 && child_wait_for(&r->child, END_MS, &ignored, &why) != 1)
		child_end(&r->child);
	*r = REGISTRY_NONE;
}

int registry_send(struct registry *r, struct registry_request *q, int fd, struct err *e)
{
	q->id = r->next_id++;
	return sock_send(r->fd, q, sizeof(*q), &fd, fd >= 0, e);
}

int registry_recv(struct registry *r, struct registry_answer *out, struct err *e)
{
	struct registry_answer raw;

	for (;;) {
		ssize_t n = sock_recv(r->fd, &raw, sizeof(raw), NULL, NULL, e);

		if (n < 0 && e->code != ECONNRESET)
			return -1;
		if (n <= 0)
			return err_set(e, EPIPE, "%s: carrel-registry has ended early",
				       r->name);
		if (registry_answer_parse(&raw, (size_t) n, out, e) < 0)
			return err_wrap(e, "carrel-registry");
		if (out->kind != REGISTRY_NOTE)
			return 0;
		progress_note(r->options->progress, r->name, out->text);
	}
}

int registry_failure(const struct registry *r, const struct registry_answer *a, struct err *e)
{
	return err_set(e, a->code > 0 ? a->code : EIO, "%s: %s", r->name, a->text);
}

int registry_ask(struct registry *r, struct registry_request *q, int fd,
		 struct registry_answer *out, struct err *e)
{
	if (registry_send(r, q, fd, e) < 0)
		return -1;
	do {
		if (registry_recv(r, out, e) < 0)
			return -1;
		if (out->kind == REGISTRY_FAILED && (out->id == q->id || out->id == 0))
			return registry_failure(r, out, e);
	} while (out->id != q->id);
	return 0;
}

int registry_read(struct registry *r, struct registry_request *q, struct buf *out,
		  struct registry_answer *a, struct err *e)
{
	int pipe_fds[2], code;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	auto_close int in = pipe_fds[0];
	code = registry_send(r, q, pipe_fds[1], e);
	fd_close(&pipe_fds[1]);
	if (code < 0 || fd_read_all(in, q->size, out, e) < 0)
		return -1;
	do {
		if (registry_recv(r, a, e) < 0)
			return -1;
		if (a->kind == REGISTRY_FAILED && (a->id == q->id || a->id == 0))
			return registry_failure(r, a, e);
	} while (a->id != q->id);
	return 0;
}
