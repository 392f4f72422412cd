/*
 * carrel-registry: HTTP and TLS for carrel-image.
 *
 * carrel-image is a small static program that runs as root, and what comes from a network is parsed by neither of
 * these. So it starts this program, one for each registry, with a socket as descriptor 3; it speaks the messages of
 * images/registry_message.h. The order here: the setup is read (from the parent alone), libraries are loaded, rights
 * are dropped, then the first connection is made. It ends when the socket does.
 *
 *   socket ─► requests ─► jobs ─► libcurl ─► pipes of the requests
 *                          ▲                      │
 *                          └── timers, full pipes ┘
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "images/registry/harden.h"
#include "images/registry/job.h"
#include "version.h"

enum { CA_MAX = 4 << 20, CONNECT_SECONDS = 15 };

struct server {
	struct service service;
	struct job jobs[REGISTRY_JOBS];
	struct buf ca;
};

static int say(const struct service *s, uint32_t kind, const struct err *why, struct err *e)
{
	struct registry_answer a = { .kind = kind, .code = why ? why->code : 0 };

	if (why)
		registry_text(a.text, sizeof(a.text), why->msg, sizeof(why->msg));
	return sock_send(s->sock, &a, sizeof(a), NULL, 0, e);
}

static int take_setup(struct server *s, struct err *e)
{
	auto_free struct registry_setup *setup = xalloc(sizeof(*setup));
	auto_close int ca = -1;
	size_t n_fds = 1;
	ssize_t n = sock_recv(s->service.sock, setup, sizeof(*setup), &ca, &n_fds, e);
	int r;

	if (n <= 0)
		return n < 0 ? -1 : err_set(e, EPIPE, "no setup");
	r = registry_setup_parse(setup, (size_t) n, &s->service.setup, e);
	OPENSSL_cleanse(setup, sizeof(*setup));
	if (r == 0 && n_fds == 1)
		r = fd_read_all(ca, CA_MAX, &s->ca, e);
	return r;
}

static int prepare(struct server *s, struct err *e)
{
	if (take_setup(s, e) < 0)
		return -1;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ENOMEM, "libcurl does not start");
	if (harden(e) < 0)
		return err_wrap(e, "confine carrel-registry");
	s->service.auth.setup = &s->service.setup;
	if (http_client_init(&s->service.client, s->service.setup.scheme == REGISTRY_HTTP,
			     s->ca.data, buf_len(&s->ca), e) < 0)
		return -1;
	s->service.client.stall_s = (long) (s->service.setup.stall_ms + 999) / 1000;
	s->service.client.connect_s = CONNECT_SECONDS;
	return 0;
}

static struct job *free_job(struct server *s)
{
	for (size_t i = 0; i < REGISTRY_JOBS; i++) {
		if (!s->jobs[i].service)
			return &s->jobs[i];
	}
	return NULL;
}

static void cancel(struct server *s, uint32_t id)
{
	for (size_t i = 0; i < REGISTRY_JOBS; i++) {
		if (s->jobs[i].service && s->jobs[i].q.id == id)
			job_cancel(&s->jobs[i]);
	}
}

static void refuse(struct server *s, uint32_t id, const struct err *why)
{
	struct registry_answer a = { .kind = REGISTRY_FAILED, .id = id, .code = why->code };
	struct err ignored = ERR_NONE;

	registry_text(a.text, sizeof(a.text), why->msg, sizeof(why->msg));
	(void) sock_send(s->service.sock, &a, sizeof(a), NULL, 0, &ignored);
}

/* One message; 0: the parent is gone. */
static int take_request(struct server *s, struct err *e)
{
	struct registry_request raw, q;
	auto_close int fd = -1;
	size_t n_fds = 1;
	ssize_t n = sock_recv(s->service.sock, &raw, sizeof(raw), &fd, &n_fds, e);
	struct err why = ERR_NONE;
	struct job *j;

	if (n <= 0)
		return (int) n;
	if (registry_request_parse(&raw, (size_t) n, &q, e) < 0)
		return -1;
	if (q.op == REGISTRY_CANCEL) {
		cancel(s, q.id);
		return 1;
	}
	j = free_job(s);
	if (!j)
		(void) err_set(&why, EBUSY, "more than %d requests at once", REGISTRY_JOBS);
	if (!j || job_begin(&s->service, &q, take_fd(&fd), j, &why) < 0)
		refuse(s, q.id, &why);
	return 1;
}

static void take_ends(struct server *s)
{
	struct CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(s->service.client.multi, &left))) {
		CURLcode result = m->data.result;
		struct job *j = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void) curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &j);
		job_ended(j, result);
	}
}

/* When the next job wants to be looked at, in milliseconds from now. */
static int patience(const struct server *s, uint64_t now)
{
	uint64_t due = now + 60000;

	for (size_t i = 0; i < REGISTRY_JOBS; i++) {
		if (s->jobs[i].service)
			due = MIN(due, job_due(&s->jobs[i]));
	}
	return due > now ? (int) (due - now) : 0;
}

/* Waits; w[0] is the socket, the others the pipes that jobs wait for, whose numbers are in `of`. */
static int wait_for(struct server *s, struct curl_waitfd *w, struct job **of, unsigned *n)
{
	w[0] = (struct curl_waitfd){ .fd = s->service.sock, .events = CURL_WAIT_POLLIN };
	*n = 1;
	for (size_t i = 0; i < REGISTRY_JOBS; i++) {
		struct job *j = &s->jobs[i];

		if (!j->service || !job_wants_write(j))
			continue;
		w[*n] = (struct curl_waitfd){ .fd = j->fd, .events = CURL_WAIT_POLLOUT };
		of[(*n)++] = j;
	}
	return curl_multi_poll(s->service.client.multi, w, *n, patience(s, clock_mono_ms()),
			       NULL);
}

static void tick(struct server *s, const struct curl_waitfd *w, struct job *const *of,
		 unsigned n)
{
	const uint64_t now = clock_mono_ms();

	for (unsigned i = 1; i < n; i++) {
		if (w[i].revents && of[i]->service)
			job_tick(of[i], now, true);
	}
	for (size_t i = 0; i < REGISTRY_JOBS; i++) {
		if (s->jobs[i].service && job_due(&s->jobs[i]) <= now)
			job_tick(&s->jobs[i], now, false);
	}
}

static int serve(struct server *s, struct err *e)
{
	struct curl_waitfd w[REGISTRY_JOBS + 1];
	struct job *of[REGISTRY_JOBS + 1];
	unsigned n;
	int running, r = 1;

	while (r > 0) {
		if (curl_multi_perform(s->service.client.multi, &running) != CURLM_OK)
			return err_set(e, EIO, "libcurl gives up");
		take_ends(s);
		if (wait_for(s, w, of, &n) != CURLM_OK)
			return err_set(e, EIO, "libcurl cannot wait");
		tick(s, w, of, n);
		if (w[0].revents)
			r = take_request(s, e);
	}
	return r;
}

static int run(struct server *s)
{
	struct err e = ERR_NONE, ignored = ERR_NONE;

	if (prepare(s, &e) < 0) {
		(void) say(&s->service, REGISTRY_FAILED, &e, &ignored);
		return 1;
	}
	if (say(&s->service, REGISTRY_READY, NULL, &e) == 0 && serve(s, &e) == 0)
		return 0;
	(void) say(&s->service, REGISTRY_FAILED, &e, &ignored);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("carrel-registry version " CARREL_VERSION);
		return 0;
	}
	if (argc != 1 || fcntl(REGISTRY_SOCKET, F_SETFD, FD_CLOEXEC) < 0) {
		fputs("carrel-registry: carrel-image starts this program to speak to a registry\n",
		      stderr);
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	struct server *s = xalloc(sizeof(*s));
	s->service.sock = REGISTRY_SOCKET;
	s->ca.limit = CA_MAX + 1;
	int code = run(s);
	OPENSSL_cleanse(&s->service.setup, sizeof(s->service.setup));
	return code;
}
