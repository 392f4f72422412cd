#include "sessiond/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/create.h"
#include "sessiond/digest.h"
#include "sessiond/target.h"

static const char base64url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The next element of a comma-separated header; NULL at the end. */
static const char *next_token(const char **s, size_t *n)
{
	const char *start;

	*s += strspn(*s, " \t,");
	if (!**s)
		return NULL;
	start = *s;
	*n = strcspn(start, ",");
	*s += *n;
	while (*n && (start[*n - 1] == ' ' || start[*n - 1] == '\t'))
		--*n;
	return start;
}

static bool has_token(const char *header, const char *wanted)
{
	const char *t;
	size_t n;

	while (header && (t = next_token(&header, &n))) {
		if (n == strlen(wanted) && strncasecmp(t, wanted, n) == 0)
			return true;
	}
	return false;
}

/* 16 bytes in base64: 22 characters and "==". */
static bool key_ok(const char *key)
{
	return key && strlen(key) == 24 && strspn(key, base64) == 22 &&
	       strcmp(key + 22, "==") == 0 && strchr("AQgw", key[21]);
}

/* What a shim speaks (docs/protocol.md). */
static const char *const protocols[] = { "carrel.v1",	      "tty",	   "v5.channel.k8s.io",
					 "v4.channel.k8s.io", "terminado", "raw" };

static const char *known_protocol(const char *t, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (n == strlen(protocols[i]) && memcmp(t, protocols[i], n) == 0)
			return protocols[i];
	return NULL;
}

static int take_ticket(const char *t, size_t n, struct upgrade *out, struct err *e)
{
	if (n != TICKET_LEN || out->ticket[0] || strspn(t, base64url) != TICKET_LEN)
		return err_set(e, EINVAL, "Sec-WebSocket-Protocol: no ticket, or two tickets");
	memcpy(out->ticket, t, TICKET_LEN);
	out->ticket[TICKET_LEN] = 0;
	return 0;
}

/* The first offer that we speak, and at most one carrel.ticket.X; others are offers that we do not take. */
static int parse_protocols(const char *header, struct upgrade *out, struct err *e)
{
	static const char prefix[] = "carrel.ticket.";
	const size_t n_prefix = sizeof(prefix) - 1;
	bool others = false;
	const char *t;
	size_t n;

	while (header && (t = next_token(&header, &n))) {
		if (n >= n_prefix && memcmp(t, prefix, n_prefix) == 0) {
			if (take_ticket(t + n_prefix, n - n_prefix, out, e) < 0)
				return -1;
		} else if (!out->protocol) {
			out->protocol = known_protocol(t, n);
			others |= !out->protocol;
		}
	}
	if (!out->protocol && others)
		return err_set(
			e, EINVAL,
			"Sec-WebSocket-Protocol: none of carrel.v1, tty, "
			"v5.channel.k8s.io, v4.channel.k8s.io, terminado and raw is among "
			"the offers");
	/* A browser wants one of its offers in the answer; a ticket that was shown is spent. */
	if (out->protocol)
		(void) snprintf(out->answer, sizeof(out->answer), "%s", out->protocol);
	else if (out->ticket[0])
		(void) snprintf(out->answer, sizeof(out->answer), "%s%s", prefix, out->ticket);
	return 0;
}

/* For clients that cannot offer: `protocol` in the query counts when no protocol was; without either it is raw. */
static int parse_protocol_query(const struct target *t, struct upgrade *out, struct err *e)
{
	const char *name = target_query(t, "protocol");
	const char *known = name ? known_protocol(name, strlen(name)) : "raw";

	if (!known)
		return err_set(e, EINVAL,
			       "protocol: is none of carrel.v1, tty, v5.channel.k8s.io, "
			       "v4.channel.k8s.io, terminado and raw");
	if (!out->protocol)
		out->protocol = known;
	return 0;
}

static int parse_size(const struct target *t, struct upgrade *out, struct err *e)
{
	uint64_t cols = 0, rows = 0;

	if (target_query_u64(t, "cols", 1, CREATE_SIZE_MAX, &cols, e) < 0 ||
	    target_query_u64(t, "rows", 1, CREATE_SIZE_MAX, &rows, e) < 0)
		return -1;
	if (!cols != !rows)
		return err_set(e, EINVAL, "cols and rows: one is there without the other");
	out->cols = (uint16_t) cols;
	out->rows = (uint16_t) rows;
	return 0;
}

static int parse_query(const struct target *t, struct upgrade *out, struct err *e)
{
	static const char *const names[] = { "since",	 "cols",    "rows", "role",
					     "protocol", "process", NULL };
	const char *role = target_query(t, "role");
	uint64_t process = 0;
	int r;

	if (target_query_only(t, names, e) < 0 || parse_size(t, out, e) < 0 ||
	    parse_protocol_query(t, out, e) < 0)
		return -1;
	r = target_query_u64(t, "since", 0, INT64_MAX, &out->since, e);
	if (r < 0)
		return -1;
	out->has_since = r > 0;
	if (target_query_u64(t, "process", 1, UINT32_MAX, &process, e) < 0)
		return -1;
	out->process = (uint32_t) process;
	if (role && strcmp(role, "viewer") != 0 && strcmp(role, "writer") != 0)
		return err_set(e, EINVAL, "role: is neither writer nor viewer");
	out->viewer = role && strcmp(role, "viewer") == 0;
	return 0;
}

enum upgrade_result upgrade_parse(const struct upgrade_headers *h, const struct target *t,
				  struct upgrade *out, struct err *e)
{
	*out = (struct upgrade){ 0 };
	if (!has_token(h->connection, "upgrade") || !has_token(h->upgrade, "websocket"))
		return UPGRADE_NO_SOCKET;
	if (!h->version || strcmp(h->version, "13") != 0)
		return UPGRADE_BAD_VERSION;
	if (!key_ok(h->key)) {
		err_set(e, EINVAL, "Sec-WebSocket-Key: is not 16 bytes in base64");
		return UPGRADE_BAD;
	}
	if (parse_protocols(h->protocols, out, e) < 0 || parse_query(t, out, e) < 0)
		return UPGRADE_BAD;
	digest_ws_accept(h->key, out->accept);
	return UPGRADE_OK;
}

int upgrade_order(const struct upgrade *u, const char *label, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "op", "attach");
	jw_str(w, "framing", "ws");
	jw_str(w, "protocol", u->protocol);
	jw_str(w, "role", u->viewer || u->read_only ? "viewer" : "writer");
	if (u->read_only)
		jw_bool(w, "read_only", true);
	if (u->process)
		jw_uint(w, "process", u->process);
	if (u->has_since)
		jw_uint(w, "since", u->since);
	if (u->cols) {
		jw_uint(w, "cols", u->cols);
		jw_uint(w, "rows", u->rows);
	}
	jw_str(w, "client", label);
	jw_close(w);
	return json_writer_end(w, e);
}

static size_t server_frame(uint8_t opcode, const void *p, size_t n, uint8_t *out)
{
	size_t head = n < 126 ? 2 : 4;

	out[0] = 0x80 | opcode;
	out[1] = (uint8_t) (n < 126 ? n : 126);
	if (n >= 126) {
		out[2] = (uint8_t) (n >> 8);
		out[3] = (uint8_t) n;
	}
	memcpy(out + head, p, n);
	return head + n;
}

/* Only carrel.v1's clients know codes of 4000 and more. ttyd's come back after any code but 1000, and must not when
 * the sandbox has ended. */
static uint16_t plain_code(uint16_t code)
{
	static const struct {
		uint16_t code, plain;
	} codes[] = { { 4400, 1008 }, { 4429, 1013 } }; /* policy violation; try again later */

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return codes[i].plain;
	return code >= 4000 ? 1000 : code;
}

static size_t close_frame(const struct upgrade *u, uint16_t code, const char *reason,
			  uint8_t *out)
{
	char body[128];
	int k;

	if (strcmp(u->protocol, "carrel.v1") != 0)
		code = plain_code(code);
	body[0] = (char) (code >> 8);
	body[1] = (char) code;
	k = snprintf(body + 2, 101, "%s", reason);
	return server_frame(8, body, 2 + (size_t) MIN(k, 100), out);
}

static bool kubernetes(const struct upgrade *u)
{
	return strstr(u->protocol, ".channel.k8s.io");
}

size_t upgrade_refusal(const struct upgrade *u, uint16_t code, const char *reason,
		       uint8_t out[UPGRADE_REFUSAL])
{
	char body[256];
	size_t n = 0;
	int k;

	if (kubernetes(u)) {
		k = snprintf(body, sizeof(body),
			     "\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"%.100s\","
			     "\"reason\":\"InternalError\",\"code\":500}",
			     reason);
		n = server_frame(2, body, (size_t) k, out);
	}
	return n + close_frame(u, code, reason, out + n);
}

/* metav1.Status, as the shim writes it (shim/dialect_k8s.c). */
static int exit_status(const struct upgrade_end *end, char *out, size_t n)
{
	bool oom = strcmp(end->reason, "oom") == 0;
	int code = end->signal ? 128 + end->signal : end->code;

	if (upgrade_close_code(end->reason) != 1000 && !oom)
		return snprintf(
			out, n,
			"\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"the sandbox was "
			"ended: %.30s\",\"reason\":\"InternalError\",\"code\":500}",
			end->reason);
	if (code == 0)
		return snprintf(out, n, "\3{\"metadata\":{},\"status\":\"Success\"}");
	return snprintf(
		out, n,
		"\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with "
		"exit code %d%s\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":"
		"[{\"reason\":\"ExitCode\",\"message\":\"%d\"}]}}",
		code, oom ? ": out of memory" : "", code);
}

size_t upgrade_ended(const struct upgrade *u, const struct upgrade_end *end,
		     uint8_t out[UPGRADE_REFUSAL])
{
	uint16_t code = upgrade_close_code(end->reason);
	char body[300], why[64];
	size_t n;
	int k;

	if (strcmp(u->protocol, "carrel.v1") == 0) {
		k = snprintf(body, sizeof(body),
			     "\6{\"reason\":\"%.30s\",\"code\":%d,\"signal\":%d}", end->reason,
			     end->code, end->signal);
		n = server_frame(2, body, (size_t) k, out);
		return n + close_frame(u, code, end->reason, out + n);
	}
	if (kubernetes(u)) {
		k = exit_status(end, body, sizeof(body));
		n = server_frame(2, body, (size_t) k, out);
		return n + close_frame(u, code, end->reason, out + n);
	}
	if (code != 1000)
		return close_frame(u, code, end->reason, out);
	(void) snprintf(why, sizeof(why), "%.30s, %s %d", end->reason,
			end->signal ? "signal" : "code", end->signal ? end->signal : end->code);
	return close_frame(u, code, why, out);
}

uint16_t upgrade_close_code(const char *reason)
{
	static const struct {
		const char *reason;
		uint16_t code;
	} codes[] = {
		{ "exited", 1000 },   { "signalled", 1000 }, { "idle", 4008 },
		{ "lifetime", 4009 }, { "oom", 4010 },	     { "deleted", 4410 },
		{ "error", 4404 },    { "detached", 4011 },  { "policy", 4012 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (strcmp(codes[i].reason, reason) == 0)
			return codes[i].code;
	}
	return 4404;
}
