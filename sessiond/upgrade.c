#include "sessiond/upgrade.h"

#include <errno.h>
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

/* carrel.v1, and at most one carrel.ticket.X; others are a client's offer that we do not take. */
static int parse_protocols(const char *header, struct upgrade *out, struct err *e)
{
	static const char prefix[] = "carrel.ticket.";
	const size_t n_prefix = sizeof(prefix) - 1;
	bool ours = false;
	const char *t;
	size_t n;

	while (header && (t = next_token(&header, &n))) {
		if (n == strlen("carrel.v1") && memcmp(t, "carrel.v1", n) == 0)
			ours = true;
		if (n < n_prefix || memcmp(t, prefix, n_prefix) != 0)
			continue;
		if (n - n_prefix != TICKET_LEN || out->ticket[0] ||
		    strspn(t + n_prefix, base64url) != TICKET_LEN)
			return err_set(e, EINVAL,
				       "Sec-WebSocket-Protocol: no ticket, or two tickets");
		memcpy(out->ticket, t + n_prefix, TICKET_LEN);
		out->ticket[TICKET_LEN] = 0;
	}
	if (!ours)
		return err_set(e, EINVAL,
			       "Sec-WebSocket-Protocol: carrel.v1 is not among the offers");
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
	static const char *const names[] = { "since", "cols", "rows", "role", NULL };
	const char *role = target_query(t, "role");
	int r;

	if (target_query_only(t, names, e) < 0 || parse_size(t, out, e) < 0)
		return -1;
	r = target_query_u64(t, "since", 0, INT64_MAX, &out->since, e);
	if (r < 0)
		return -1;
	out->has_since = r > 0;
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
	jw_str(w, "role", u->viewer ? "viewer" : "writer");
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

size_t upgrade_close_frame(uint16_t code, const char *reason, uint8_t out[128])
{
	size_t n = strnlen(reason, 100);

	out[0] = 0x88; /* FIN, close */
	out[1] = (uint8_t) (n + 2);
	out[2] = (uint8_t) (code >> 8);
	out[3] = (uint8_t) code;
	memcpy(out + 4, reason, n);
	return n + 4;
}

uint16_t upgrade_close_code(const char *reason)
{
	static const struct {
		const char *reason;
		uint16_t code;
	} codes[] = {
		{ "exited", 1000 },   { "signalled", 1000 }, { "idle", 4008 },
		{ "lifetime", 4009 }, { "oom", 4010 },	     { "deleted", 4410 },
		{ "error", 4404 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		if (strcmp(codes[i].reason, reason) == 0)
			return codes[i].code;
	}
	return 4404;
}
