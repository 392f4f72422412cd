#include "sessiond/relay/answer.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "sessiond/outbound/mux.h"

struct row {
	unsigned status;
	const char *phrase, *type, *title;
};

/* clang-format off */
static const struct row rows[] = {
	{ 400, "Bad Request", "bad-request", "The request is malformed" },
	{ 401, "Unauthorized", "unauthorized", "Who is asking is not known" },
	{ 403, "Forbidden", "forbidden", "Not allowed" },
	{ 404, "Not Found", "not-found", "There is no such thing" },
	{ 408, "Request Timeout", "timeout", "It took too long" },
	{ 411, "Length Required", "length-required", "Content-Length is required" },
	{ 426, "Upgrade Required", "upgrade-required", "This is a WebSocket" },
	{ 431, "Request Header Fields Too Large", "too-large", "The request is too large" },
	{ 502, "Bad Gateway", "host-away", "The host cannot be reached" },
	{ 503, "Service Unavailable", "unavailable", "Not at the moment" },
	{ 505, "HTTP Version Not Supported", "bad-request", "The request is malformed" },
	{ 500, "Internal Server Error", "internal", "Something failed here" }, /* last: any other */
};
/* clang-format on */

static const struct row *find(unsigned status)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(rows) - 1 && rows[i].status != status)
		i++;
	return &rows[i];
}

/* ANSWER_MAX is far more than any of these. */
static void put(struct buf *out, const char *status, const char *type, const char *more,
		struct buf *body)
{
	struct err e = ERR_NONE;

	(void) buf_printf(out, &e,
			  "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%s"
			  "Connection: close\r\n\r\n%s",
			  status, type, buf_len(body), more, buf_str(body));
}

void answer_problem(struct buf *out, unsigned status, const char *detail)
{
	const struct row *r = find(status);
	auto_buf struct buf body = BUF_LIMIT(ANSWER_MAX);
	auto_json_writer struct json_writer *w = json_writer_new(&body, false);
	auto_free char *type = xasprintf("urn:carrel:problem:%s", r->type);
	auto_free char *line = xasprintf("%u %s", r->status, r->phrase);
	struct err e = ERR_NONE;

	jw_object(w, NULL);
	jw_str(w, "type", type);
	jw_str(w, "title", r->title);
	jw_uint(w, "status", r->status);
	jw_str(w, "detail", detail);
	jw_close(w);
	(void) json_writer_end(w, &e);
	(void) buf_puts(&body, "\n", &e);
	put(out, line, "application/problem+json",
	    r->status == 401			   ? "WWW-Authenticate: Bearer\r\n"
	    : r->status == 426			   ? "Upgrade: websocket\r\n"
	    : r->status == 502 || r->status == 503 ? "Retry-After: 5\r\n"
						   : "",
	    &body);
}

void answer_health(struct buf *out)
{
	auto_buf struct buf body = BUF_LIMIT(64);
	struct err e = ERR_NONE;

	(void) buf_puts(&body, "{\"status\":\"ok\"}\n", &e);
	put(out, "200 OK", "application/json", "", &body);
}

void answer_dial(struct buf *out, const char *accept)
{
	struct err e = ERR_NONE;

	(void) buf_printf(out, &e,
			  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
			  "Sec-WebSocket-Protocol: " MUX_PROTOCOL "\r\n\r\n",
			  accept);
}
