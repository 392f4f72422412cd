#include "images/registry/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "base/str.h"
#include "images/registry/upload.h"

enum { MAX_REDIRECTS = 5, MAX_REFUSALS = 2, MAX_TRIES = 100, MAX_DELAY_MS = 60000 };

static const char manifest_types[] =
	"application/vnd.oci.image.index.v1+json, "
	"application/vnd.oci.image.manifest.v1+json, "
	"application/vnd.docker.distribution.manifest.list.v2+json, "
	"application/vnd.docker.distribution.manifest.v2+json";

static void drop(char **s)
{
	free(*s);
	*s = NULL;
}

/* ---- the end ---- */

static void answer(struct job *j, struct registry_answer *a)
{
	struct err ignored = ERR_NONE;

	a->id = j->q.id;
	http_clear(&j->service->client, &j->http);
	fd_close(&j->fd);
	drop(&j->auth);
	drop(&j->token_url);
	drop(&j->token_form);
	/* Who does not read answers is gone, which the loop notices. */
	(void) sock_send(j->service->sock, a, sizeof(*a), NULL, 0, &ignored);
	j->service = NULL;
}

void job_done(struct job *j, enum registry_outcome outcome)
{
	struct registry_answer a = { .kind = REGISTRY_DONE, .outcome = outcome };

	memcpy(a.type, j->http.content_type, sizeof(a.type));
	memcpy(a.digest, j->http.digest, sizeof(a.digest));
	answer(j, &a);
}

void job_fail(struct job *j, const struct err *why)
{
	struct registry_answer a = { .kind = REGISTRY_FAILED, .code = why->code };

	registry_text(a.text, sizeof(a.text), why->msg, sizeof(why->msg));
	answer(j, &a);
}

void job_cancel(struct job *j)
{
	struct err why = ERR_NONE;

	(void) err_set(&why, ECANCELED, "cancelled");
	job_fail(j, &why);
}

/* ---- sending ---- */

static const struct {
	enum http_verb verb;
	bool resume, into_pipe;
} steps[] = {
	[JOB_MANIFEST] = { .verb = HTTP_GET },
	[JOB_BLOB] = { .verb = HTTP_GET, .resume = true, .into_pipe = true },
	[JOB_HEAD] = { .verb = HTTP_HEAD },
	[JOB_START] = { .verb = HTTP_POST },
	[JOB_SEND] = { .verb = HTTP_PUT },
	[JOB_CHUNK] = { .verb = HTTP_PATCH },
	[JOB_CLOSE] = { .verb = HTTP_PUT },
	[JOB_MANIFEST_PUT] = { .verb = HTTP_PUT },
};

static void prepare_token(struct job *j, struct http *h)
{
	h->verb = j->token_form ? HTTP_POST : HTTP_GET;
	h->url = j->token_url;
	h->form = j->token_form;
	h->type = j->token_form ? "application/x-www-form-urlencoded" : NULL;
	j->auth = j->token_form ? NULL : auth_service_header(&j->service->auth);
	h->sink.fd = -1;
	h->small_limit = HTTP_SMALL_BODY;
}

static bool at_home(const struct job *j)
{
	const struct registry_setup *s = &j->service->setup;
	char home[300];

	snprintf(home, sizeof(home), "%s://%s/", s->scheme == REGISTRY_HTTP ? "http" : "https",
		 s->host);
	return http_same_origin(home, j->url);
}

static void prepare_step(struct job *j, struct http *h)
{
	h->verb = steps[j->step].verb;
	h->url = j->url;
	h->resume = steps[j->step].resume;
	h->sink.fd = steps[j->step].into_pipe ? j->fd : -1;
	h->small_limit = j->step == JOB_MANIFEST ? j->q.size : HTTP_SMALL_BODY;
	if (at_home(j))
		j->auth = auth_header(&j->service->auth, j->scope);
	if (j->step == JOB_MANIFEST)
		h->accept = manifest_types;
	upload_prepare(j, h);
}

static void send_request(struct job *j)
{
	struct http *h = &j->http;
	struct err e = ERR_NONE;
	const struct http_sink sink = h->sink;

	http_clear(&j->service->client, h);
	drop(&j->auth);
	j->waits = false;
	*h = (struct http){ .sink = sink, .source_fd = -1 };
	if (j->asks_token)
		prepare_token(j, h);
	else
		prepare_step(j, h);
	h->auth = j->auth;
	if (http_start(&j->service->client, h, j, &e) < 0)
		job_fail(j, &e);
}

void job_go(struct job *j, enum job_step step)
{
	j->step = step;
	j->redirects = 0;
	send_request(j);
}

static int first_step(struct job *j, struct err *e)
{
	switch (j->q.op) {
	case REGISTRY_MANIFEST:
		j->step = JOB_MANIFEST;
		job_address(j, "manifests/%s", j->q.ref);
		return j->fd >= 0 ? 0 : err_set(e, EPROTO, "no pipe for a manifest");
	case REGISTRY_BLOB:
		j->step = JOB_BLOB;
		job_address(j, "blobs/%s", j->q.ref);
		return j->fd >= 0 ? 0 : err_set(e, EPROTO, "no pipe for a blob");
	case REGISTRY_HAS_BLOB:
		j->step = JOB_HEAD;
		job_address(j, "blobs/%s", j->q.ref);
		return 0;
	default:
		return upload_first(j, e);
	}
}

int job_begin(struct service *s, const struct registry_request *q, int fd, struct job *j,
	      struct err *e)
{
	*j = (struct job){ .service = s, .q = *q, .fd = fd, .mount = true };
	j->deadline_ms = clock_mono_ms() + s->setup.deadline_ms;
	j->http.sink = (struct http_sink){ .fd = -1, .limit = q->size };
	j->http.source_fd = -1;
	auth_scope(q, j->scope);
	if (first_step(j, e) < 0 || (fd >= 0 && fd_set_nonblock(fd, true, e) < 0)) {
		j->service = NULL;
		fd_close(&j->fd);
		return -1;
	}
	send_request(j);
	return 0;
}

/* ---- again ---- */

static uint64_t delay(const struct job *j)
{
	uint64_t ms = j->service->setup.delay_ms << MIN(j->attempts - 1, 16U);
	uint16_t dice;
	curl_off_t asked = 0;

	random_bytes(&dice, sizeof(dice));
	ms = MIN(ms, (uint64_t) MAX_DELAY_MS);
	ms = ms / 2 + ms * dice / (2 * 65536); /* not all at once */
	if (j->http.easy)
		(void) curl_easy_getinfo(j->http.easy, CURLINFO_RETRY_AFTER, &asked);
	return MAX(ms, (uint64_t) MAX(asked, 0) * 1000);
}

static void note(const struct job *j, const struct err *why, uint64_t ms)
{
	struct registry_answer a = { .kind = REGISTRY_NOTE, .id = j->q.id };
	struct err ignored = ERR_NONE;
	char text[600];

	snprintf(text, sizeof(text), "%.300s; again in %llu.%llu s", why->msg,
		 (unsigned long long) ms / 1000, (unsigned long long) ms % 1000 / 100);
	registry_text(a.text, sizeof(a.text), text, sizeof(text));
	(void) sock_send(j->service->sock, &a, sizeof(a), NULL, 0, &ignored);
}

void job_again(struct job *j, const struct err *why)
{
	struct err last = *why;
	uint64_t ms;

	if (j->http.sink.written > j->last_written)
		j->attempts = 0;
	j->last_written = j->http.sink.written;
	j->attempts++;
	j->tries++;
	if (j->attempts > j->service->setup.retries || j->tries > MAX_TRIES) {
		if (j->tries > 1)
			(void) err_hint(&last, "tried %u times", j->tries);
		job_fail(j, &last);
		return;
	}
	ms = delay(j);
	if (clock_mono_ms() + ms > j->deadline_ms) {
		(void) err_hint(&last, "there is no time left to try again");
		job_fail(j, &last);
		return;
	}
	note(j, why, ms);
	http_clear(&j->service->client, &j->http);
	/* From the registry itself: where a redirection led may be good for a minute only. */
	if (j->step <= JOB_HEAD)
		(void) first_step(j, &last);
	upload_rewind(j);
	j->redirects = 0;
	j->waits = true;
	j->due_ms = clock_mono_ms() + ms;
}

/* ---- what came ---- */

static void take_token(struct job *j)
{
	const struct buf *b = &j->http.small;
	struct err e = ERR_NONE;

	j->asks_token = false;
	drop(&j->token_url);
	drop(&j->token_form);
	if (j->http.status != 200) {
		(void) job_explain(j, &e);
		(void) err_wrap(&e, "the token service");
		job_fail(j, &e);
	} else if (auth_take_token(&j->service->auth, j->scope, buf_bytes(b), buf_len(b), &e) <
		   0) {
		job_fail(j, &e);
	} else {
		send_request(j);
	}
}

/* 401: a token, or the password, and once more; a token that was good may have grown old meanwhile. */
static int authenticate(struct job *j, struct err *e)
{
	struct auth *a = &j->service->auth;
	const bool had = j->auth != NULL;
	struct challenge c;

	if (++j->refusals > MAX_REFUSALS || !at_home(j))
		return job_explain(j, e);
	if (challenge_parse(j->http.challenge, &c, e) < 0)
		return -1;
	if (c.scheme == CHALLENGE_BASIC && a->setup->user[0] && !(had && a->basic)) {
		a->basic = true;
	} else if (c.scheme == CHALLENGE_BEARER) {
		auth_drop_token(a, j->scope);
		if (auth_token_request(a, &c, j->scope, &j->token_url, &j->token_form, e) < 0)
			return -1;
		j->asks_token = true;
	} else {
		return job_explain(j, e);
	}
	send_request(j);
	return 0;
}

static int redirect(struct job *j, struct err *e)
{
	char to[HTTP_URL];

	if (steps[j->step].verb != HTTP_GET && steps[j->step].verb != HTTP_HEAD)
		return err_set(e, EPROTO, "the registry wants content sent elsewhere");
	if (++j->redirects > MAX_REDIRECTS)
		return err_set(e, ELOOP, "more than %d redirections", MAX_REDIRECTS);
	if (!j->http.location[0])
		return err_set(e, EPROTO, "a redirection that leads nowhere");
	if (http_resolve(j->url, j->http.location, to, e) < 0)
		return -1;
	if (str_has_prefix(j->url, "https:") && !str_has_prefix(to, "https:"))
		return err_set(e, EPROTO,
			       "the registry leads from https to http, which is not followed");
	memcpy(j->url, to, sizeof(to));
	send_request(j);
	return 0;
}

static void flush(struct job *j);

static int succeeded(struct job *j, struct err *e)
{
	switch (j->step) {
	case JOB_MANIFEST:
		j->flushing = true;
		j->http.sink.fd = j->fd;
		flush(j);
		return 0;
	case JOB_BLOB:
		if (j->http.sink.written == j->q.size) {
			job_done(j, REGISTRY_FOUND);
			return 0;
		}
		(void) err_set(e, EIO, "it ended after %llu of %llu bytes",
			       (unsigned long long) j->http.sink.written,
			       (unsigned long long) j->q.size);
		job_again(j, e);
		return 0;
	case JOB_HEAD:
		job_done(j, REGISTRY_FOUND);
		return 0;
	default:
		return upload_went(j, e);
	}
}

static bool is_passing(long status)
{
	return status == 408 || status == 429 || status >= 500;
}

static int judge(struct job *j, struct err *e)
{
	const long status = j->http.status;

	if (is_passing(status)) {
		(void) job_explain(j, e);
		job_again(j, e);
		return 0;
	}
	if (j->asks_token) {
		take_token(j);
		return 0;
	}
	if (status == 401)
		return authenticate(j, e);
	if (status == 404 && j->step == JOB_HEAD) {
		job_done(j, REGISTRY_ABSENT);
		return 0;
	}
	if (status >= 300 && status < 400)
		return redirect(j, e);
	if (status < 200 || status > 299)
		return job_explain(j, e);
	j->refusals = 0;
	return succeeded(j, e);
}

static bool is_cut(const struct job *j, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_FAIL_REWIND:
		return true;
	default:
		return false;
	}
}

void job_ended(struct job *j, CURLcode result)
{
	struct err e = ERR_NONE;

	http_end(&j->http);
	if (result == CURLE_OK) {
		if (judge(j, &e) < 0)
			job_fail(j, &e);
		return;
	}
	(void) job_explain_curl(j, result, &e);
	if (is_cut(j, result))
		job_again(j, &e);
	else
		job_fail(j, &e);
}

/* ---- in between ---- */

/* The manifest goes out whole: what came before a cut is not mixed with what came after. */
static void flush(struct job *j)
{
	struct buf *b = &j->http.small;
	struct err e = ERR_NONE;

	while (buf_len(b) > 0) {
		ssize_t n = write(j->fd, buf_bytes(b), buf_len(b));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			(void) err_sys(&e, "write");
			job_fail(j, &e);
			return;
		}
		buf_consume(b, (size_t) n);
	}
	job_done(j, REGISTRY_FOUND);
}

bool job_wants_write(const struct job *j)
{
	return j->flushing || j->http.sink.full;
}

uint64_t job_due(const struct job *j)
{
	return j->waits ? MIN(j->due_ms, j->deadline_ms) : j->deadline_ms;
}

void job_tick(struct job *j, uint64_t now_ms, bool writable)
{
	struct err e = ERR_NONE;

	if (now_ms >= j->deadline_ms) {
		(void) err_set(&e, ETIMEDOUT, "not done in %llu s, the time it may take",
			       (unsigned long long) j->service->setup.deadline_ms / 1000);
		job_fail(j, &e);
	} else if (j->waits && now_ms >= j->due_ms) {
		send_request(j);
	} else if (writable && j->flushing) {
		flush(j);
	} else if (writable && j->http.sink.full) {
		j->http.sink.full = false;
		(void) curl_easy_pause(j->http.easy, CURLPAUSE_CONT);
	}
}
