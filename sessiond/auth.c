#include "sessiond/auth.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "sessiond/keys.h"
#include "sessiond/origin.h"
#include "sessiond/problem.h"
#include "sessiond/request.h"
#include "sessiond/routes.h"
#include "sessiond/server.h"

const char auth_cookie_name[] = "carrel_session";

const char *auth_bearer(const struct request *rq)
{
	const char *s = request_header(rq, "Authorization");

	if (!s || strncasecmp(s, "Bearer ", 7) != 0)
		return NULL;
	return s + 7 + strspn(s + 7, " ");
}

bool auth_cookie(const char *header, char out[COOKIE_VALUE_MAX])
{
	size_t n_name = strlen(auth_cookie_name);
	bool found = false;

	for (const char *s = header; s && *s;) {
		size_t n = strcspn(s, ";"), n_value;

		if (n > n_name && memcmp(s, auth_cookie_name, n_name) == 0 &&
		    s[n_name] == '=') {
			n_value = n - n_name - 1;
			if (found || n_value >= COOKIE_VALUE_MAX)
				return false;
			memcpy(out, s + n_name + 1, n_value);
			out[n_value] = 0;
			found = true;
		}
		s += n;
		s += strspn(s, "; ");
	}
	return found;
}

/* 1 known, 0 not, -1 the reply is set. */
static int identify(struct request *rq)
{
	const char *bearer = auth_bearer(rq), *cookies = request_header(rq, "Cookie");
	char token[COOKIE_VALUE_MAX];
	struct err e = ERR_NONE;
	int r = 0;

	/* A wrong key is an error even beside a good cookie. */
	if (request_header(rq, "Authorization"))
		r = bearer ? key_find(rq->server->db, bearer, &rq->who, &e) : 0;
	else if (cookies && auth_cookie(cookies, token))
		r = session_find(rq->server->db, token, &rq->who, &e);
	if (r < 0)
		problem_internal(rq, &e);
	if (r > 0)
		rq->who.tier = tiers_find(&rq->server->tiers, rq->who.tier_name);
	return r;
}

static bool check_origin(struct request *rq, bool changes)
{
	const char *origin = request_header(rq, "Origin");
	bool cookie = rq->who.via == VIA_COOKIE;

	if (origin && !origins_allow(&rq->server->origins, origin) &&
	    (changes || cookie || (rq->route->flags & ROUTE_SOCKET))) {
		problem_reply(rq, PROBLEM_ORIGIN,
			      "the page's origin is not on this server's list; its operator "
			      "adds it with --origin");
		return false;
	}
	if (!origin && cookie && changes) {
		problem_reply(rq, PROBLEM_ORIGIN,
			      "a session's cookie changes something only with an Origin");
		return false;
	}
	return true;
}

bool auth_check(struct request *rq)
{
	const struct route *route = rq->route;
	bool changes = strcmp(route->method, "GET") != 0;
	int r = 0;

	/* The Origin first, so that a foreign page does not even learn whether a key is good. */
	if (!check_origin(rq, changes))
		return false;
	if (route->auth == ROUTE_OPEN || route->auth == ROUTE_TICKET)
		return true;
	r = identify(rq);
	if (r < 0)
		return false;
	if (r == 0) {
		problem_reply(rq, PROBLEM_UNAUTHORIZED,
			      "send a valid key as \"Authorization: Bearer crl_...\"%s",
			      changes ? "" : ", or a session's cookie");
		return false;
	}
	if (!check_origin(rq, changes))
		return false;
	if (route->auth == ROUTE_ADMIN && !rq->who.admin) {
		problem_reply(rq, PROBLEM_FORBIDDEN, "this takes an administrator's key");
		return false;
	}
	return true;
}
