#include "sessiond/routes.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "sessiond/api.h"
#include "sessiond/auth.h"
#include "sessiond/http.h"
#include "sessiond/problem.h"
#include "sessiond/request.h"
#include "sessiond/server.h"
#include "sessiond/static.h"

/* clang-format off */
static const struct route table[] = {
	{ "GET",    "/healthz",			   ROUTE_OPEN,	 0,		    api_healthz },
	{ "GET",    "/readyz",			   ROUTE_OPEN,	 0,		    api_readyz },
	{ "GET",    "/metrics",			   ROUTE_ADMIN,	 0,		    api_metrics },
	{ "POST",   "/v1/session",		   ROUTE_OPEN,	 ROUTE_BODY, api_session_create },
	{ "DELETE", "/v1/session",		   ROUTE_USER,	 0,		    api_session_delete },
	{ "GET",    "/v1/me",			   ROUTE_USER,	 0,		    api_me },
	{ "POST",   "/v1/keys",			   ROUTE_ADMIN,	 ROUTE_BODY,	    api_key_create },
	{ "GET",    "/v1/keys",			   ROUTE_ADMIN,	 0,		    api_key_list },
	{ "DELETE", "/v1/keys/{id}",		   ROUTE_ADMIN,	 0,		    api_key_delete },
	{ "POST",   "/v1/sandboxes",		   ROUTE_USER,	 ROUTE_BODY,	    api_sandbox_create },
	{ "GET",    "/v1/sandboxes",		   ROUTE_USER,	 0,		    api_sandbox_list },
	{ "GET",    "/v1/sandboxes/{id}",	   ROUTE_USER,	 0,		    api_sandbox_get },
	{ "DELETE", "/v1/sandboxes/{id}",	   ROUTE_USER,	 0,		    api_sandbox_delete },
	{ "GET",    "/v1/volumes",		   ROUTE_USER,	 0,		    api_volume_list },
	{ "GET",    "/v1/volumes/{id}",		   ROUTE_USER,	 0,		    api_volume_get },
	{ "DELETE", "/v1/volumes/{id}",		   ROUTE_USER,	 0,		    api_volume_delete },
	{ "POST",   "/v1/sandboxes/{id}/tickets",  ROUTE_USER,	 ROUTE_BODY,	    api_ticket_create },
	{ "POST",   "/v1/sandboxes/{id}/resize",   ROUTE_USER,	 ROUTE_BODY,	    api_sandbox_resize },
	{ "POST",   "/v1/sandboxes/{id}/exec",	   ROUTE_USER,	 ROUTE_BODY,	    api_sandbox_exec },
	{ "POST",   "/v1/sandboxes/{id}/pause",	   ROUTE_USER,	 ROUTE_BODY,	    api_sandbox_pause },
	{ "POST",   "/v1/sandboxes/{id}/resume",   ROUTE_USER,	 ROUTE_BODY,	    api_sandbox_resume },
	{ "POST",   "/v1/sandboxes/{id}/extend",   ROUTE_USER,	 ROUTE_BODY,	    api_sandbox_extend },
	{ "POST",   "/v1/sandboxes/{id}/upgrade",  ROUTE_ADMIN,	 ROUTE_BODY,	    api_sandbox_upgrade },
	{ "POST",   "/v1/sandboxes/{id}/terminals", ROUTE_USER,	 ROUTE_BODY,	    api_terminal_create },
	{ "GET",    "/v1/sandboxes/{id}/terminals", ROUTE_USER,	 0,		    api_terminal_list },
	{ "GET",    "/v1/sandboxes/{id}/terminals/{n}", ROUTE_USER, 0,		    api_terminal_get },
	{ "DELETE", "/v1/sandboxes/{id}/terminals/{n}", ROUTE_USER, 0,		    api_terminal_delete },
	{ "GET",    "/v1/sandboxes/{id}/terminal", ROUTE_TICKET, ROUTE_SOCKET,	    api_terminal },
	{ "GET",    "/v1/sandboxes/{id}/recording", ROUTE_USER,	 0,		    api_recording_get },
	{ "GET",    "/",			   ROUTE_OPEN,	 0,		    static_index },
	{ "GET",    "/{id}",			   ROUTE_OPEN,	 0,		    static_file },
	{ "GET",    "/assets/{id}",		   ROUTE_OPEN,	 0,		    static_file },
};
/* clang-format on */

const struct route *routes_all(size_t *n)
{
	*n = ARRAY_SIZE(table);
	return table;
}

static bool matches(const char *pattern, const struct target *t, const char **param)
{
	size_t i = 0;

	*param = NULL;
	for (pattern++; *pattern; i++) {
		size_t n = strcspn(pattern, "/");

		if (i == t->n_segments)
			return false;
		if (strncmp(pattern, "{id}", n) == 0)
			*param = t->segments[i];
		else if (strncmp(pattern, "{n}", n) == 0)
			; /* its handler reads it */
		else if (strlen(t->segments[i]) != n || memcmp(pattern, t->segments[i], n) != 0)
			return false;
		pattern += n + (pattern[n] == '/');
	}
	return i == t->n_segments;
}

enum route_result route_find(const char *method, const struct target *t,
			     const struct route **route, const char **param, char allow[64])
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	size_t n = 0;

	allow[0] = 0;
	for (const struct route *r = table; r < table + ARRAY_SIZE(table); r++) {
		if (!matches(r->pattern, t, param))
			continue;
		if (strcmp(r->method, wanted) == 0) {
			*route = r;
			return ROUTE_FOUND;
		}
		n += (size_t) snprintf(allow + n, 64 - n, "%s%s", n ? ", " : "", r->method);
	}
	return n ? ROUTE_OTHER_METHOD : ROUTE_NONE;
}

/* ---- what is checked of every request ---- */

struct seen {
	unsigned host, length, encoding, origin, authorization, key, version;
	bool bad;
};

/* A header that decides something stands once, or two readers may believe two different ones. */
static enum MHD_Result count_header(void *arg, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct seen *s = arg;
	const struct {
		const char *name;
		unsigned *count;
	} once[] = {
		{ "Host", &s->host },
		{ "Content-Length", &s->length },
		{ "Transfer-Encoding", &s->encoding },
		{ "Origin", &s->origin },
		{ "Authorization", &s->authorization },
		{ "Sec-WebSocket-Key", &s->key },
		{ "Sec-WebSocket-Version", &s->version },
	};

	for (size_t i = 0; i < ARRAY_SIZE(once); i++) {
		if (strcasecmp(name, once[i].name) == 0 && ++*once[i].count > 1)
			s->bad = true;
	}
	return MHD_YES;
}

static bool check_headers(struct request *rq)
{
	const char *length = request_header(rq, "Content-Length");
	struct err e = ERR_NONE;
	struct seen seen = { 0 };
	uint64_t n = 0;

	(void) MHD_get_connection_values(rq->conn, MHD_HEADER_KIND, count_header, &seen);
	if (seen.bad)
		problem_reply(rq, PROBLEM_BAD_REQUEST,
			      "a header that may stand once stands twice");
	else if (seen.encoding)
		problem_reply(rq, PROBLEM_LENGTH_REQUIRED,
			      "Transfer-Encoding is not accepted; send a Content-Length");
	else if (length && str_to_u64(length, UINT64_MAX, "Content-Length", &n, &e) < 0)
		problem_reply(rq, PROBLEM_BAD_REQUEST, "%s", e.msg);
	else if (n > REQUEST_BODY_MAX)
		problem_reply(rq, PROBLEM_TOO_LARGE, "the body has %llu bytes; the limit is %d",
			      (unsigned long long) n, REQUEST_BODY_MAX);
	else if (n && !(rq->route->flags & ROUTE_BODY))
		problem_reply(rq, PROBLEM_BAD_REQUEST, "this request takes no body");
	return rq->reply.status == 0;
}

/* Addresses are logged, kept in histories and sent on as referrers. */
static bool check_secrets(struct request *rq)
{
	static const char *const names[] = {
		"key",	  "api_key",	  "apikey", "token",
		"ticket", "access_token", "auth",   "authorization"
	};
	bool bad = strstr(rq->target.path, "crl_") || strstr(rq->target.path, "crs_");

	for (size_t i = 0; i < rq->target.n_query; i++) {
		const struct target_pair *q = &rq->target.query[i];

		bad |= strstr(q->value, "crl_") || strstr(q->value, "crs_");
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			bad |= strcasecmp(q->name, names[k]) == 0;
	}
	if (bad) {
		/* And it is not to reach our own log either. */
		(void) snprintf(rq->target.path, sizeof(rq->target.path), "/-");
		problem_reply(rq, PROBLEM_KEY_IN_URL,
			      "a key, token or ticket goes into a header, never into the "
			      "address; replace this one if it is in use");
	}
	return !bad;
}

static bool find_route(struct request *rq)
{
	char allow[64];

	switch (route_find(rq->method, &rq->target, &rq->route, &rq->param, allow)) {
	case ROUTE_FOUND:
		return true;
	case ROUTE_NONE:
		problem_reply(rq, PROBLEM_NOT_FOUND, "no such path");
		return false;
	case ROUTE_OTHER_METHOD:
		problem_reply(rq, PROBLEM_METHOD, "this path takes %s", allow);
		reply_header(rq, "Allow", allow);
		return false;
	}
	return false;
}

static void take_request_id(struct request *rq)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
	const char *id = request_header(rq, "X-Request-Id");
	size_t n = id ? strlen(id) : 0;

	if (n > 0 && n < sizeof(rq->id) && strspn(id, allowed) == n)
		memcpy(rq->id, id, n + 1);
}

static void on_head(struct request *rq)
{
	take_request_id(rq);
	if (rq->target_bad) {
		problem_reply(rq, PROBLEM_BAD_REQUEST, "%s", rq->target_error);
		return;
	}
	if (check_secrets(rq) && find_route(rq) && check_headers(rq))
		(void) auth_check(rq);
}

static void on_body(struct request *rq)
{
	rq->route->handler(rq);
}

static void on_sent(struct request *rq)
{
	unsigned status = rq->reply.status;

	rq->server->metrics.requests[status / 100 % ARRAY_SIZE(rq->server->metrics.requests)]++;
	log_line(status >= 500 ? LOG_LV_ERROR : LOG_LV_INFO,
		 "%s %s %u %.1f ms request=%s user=%s", rq->method,
		 rq->target.path[0] ? rq->target.path : "-", status,
		 (double) (clock_mono_ns() - rq->began_ns) / 1e6, rq->id,
		 rq->who.user[0] ? rq->who.user : "-");
}

const struct http_callbacks routes_callbacks = { on_head, on_body, on_sent };
