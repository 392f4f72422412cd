#include "sessiond/relay/call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "sessiond/digest.h"
#include "sessiond/outbound/head.h"

enum { METHOD_MAX = 16, NUMBER_MAX = 18 };

struct line {
	struct head_text method, target;
};

static unsigned refuse(unsigned status, struct err *e, const char *why)
{
	(void) err_set(e, EPROTO, "%s", why);
	return status;
}

/* METHOD SP /TARGET SP HTTP/1.1 */
static unsigned parse_line(struct head_text t, struct line *out, struct err *e)
{
	const char *one = memchr(t.p, ' ', t.n), *two;
	size_t n, left;

	n = one ? (size_t) (one - t.p) : 0;
	if (n == 0 || n > METHOD_MAX)
		return refuse(400, e, "the request line has no method");
	for (size_t i = 0; i < n; i++)
		if (t.p[i] < 'A' || t.p[i] > 'Z')
			return refuse(400, e, "the method is no word in capitals");
	left = t.n - n - 1;
	two = memchr(one + 1, ' ', left);
	out->method = (struct head_text){ t.p, n };
	out->target = (struct head_text){ one + 1, two ? (size_t) (two - one - 1) : 0 };
	if (out->target.n == 0 || out->target.p[0] != '/')
		return refuse(400, e, "the target is no path");
	for (size_t i = 0; i < out->target.n; i++)
		if (out->target.p[i] <= 0x20 || out->target.p[i] >= 0x7f ||
		    out->target.p[i] == '#')
			return refuse(400, e, "the target has a character that none may have");
	left -= out->target.n + 1;
	if (!head_is((struct head_text){ two + 1, left }, "HTTP/1.1"))
		return refuse(505, e, "only HTTP/1.1 is spoken here");
	return 0;
}

/* At most one Content-Length and no other way to say how long a body is. */
static unsigned parse_body(const struct head *h, uint64_t *out, struct err *e)
{
	struct head_text t;
	size_t n;

	*out = 0;
	if (head_get(h, "Transfer-Encoding", &t) > 0)
		return refuse(411, e, "Transfer-Encoding is not taken; send a Content-Length");
	n = head_get(h, "Content-Length", &t);
	if (n > 1)
		return refuse(400, e, "Content-Length is there twice");
	if (n == 1 && (t.n == 0 || t.n > NUMBER_MAX))
		return refuse(400, e, "Content-Length is no number");
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return refuse(400, e, "Content-Length is no number");
		*out = *out * 10 + (uint64_t) (t.p[i] - '0');
	}
	return 0;
}

/* Connection may name nothing that would then be dropped on the way: nobody needs that here. */
static unsigned parse_connection(const struct head *h, struct head_text method, uint64_t body,
				 bool *upgrade, struct err *e)
{
	struct head_text t, w, to;
	size_t n_upgrade = head_get(h, "Upgrade", &to);

	*upgrade = false;
	for (size_t i = 0; i < h->n; i++) {
		if (!head_is_name(h->fields[i].name, "Connection"))
			continue;
		t = h->fields[i].value;
		while (head_next_word(&t, &w)) {
			if (head_is_name(w, "upgrade"))
				*upgrade = true;
			else if (!head_is_name(w, "close") && !head_is_name(w, "keep-alive"))
				return refuse(400, e,
					      "Connection: only close, keep-alive and upgrade");
		}
	}
	/* Another protocol than WebSocket may be declined, and is. */
	*upgrade = *upgrade && n_upgrade == 1 && head_is_name(to, "websocket");
	if (*upgrade && (body > 0 || !head_is(method, "GET")))
		return refuse(400, e, "a WebSocket is asked for by GET without a body");
	return 0;
}

/* ---- for whom ---- */

/* The name without its port, in lower case. */
static unsigned host_field(const struct head *h, char *out, size_t room, struct err *e)
{
	struct head_text t;
	size_t n;

	if (head_get(h, "Host", &t) != 1)
		return refuse(400, e, "there has to be one Host");
	n = t.n && t.p[0] == '[' ? t.n : 0;
	while (n < t.n && t.p[n] != ':')
		n++;
	if (n == 0 || n >= room)
		return refuse(400, e, "Host is no name");
	for (size_t i = 0; i < n; i++) {
		out[i] = (char) tolower((unsigned char) t.p[i]);
		if (!isalnum((unsigned char) out[i]) && !strchr("-._:[]", out[i]))
			return refuse(400, e, "Host is no name");
	}
	out[n] = 0;
	return 0;
}

/* True: the name is one of a host's, good or not. */
static bool host_of_name(const char *name, const char *suffix, char host[MUX_HOST_MAX + 1])
{
	size_t n = strlen(name), n_suffix = suffix ? strlen(suffix) : 0;

	if (!n_suffix || n <= n_suffix || strcmp(name + n - n_suffix, suffix) != 0)
		return false;
	n -= n_suffix;
	(void) snprintf(host, MUX_HOST_MAX + 1, "%.*s", n <= MUX_HOST_MAX ? (int) n : 0, name);
	return true;
}

/* /h/HOST/REST: host and target become HOST and /REST. */
static unsigned host_of_path(struct head_text *target, char host[MUX_HOST_MAX + 1],
			     struct err *e)
{
	const char *p = target->p + 3, *end = target->p + target->n;
	const char *slash = memchr(p, '/', (size_t) (end - p));
	size_t n = slash ? (size_t) (slash - p) : 0;

	if (n == 0 || n > MUX_HOST_MAX)
		return refuse(404, e, "there is nothing here but /h/HOST/...");
	memcpy(host, p, n);
	host[n] = 0;
	*target = (struct head_text){ slash, (size_t) (end - slash) };
	return 0;
}

static unsigned no_browser(const struct head *h, struct err *e)
{
	static const char *const fields[] = { "Cookie", "Origin", "Sec-Fetch-Mode",
					      "Sec-Fetch-Site" };
	struct head_text t;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (head_get(h, fields[i], &t) > 0)
			return refuse(403, e,
				      "/h/ is for programs: a browser takes all hosts here "
				      "for one site; it is to use the host's own name");
	return 0;
}

/* ---- what goes on ---- */

/* Of one connection only, or said about the way by somebody whom the host cannot ask. */
static bool is_dropped(struct head_text name)
{
	static const char *const fields[] = { "Connection",
					      "Keep-Alive",
					      "Proxy-Connection",
					      "Proxy-Authorization",
					      "TE",
					      "Trailer",
					      "Upgrade",
					      "HTTP2-Settings",
					      "Forwarded",
					      "X-Real-IP",
					      "Via" };
	static const char prefix[] = "X-Forwarded-";

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (head_is_name(name, fields[i]))
			return true;
	return name.n >= sizeof(prefix) - 1 &&
	       strncasecmp(name.p, prefix, sizeof(prefix) - 1) == 0;
}

static int rewrite(const struct head *h, const struct line *l, bool upgrade, struct buf *out,
		   struct err *e)
{
	if (buf_printf(out, e, "%.*s %.*s HTTP/1.1\r\n", (int) l->method.n, l->method.p,
		       (int) l->target.n, l->target.p) < 0)
		return -1;
	for (size_t i = 0; i < h->n; i++) {
		struct head_text name = h->fields[i].name, value = h->fields[i].value;

		if (!is_dropped(name) && buf_printf(out, e, "%.*s: %.*s\r\n", (int) name.n,
						    name.p, (int) value.n, value.p) < 0)
			return -1;
	}
	return buf_puts(out,
			upgrade ? "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
				: "Connection: close\r\n\r\n",
			e);
}

/* ---- dialers ---- */

static unsigned parse_dial(const struct head *h, bool upgrade, struct call *call, struct err *e)
{
	struct head_text version, key, protocols, host, token;
	char text[25];

	if (!upgrade || head_get(h, "Sec-WebSocket-Version", &version) != 1 ||
	    !head_is(version, "13") || head_get(h, "Sec-WebSocket-Key", &key) != 1 ||
	    key.n != 24 || key.p[22] != '=' || key.p[23] != '=')
		return refuse(426, e, "a dialer asks for a WebSocket of version 13");
	if (head_get(h, "Sec-WebSocket-Protocol", &protocols) != 1 ||
	    !head_has_word(protocols, MUX_PROTOCOL))
		return refuse(400, e, "a dialer speaks " MUX_PROTOCOL);
	if (head_get(h, "Carrel-Host", &host) != 1 || host.n > MUX_HOST_MAX)
		return refuse(400, e, "a dialer names its host in Carrel-Host");
	memcpy(call->host, host.p, host.n);
	call->host[host.n] = 0;
	if (head_get(h, "Authorization", &token) == 1 && token.n > 7 &&
	    token.n - 7 <= CALL_TOKEN_MAX && strncasecmp(token.p, "Bearer ", 7) == 0)
		(void) snprintf(call->token, sizeof(call->token), "%.*s", (int) token.n - 7,
				token.p + 7);
	memcpy(text, key.p, 24);
	text[24] = 0;
	digest_ws_accept(text, call->accept);
	return 0;
}

/* ---- the whole ---- */

static unsigned route(const struct head *h, const char *suffix, struct line *l,
		      struct call *call, struct err *e)
{
	char name[256];
	unsigned status = host_field(h, name, sizeof(name), e);

	if (status)
		return status;
	call->kind = CALL_HOST;
	if (host_of_name(name, suffix, call->host))
		return 0;
	if (l->target.n > 3 && memcmp(l->target.p, "/h/", 3) == 0) {
		status = no_browser(h, e);
		return status ? status : host_of_path(&l->target, call->host, e);
	}
	if (head_is(l->target, "/dial"))
		call->kind = CALL_DIAL;
	else if (head_is(l->target, "/healthz") && head_is(l->method, "GET"))
		call->kind = CALL_HEALTH;
	else
		return refuse(404, e, "there is no host of this name, and nothing else here");
	return 0;
}

unsigned call_parse(const char *p, size_t n, const char *suffix, struct call *call,
		    struct buf *out, struct err *e)
{
	struct head h;
	struct line l;
	bool upgrade = false;
	unsigned status;

	*call = (struct call){ 0 };
	if (head_parse(p, n, &h, e) < 0)
		return e->code == E2BIG ? 431 : 400;
	status = parse_line(h.start, &l, e);
	if (!status)
		status = parse_body(&h, &call->body, e);
	if (!status)
		status = parse_connection(&h, l.method, call->body, &upgrade, e);
	if (!status)
		status = route(&h, suffix, &l, call, e);
	if (status)
		return status;
	if (call->kind == CALL_DIAL)
		return parse_dial(&h, upgrade, call, e);
	if (call->kind == CALL_HOST && !mux_host_ok(call->host))
		return refuse(404, e, "the host's name is no label of DNS");
	if (call->kind == CALL_HOST && rewrite(&h, &l, upgrade, out, e) < 0)
		return 431;
	if (upgrade)
		call->body = UINT64_MAX;
	return 0;
}
