/*
 * Any bytes as a request: "METHOD\nTARGET\nUPGRADE\nCONNECTION\nVERSION\nKEY\nPROTOCOLS\nCOOKIE\nBODY".
 * What the daemon's pure parsers accept must hold what they promise.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "sessiond/auth.h"
#include "sessiond/create.h"
#include "sessiond/listen.h"
#include "sessiond/origin.h"
#include "sessiond/routes.h"
#include "sessiond/target.h"
#include "sessiond/tiers.h"
#include "sessiond/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { LINES = 8 };

static const struct tier tier = { .name = "t", .idle_ms = 60000, .lifetime_ms = 90000 };

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_target(const struct target *t)
{
	for (size_t i = 0; i < t->n_segments; i++) {
		require(*t->segments[i] && !strchr(t->segments[i], '/'));
		require(strcmp(t->segments[i], ".") != 0 && strcmp(t->segments[i], "..") != 0);
	}
	for (size_t i = 0; i < t->n_query; i++)
		require(target_query(t, t->query[i].name) == t->query[i].value);
}

static void try_upgrade(char *const *line, const struct target *t)
{
	struct upgrade_headers h = { line[2], line[3], line[4], line[5], line[6] };
	struct upgrade u;
	struct err e = ERR_NONE;
	auto_buf struct buf order = BUF_LIMIT(4096);
	auto_json struct json_doc *doc = NULL;

	if (upgrade_parse(&h, t, &u, &e) != UPGRADE_OK)
		return;
	require(strlen(u.accept) == 28 && !u.cols == !u.rows && u.cols <= 1000);
	require(u.ticket[0] == 0 || strlen(u.ticket) == TICKET_LEN);
	require(upgrade_order(&u, line[7], &order, &e) == 0);
	require(json_parse(buf_str(&order), buf_len(&order), NULL, &doc, &e) == 0);
}

static void try_body(const char *body, size_t n)
{
	auto_json struct json_doc *doc = NULL;
	struct create c = { 0 };
	struct resize r;
	struct err e = ERR_NONE;

	if (json_parse(body, n, NULL, &doc, &e) < 0)
		return;
	(void) resize_decode(json_root(doc), &r, &e);
	if (create_decode(json_root(doc), &tier, NULL, &c, &e) < 0)
		return;
	/* These become arguments of other programs. */
	require(c.image[0] != '-' && c.image[0] != 0);
	require(!c.user || c.user[0] != '-');
	require(!c.cwd || c.cwd[0] == '/');
	require(c.cols >= 1 && c.cols <= 1000 && c.rows >= 1 && c.rows <= 1000);
	require(c.idle_ms <= tier.idle_ms && c.lifetime_ms <= tier.lifetime_ms);
	for (char **v = c.env; v && *v; v++)
		require(strchr(*v, '=') > *v);
	create_fini(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_free char *copy = xstrndup((const char *) data, n);
	char *line[LINES] = { 0 }, *s = copy, cookie[COOKIE_VALUE_MAX], allow[64];
	const struct route *route;
	const char *param;
	struct listen_addr addr;
	struct target t;
	struct err e = ERR_NONE;

	for (size_t i = 0; i < LINES; i++) {
		line[i] = s;
		s += strcspn(s, "\n");
		if (*s)
			*s++ = 0;
	}
	if (target_parse(line[1], &t, &e) == 0) {
		check_target(&t);
		if (route_find(line[0], &t, &route, &param, allow) == ROUTE_FOUND)
			require(route->handler != NULL);
		try_upgrade(line, &t);
	}
	if (auth_cookie(line[7], cookie))
		require(strlen(cookie) < COOKIE_VALUE_MAX);
	(void) listen_parse(line[1], &addr, &e);
	(void) origin_check(line[1], &e);
	try_body(s, strlen(s));
	return 0;
}
