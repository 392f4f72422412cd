#include "sessiond/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "sessiond/request.h"

struct problem_row {
	unsigned status;
	const char *type, *title;
};

/* clang-format off */
static const struct problem_row rows[] = {
	[PROBLEM_BAD_REQUEST] = { 400, "bad-request", "The request is malformed" },
	[PROBLEM_INVALID] = { 400, "invalid", "A value is not acceptable" },
	[PROBLEM_KEY_IN_URL] = { 400, "key-in-url", "Secrets do not belong into addresses" },
	[PROBLEM_UNAUTHORIZED] = { 401, "unauthorized", "Who is asking is not known" },
	[PROBLEM_FORBIDDEN] = { 403, "forbidden", "Not allowed" },
	[PROBLEM_ORIGIN] = { 403, "origin", "This web origin is not allowed" },
	[PROBLEM_NOT_FOUND] = { 404, "not-found", "There is no such thing" },
	[PROBLEM_METHOD] = { 405, "method", "Not with this method" },
	[PROBLEM_CONFLICT] = { 409, "conflict", "Not in its present state" },
	[PROBLEM_GONE] = { 410, "gone", "It has ended" },
	[PROBLEM_LENGTH_REQUIRED] = { 411, "length-required", "Content-Length is required" },
	[PROBLEM_TOO_LARGE] = { 413, "too-large", "The request is too large" },
	[PROBLEM_UPGRADE_REQUIRED] = { 426, "upgrade-required", "This is a WebSocket" },
	[PROBLEM_QUOTA] = { 429, "quota", "A limit of the tier is reached" },
	[PROBLEM_INTERNAL] = { 500, "internal", "Something failed here" },
	[PROBLEM_UNAVAILABLE] = { 503, "unavailable", "Not at the moment" },
	[PROBLEM_TIMEOUT] = { 504, "timeout", "It took too long" },
};
/* clang-format on */

unsigned problem_status(enum problem p)
{
	return rows[p].status;
}

static void reply(struct request *rq, enum problem p, const char *fmt, va_list ap)
{
	char type[64], detail[600];
	struct json_writer *w;

	(void) snprintf(type, sizeof(type), "urn:carrel:problem:%s", rows[p].type);
	(void) vsnprintf(detail, sizeof(detail), fmt, ap);
	reply_clear(&rq->reply);
	w = reply_json(rq, rows[p].status);
	jw_object(w, NULL);
	jw_str(w, "type", type);
	jw_str(w, "title", rows[p].title);
	jw_uint(w, "status", rows[p].status);
	jw_str(w, "detail", detail);
	jw_str(w, "request_id", rq->id);
	jw_close(w);
	reply_json_end(rq, w);
	rq->reply.content_type = "application/problem+json";
	if (p == PROBLEM_UNAUTHORIZED)
		reply_header(rq, "WWW-Authenticate", "Bearer");
}

void problem_reply(struct request *rq, enum problem p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply(rq, p, fmt, ap);
	va_end(ap);
}

void problem_retry(struct request *rq, enum problem p, uint64_t seconds, const char *fmt, ...)
{
	char s[24];
	va_list ap;

	va_start(ap, fmt);
	reply(rq, p, fmt, ap);
	va_end(ap);
	(void) snprintf(s, sizeof(s), "%llu", (unsigned long long) seconds);
	reply_header(rq, "Retry-After", s);
}

void problem_internal(struct request *rq, const struct err *e)
{
	log_error("request %s: %s", rq->id, e->msg);
	problem_reply(rq, PROBLEM_INTERNAL, "the log has the reason under request %s", rq->id);
}
