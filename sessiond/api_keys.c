#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/api.h"
#include "sessiond/auth.h"
#include "sessiond/http.h"
#include "sessiond/keys.h"
#include "sessiond/problem.h"
#include "sessiond/request.h"
#include "sessiond/server.h"

enum { SESSION_SECONDS = 12 * 3600 };

/* ---- sessions ---- */

struct login {
	const char *key;
};

/* clang-format off */
static const struct json_field login_fields[] = {
	{ "key", json_decode_str, offsetof(struct login, key), JSON_REQUIRED },
};
/* clang-format on */

/* SameSite=Strict: no other site's page ever sends it; HttpOnly: no script reads it; Secure when the page
 * came by TLS, ours or a proxy's: over plain HTTP browsers would drop such a cookie. */
static void set_cookie(struct request *rq, const char *value, unsigned seconds)
{
	const char *origin = request_header(rq, "Origin");
	bool tls = http_secure(rq->http) || (origin && str_has_prefix(origin, "https://"));
	char cookie[256];

	(void) snprintf(cookie, sizeof(cookie),
			"%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%u%s",
			auth_cookie_name, value, seconds, tls ? "; Secure" : "");
	reply_header(rq, "Set-Cookie", cookie);
}

void api_session_create(struct request *rq)
{
	auto_json struct json_doc *doc = NULL;
	struct login login = { 0 };
	char token[KEY_LEN + 1];
	struct err e = ERR_NONE;
	struct json_writer *w;
	int r;

	if (request_json(rq, &doc) < 0)
		return;
	if (json_decode_object(json_root(doc), NULL, login_fields, ARRAY_SIZE(login_fields),
			       JSON_UNKNOWN_REJECT, &login, &e) < 0) {
		problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
		return;
	}
	r = session_new(rq->server->db, login.key, SESSION_SECONDS * 1000ull, token, &rq->who,
			&e);
	if (r < 0) {
		problem_internal(rq, &e);
		return;
	}
	if (r == 0) {
		problem_reply(rq, PROBLEM_UNAUTHORIZED,
			      "key: it is not valid; a first-use key works once");
		return;
	}
	w = reply_json(rq, 201);
	jw_object(w, NULL);
	jw_str(w, "user", rq->who.user);
	jw_str(w, "tier", rq->who.tier_name);
	jw_uint(w, "expires_in", SESSION_SECONDS);
	jw_close(w);
	reply_json_end(rq, w);
	set_cookie(rq, token, SESSION_SECONDS);
}

void api_session_delete(struct request *rq)
{
	const char *cookies = request_header(rq, "Cookie");
	char token[COOKIE_VALUE_MAX];
	struct err e = ERR_NONE;

	if (rq->who.via != VIA_COOKIE || !cookies || !auth_cookie(cookies, token)) {
		problem_reply(rq, PROBLEM_BAD_REQUEST, "there is no session; this is a key");
		return;
	}
	if (session_remove(rq->server->db, token, &e) < 0) {
		problem_internal(rq, &e);
		return;
	}
	reply_empty(rq, 204);
	set_cookie(rq, "", 0);
}

/* ---- keys ---- */

struct new_key {
	const char *user, *tier;
	bool admin, first_use;
	uint64_t expires_seconds;
};

static int decode_expiry(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	if (v->type != JSON_INT || v->i < 1 || v->i > 10ll * 365 * 24 * 3600)
		return json_err(at, e, "is not a number of seconds from 1 to ten years");
	*(uint64_t *) out = (uint64_t) v->i;
	return 0;
}

/* clang-format off */
static const struct json_field key_fields[] = {
	{ "user", json_decode_str, offsetof(struct new_key, user), JSON_REQUIRED },
	{ "tier", json_decode_str, offsetof(struct new_key, tier), JSON_REQUIRED },
	{ "admin", json_decode_bool, offsetof(struct new_key, admin), 0 },
	{ "first_use", json_decode_bool, offsetof(struct new_key, first_use), 0 },
	{ "expires_seconds", decode_expiry, offsetof(struct new_key, expires_seconds), 0 },
};
/* clang-format on */

/* 0: decoded and checked; -1: the reply is set. */
static int read_new_key(struct request *rq, const struct json *body, struct new_key *out)
{
	struct err e = ERR_NONE;

	if (json_decode_object(body, NULL, key_fields, ARRAY_SIZE(key_fields),
			       JSON_UNKNOWN_REJECT, out, &e) < 0 ||
	    key_check_user(out->user, &e) < 0) {
		problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
		return -1;
	}
	if (!tiers_find(&rq->server->tiers, out->tier)) {
		problem_reply(rq, PROBLEM_INVALID, "tier: there is no such tier");
		return -1;
	}
	return 0;
}

void api_key_create(struct request *rq)
{
	auto_json struct json_doc *doc = NULL;
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1];
	struct new_key n = { 0 };
	struct key_spec spec;
	struct err e = ERR_NONE;
	struct json_writer *w;

	if (request_json(rq, &doc) < 0 || read_new_key(rq, json_root(doc), &n) < 0)
		return;
	spec = (struct key_spec){
		.user = n.user,
		.tier = n.tier,
		.admin = n.admin,
		.first_use = n.first_use,
		.expires_ms =
			n.expires_seconds ? clock_real_ms() + n.expires_seconds * 1000 : 0,
	};
	if (key_add(rq->server->db, &spec, key, id, &e) < 0) {
		problem_internal(rq, &e);
		return;
	}
	w = reply_json(rq, 201);
	jw_object(w, NULL);
	jw_str(w, "id", id);
	jw_str(w, "key", key);
	jw_str(w, "user", n.user);
	jw_str(w, "tier", n.tier);
	jw_bool(w, "admin", n.admin);
	jw_bool(w, "first_use", n.first_use);
	jw_close(w);
	reply_json_end(rq, w);
}

static bool write_key(void *arg, const struct key_row *row)
{
	struct json_writer *w = arg;

	jw_object(w, NULL);
	jw_str(w, "id", row->id);
	jw_str(w, "user", row->user);
	jw_str(w, "tier", row->tier);
	jw_bool(w, "admin", row->admin);
	jw_bool(w, "first_use", row->first_use);
	jw_str(w, "created_at", clock_rfc3339_ms((uint64_t) row->created_ms).s);
	if (row->expires_ms)
		jw_str(w, "expires_at", clock_rfc3339_ms((uint64_t) row->expires_ms).s);
	jw_close(w);
	return true;
}

void api_key_list(struct request *rq)
{
	struct json_writer *w = reply_json(rq, 200);
	struct err e = ERR_NONE;
	int r;

	jw_object(w, NULL);
	jw_array(w, "items");
	r = key_each(rq->server->db, write_key, w, &e);
	jw_close(w);
	jw_close(w);
	reply_json_end(rq, w);
	if (r < 0)
		problem_internal(rq, &e);
}

void api_key_delete(struct request *rq)
{
	struct err e = ERR_NONE;
	int r = key_remove(rq->server->db, rq->param, &e);

	if (r < 0) {
		problem_internal(rq, &e);
	} else if (r == 0) {
		problem_reply(rq, PROBLEM_NOT_FOUND, "no such key");
	} else {
		reply_empty(rq, 204);
	}
}
