/* The daemon's policy without a socket: tables of input and verdict, and the database in a temporary directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "sessiond/auth.h"
#include "sessiond/config.h"
#include "sessiond/create.h"
#include "sessiond/db.h"
#include "sessiond/digest.h"
#include "sessiond/keys.h"
#include "sessiond/launch.h"
#include "sessiond/listen.h"
#include "sessiond/origin.h"
#include "sessiond/records.h"
#include "sessiond/routes.h"
#include "sessiond/static.h"
#include "sessiond/target.h"
#include "sessiond/tickets.h"
#include "sessiond/tiers.h"
#include "sessiond/upgrade.h"

static const struct tier tier = {
	.name = "free",
	.cpu = 0.5,
	.idle_ms = 900 * 1000,
	.lifetime_ms = 7200 * 1000,
	.sandboxes = 3,
	.creations_per_hour = 5,
};

/* ---- tiers ---- */

#define GOOD_TIER                                                                                  \
	"cpu: 0.5, memory: 512Mi, pids: 128, disk: 256Mi, idle: 15m, lifetime: 2h, sandboxes: 5, " \
	"creations_per_hour: 10"

static int parse_tiers(const char *text, struct tiers *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;

	if (yaml_parse(text, strlen(text), &doc, e) < 0)
		return -1;
	return tiers_decode(doc, out, e);
}

static void tiers_good(void **state)
{
	struct tiers t = { 0 };
	struct err e = ERR_NONE;
	const struct tier *f;

	assert_int_equal(parse_tiers("version: 1\ntiers: {free: {" GOOD_TIER "}, x: {" GOOD_TIER
				     "}}",
				     &t, &e),
			 0);
	assert_int_equal(t.n, 2);
	f = tiers_find(&t, "free");
	assert_non_null(f);
	assert_true(f->cpu > 0.49 && f->cpu < 0.51);
	assert_int_equal(f->memory, 512ull << 20);
	assert_int_equal(f->idle_ms, 900000);
	assert_int_equal(f->sandboxes, 5);
	assert_null(tiers_find(&t, "pro"));
	tiers_fini(&t);
}

static void tiers_shipped(void **state)
{
	struct tiers t = { 0 };
	struct err e = ERR_NONE;

	assert_int_equal(tiers_load("config/tiers.yaml", &t, &e), 0);
	assert_non_null(tiers_find(&t, "free"));
	assert_int_equal(tiers_find(&t, "free")->sandboxes, 5);
	assert_int_equal(tiers_find(&t, "free")->creations_per_hour, 10);
	assert_non_null(tiers_find(&t, "pro"));
	assert_non_null(tiers_find(&t, "enterprise"));
	tiers_fini(&t);
}

static void tiers_bad(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "version: 2\ntiers: {free: {" GOOD_TIER "}}", "version" },
		{ "tiers: {free: {" GOOD_TIER "}}", "version: required" },
		{ "version: 1", "tiers: required" },
		{ "version: 1\ntiers: {}", "tiers" },
		{ "version: 1\ntiers: {free: {cpu: 1}}", "tiers.free.memory: required" },
		{ "version: 1\ntiers: {free: {" GOOD_TIER ", gpu: 1}}",
		  "tiers.free.gpu: unknown" },
		{ "version: 1\ntiers: {FREE: {" GOOD_TIER "}}", "tiers.FREE" },
		{ "version: 1\ntiers: {free: {cpu: 0, memory: 1}}", "tiers.free.cpu" },
		{ "version: 1\ntiers: {free: {cpu: .nan, memory: 1}}", ".nan is not a number" },
		{ "version: 1\ntiers: {free: {cpu: 1, memory: 12 potatoes}}",
		  "tiers.free.memory" },
		{ "version: 1\ntiers: {free: {memory: 1}}", "tiers.free.memory" },
		{ "version: 1\ntiers: {free: {memory: -5}}", "tiers.free.memory" },
		{ "version: 1\ntiers: {free: {pids: 1.5}}", "tiers.free.pids" },
		{ "version: 1\ntiers: {free: {pids: 0}}", "tiers.free.pids" },
		{ "version: 1\ntiers: {free: {idle: 15}}", "tiers.free.idle" },
		{ "version: 1\ntiers: {free: {lifetime: 999d}}", "tiers.free.lifetime" },
		{ "version: 1\ntiers: {free: {sandboxes: many}}", "tiers.free.sandboxes" },
		{ "version: 1\ntiers: {f: {cpu: 1, memory: 1Gi, pids: 1, disk: 1Gi, idle: 3h, "
		  "lifetime: 2h, sandboxes: 1, creations_per_hour: 1}}",
		  "tiers.f: idle is longer" },
		{ "version: 1\ntiers: [1]", "tiers" },
		{ "[]", "object" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tiers t = { 0 };
		struct err e = ERR_NONE;

		assert_int_equal(parse_tiers(cases[i].text, &t, &e), -1);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("%s\nsays: %s", cases[i].text, e.msg);
		assert_null(t.v);
	}
}

/* ---- origins ---- */

static void origins_exact(void **state)
{
	static const struct {
		const char *origin;
		bool allowed;
	} cases[] = {
		{ "http://127.0.0.1:7681", true },
		{ "http://localhost:7681", true },
		{ "https://ide.example", true },
		{ "null", false },
		{ "", false },
		{ "http://127.0.0.1", false },
		{ "http://127.0.0.1:76810", false },
		{ "http://127.0.0.1:7682", false },
		{ "https://127.0.0.1:7681", false },
		{ "http://127.0.0.1:7681.evil.example", false },
		{ "http://127.0.0.1:7681@evil.example", false },
		{ "http://127.0.0.1:7681/", false },
		{ "HTTP://127.0.0.1:7681", false },
		{ "http://127.0.0.2:7681", false },
		{ "https://ide.example.evil.example", false },
		{ "https://evil-ide.example", false },
		{ "https://a.ide.example", false },
		{ "https://IDE.example", false },
		{ "https://ide.example:443", false },
		{ "http://ide.example", false },
		{ "https://ide.example https://evil.example", false },
	};
	struct origins o = { 0 };
	struct err e = ERR_NONE;

	origins_add_own(&o, "127.0.0.1", 7681);
	assert_int_equal(origins_add(&o, "https://ide.example", &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (origins_allow(&o, cases[i].origin) != cases[i].allowed)
			fail_msg("origin %s", cases[i].origin);
	}
	origins_fini(&o);
	assert_false(origins_allow(&o, "http://127.0.0.1:7681"));
}

static void origins_refused(void **state)
{
	static const char *const bad[] = {
		"ide.example",
		"*",
		"https://*.example",
		"https://ide.example/",
		"https://u@x.example",
		"https://x.example:443",
		"http://x.example:80",
		"https://x.example:0",
		"https://x.example:x",
		"https://X.example",
		"https://",
		"https://[::1",
		"ftp://x.example",
		"null",
	};
	struct origins o = { 0 };
	struct err e = ERR_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (origins_add(&o, bad[i], &e) == 0)
			fail_msg("%s", bad[i]);
	}
	assert_int_equal(origins_add(&o, "http://[::1]:8080", &e), 0);
	origins_fini(&o);
}

/* ---- request targets and routes ---- */

static void targets(void **state)
{
	static const struct {
		const char *uri;
		int segments; /* -1: refused */
	} cases[] = {
		{ "/", 0 },
		{ "/v1/sandboxes", 2 },
		{ "/v1/sandboxes/", 2 },
		{ "/v1/sandboxes/abc/terminal?since=12&cols=80", 4 },
		{ "/a?x=%41+b", 1 },
		{ "v1", -1 },
		{ "", -1 },
		{ "*", -1 },
		{ "//", -1 },
		{ "/v1//x", -1 },
		{ "/v1/../x", -1 },
		{ "/./x", -1 },
		{ "/%2e%2e/x", -1 },
		{ "/v1%2fkeys", -1 },
		{ "/a b", -1 },
		{ "/a;b", -1 },
		{ "/a\\b", -1 },
		{ "/a#b", -1 },
		{ "http://x/", -1 },
		{ "/a?x=%", -1 },
		{ "/a?x=%4", -1 },
		{ "/a?x=%00", -1 },
		{ "/a?x=1&x=2", -1 },
		{ "/1/2/3/4/5/6/7/8/9", -1 },
	};
	struct target t;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = ERR_NONE;
		int r = target_parse(cases[i].uri, &t, &e);

		if ((r < 0 ? -1 : (int) t.n_segments) != cases[i].segments)
			fail_msg("%s: %d %s", cases[i].uri, r, e.msg);
	}
}

static void target_queries(void **state)
{
	static const char *const names[] = { "a", "b", NULL };
	struct target t;
	struct err e = ERR_NONE;
	uint64_t n = 7;

	assert_int_equal(target_parse("/x?a=%41+%2Bz&b=12&&", &t, &e), 0);
	assert_string_equal(target_query(&t, "a"), "A +z");
	assert_string_equal(t.path, "/x");
	assert_null(target_query(&t, "c"));
	assert_int_equal(target_query_u64(&t, "c", 0, 9, &n, &e), 0);
	assert_int_equal(n, 7);
	assert_int_equal(target_query_u64(&t, "b", 0, 12, &n, &e), 1);
	assert_int_equal(n, 12);
	assert_int_equal(target_query_u64(&t, "b", 0, 11, &n, &e), -1);
	assert_int_equal(target_query_u64(&t, "a", 0, 11, &n, &e), -1);
	assert_int_equal(target_query_only(&t, names, &e), 0);
	assert_int_equal(target_query_only(&t, names + 1, &e), -1);
}

static void target_long(void **state)
{
	char uri[TARGET_MAX + 1];
	struct target t;
	struct err e = ERR_NONE;

	memset(uri, 'a', sizeof(uri));
	uri[0] = '/';
	uri[TARGET_MAX - 1] = 0;
	assert_int_equal(target_parse(uri, &t, &e), 0);
	uri[TARGET_MAX - 1] = 'a';
	uri[TARGET_MAX] = 0;
	assert_int_equal(target_parse(uri, &t, &e), -1);
}

static enum route_result find(const char *method, const char *uri, const struct route **r,
			      char allow[64])
{
	static struct target t;
	const char *param;
	struct err e = ERR_NONE;

	assert_int_equal(target_parse(uri, &t, &e), 0);
	return route_find(method, &t, r, &param, allow);
}

static void routes(void **state)
{
	const struct route *r = NULL;
	char allow[64];

	assert_int_equal(find("GET", "/v1/sandboxes/abc", &r, allow), ROUTE_FOUND);
	assert_string_equal(r->pattern, "/v1/sandboxes/{id}");
	assert_int_equal(find("HEAD", "/", &r, allow), ROUTE_FOUND);
	assert_int_equal(find("PUT", "/v1/sandboxes", &r, allow), ROUTE_OTHER_METHOD);
	assert_string_equal(allow, "POST, GET");
	assert_int_equal(find("GET", "/v1/nothing", &r, allow), ROUTE_NONE);
	assert_int_equal(find("GET", "/v1/sandboxes/a/b/c", &r, allow), ROUTE_NONE);
	assert_int_equal(find("GET", "/v1/sandboxesx", &r, allow), ROUTE_NONE);
}

/* Nobody adds a row that leaves the door open by mistake. */
static void routes_open(void **state)
{
	static const char *const open[] = { "/healthz", "/readyz", "/v1/session",
					    "/",	"/{id}",   "/assets/{id}" };
	size_t n;
	const struct route *all = routes_all(&n);

	for (size_t i = 0; i < n; i++) {
		bool listed = false;

		for (size_t k = 0; k < ARRAY_SIZE(open); k++)
			listed |= strcmp(open[k], all[i].pattern) == 0;
		if (all[i].auth == ROUTE_OPEN && !listed)
			fail_msg("%s %s is open", all[i].method, all[i].pattern);
	}
}

/* docs/openapi.yaml has every route but the page's files, and nothing else. */
static void routes_documented(void **state)
{
	auto_json struct json_doc *doc = NULL;
	const struct json *paths;
	struct err e = ERR_NONE;
	size_t n, listed = 0, own = 0;
	const struct route *all = routes_all(&n);

	if (yaml_parse_file(AT_FDCWD, "docs/openapi.yaml", &doc, &e) < 0)
		fail_msg("%s", e.msg);
	paths = json_get(json_root(doc), "paths");
	json_each (path, paths) {
		json_each (member, path)
			listed += strcmp(member->key, "parameters") != 0;
	}
	for (size_t i = 0; i < n; i++) {
		char method[8] = "";

		if (all[i].handler == static_index || all[i].handler == static_file)
			continue;
		for (size_t k = 0; all[i].method[k]; k++)
			method[k] = (char) (all[i].method[k] | 0x20);
		if (!json_find(paths, all[i].pattern, method, NULL))
			fail_msg("%s %s is not documented", method, all[i].pattern);
		own++;
	}
	assert_int_equal(own, listed);
}

static void cookies(void **state)
{
	char v[COOKIE_VALUE_MAX];

	assert_true(auth_cookie("carrel_session=abc", v));
	assert_string_equal(v, "abc");
	assert_true(auth_cookie("a=b; carrel_session=x; c=d", v));
	assert_string_equal(v, "x");
	assert_false(auth_cookie("xcarrel_session=abc", v));
	assert_false(auth_cookie("a=carrel_session=abc", v));
	assert_false(auth_cookie("carrel_session=a; carrel_session=b", v));
	assert_false(auth_cookie("carrel_sessions=abc", v));
	assert_false(auth_cookie("", v));
	assert_false(auth_cookie("; ;", v));
}

/* ---- create ---- */

static int decode(const char *text, struct create *c, struct err *e)
{
	struct json_doc *doc = NULL;
	int r = json_parse(text, strlen(text), NULL, &doc, e);

	if (r == 0)
		r = create_decode(json_root(doc), &tier, "default", c, e);
	/* What was decoded is looked at in create_good only, which keeps its own document. */
	if (r == 0)
		create_fini(c);
	json_doc_free(doc);
	return r;
}

static void create_good(void **state)
{
	static const char text[] =
		"{\"image\":\"registry.example/a:1\",\"command\":[\"sh\",\"-c\",\"x\"],"
		"\"env\":{\"A\":\"1\",\"B_2\":\"\"},\"cwd\":\"/w\",\"user\":\"1000:1000\","
		"\"cols\":132,\"rows\":50,\"idle_seconds\":60,\"labels\":{\"a.b/c\":\"d\"}}";
	auto_json struct json_doc *doc = NULL;
	struct create c = { 0 };
	struct err e = ERR_NONE;

	assert_int_equal(json_parse(text, strlen(text), NULL, &doc, &e), 0);
	assert_int_equal(create_decode(json_root(doc), &tier, NULL, &c, &e), 0);
	assert_string_equal(c.command[2], "x");
	assert_null(c.command[3]);
	assert_string_equal(c.env[0], "A=1");
	assert_string_equal(c.env[1], "B_2=");
	assert_int_equal(c.cols, 132);
	assert_int_equal(c.idle_ms, 60000);
	assert_int_equal(c.lifetime_ms, tier.lifetime_ms);
	create_fini(&c);
	assert_int_equal(decode("{}", &c, &e), 0);
}

static void create_bad(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{\"image\":\"--store\"}", "image" },
		{ "{\"image\":\"../../etc\"}", "image" },
		{ "{\"image\":\"a b\"}", "image" },
		{ "{\"image\":\"\"}", "image" },
		{ "{\"image\":7}", "image" },
		{ "{\"cols\":0}", "cols" },
		{ "{\"cols\":1001}", "cols" },
		{ "{\"cols\":-1}", "cols" },
		{ "{\"cols\":65536}", "cols" },
		{ "{\"rows\":80.5}", "rows" },
		{ "{\"rows\":99999999999999999999}", "rows" },
		{ "{\"command\":[]}", "command" },
		{ "{\"command\":[\"\"]}", "command" },
		{ "{\"command\":\"sh\"}", "command" },
		{ "{\"command\":[\"a\",1]}", "command[1]" },
		{ "{\"command\":[\"a\\u0000b\"]}", "command[0]" },
		{ "{\"env\":[\"A=1\"]}", "env" },
		{ "{\"env\":{\"1A\":\"x\"}}", "env.1A" },
		{ "{\"env\":{\"A=B\":\"x\"}}", "env.A=B" },
		{ "{\"env\":{\"A\":1}}", "env.A" },
		{ "{\"cwd\":\"relative\"}", "cwd" },
		{ "{\"cwd\":\"/a/../b\"}", "cwd" },
		{ "{\"user\":\"-u\"}", "user" },
		{ "{\"user\":\"a b\"}", "user" },
		{ "{\"idle_seconds\":901}", "idle_seconds" },
		{ "{\"idle_seconds\":0}", "idle_seconds" },
		{ "{\"lifetime_seconds\":7201}", "lifetime_seconds" },
		{ "{\"lifetime_seconds\":-1}", "lifetime_seconds" },
		{ "{\"labels\":{\"a b\":\"c\"}}", "labels" },
		{ "{\"labels\":{\"a\":1}}", "labels.a" },
		{ "{\"privileged\":true}", "privileged: unknown" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct create c = { 0 };
		struct err e = ERR_NONE;

		if (decode(cases[i].text, &c, &e) == 0 || !strstr(e.msg, cases[i].says))
			fail_msg("%s says: %s", cases[i].text, e.msg);
	}
}

/* ---- the handshake ---- */

#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define TICKET "0123456789abcdefghijABCDEFGHIJ-_0123456789a"

static enum upgrade_result shake(struct upgrade_headers h, const char *uri, struct upgrade *u)
{
	struct target t;
	struct err e = ERR_NONE;

	assert_int_equal(target_parse(uri, &t, &e), 0);
	return upgrade_parse(&h, &t, u, &e);
}

static void handshake(void **state)
{
	const struct upgrade_headers good = { "websocket", "keep-alive, Upgrade", "13", KEY,
					      "carrel.v1, carrel.ticket." TICKET };
	struct upgrade_headers h;
	struct upgrade u;

	assert_int_equal(shake(good, "/t?since=5&cols=80&rows=24&role=viewer", &u), UPGRADE_OK);
	assert_string_equal(u.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_string_equal(u.ticket, TICKET);
	assert_true(u.has_since && u.viewer && u.since == 5 && u.cols == 80 && u.rows == 24);
	assert_int_equal(shake(good, "/t", &u), UPGRADE_OK);
	assert_true(!u.has_since && !u.viewer && !u.cols);

#define WITH(member, value, result)                                                            \
	h = good;                                                                              \
	h.member = value;                                                                      \
	assert_int_equal(shake(h, "/t", &u), result)
	WITH(upgrade, NULL, UPGRADE_NO_SOCKET);
	WITH(upgrade, "h2c", UPGRADE_NO_SOCKET);
	WITH(connection, "keep-alive", UPGRADE_NO_SOCKET);
	WITH(connection, "upgraded", UPGRADE_NO_SOCKET);
	WITH(version, "8", UPGRADE_BAD_VERSION);
	WITH(version, NULL, UPGRADE_BAD_VERSION);
	WITH(key, NULL, UPGRADE_BAD);
	WITH(key, "dGhlIHNhbXBsZSBub25jZQ=", UPGRADE_BAD);
	WITH(key, "dGhlIHNhbXBsZSBub25jZR==", UPGRADE_BAD);
	WITH(key, "dGhlIHNhbXBsZSBub25jZ!==", UPGRADE_BAD);
	WITH(protocols, NULL, UPGRADE_BAD);
	WITH(protocols, "tty", UPGRADE_BAD);
	WITH(protocols, "carrel.v1, carrel.ticket.short", UPGRADE_BAD);
	WITH(protocols, "carrel.v1, carrel.ticket." TICKET ", carrel.ticket." TICKET,
	     UPGRADE_BAD);
	WITH(protocols, "carrel.ticket." TICKET, UPGRADE_BAD);
	WITH(protocols, "carrel.v1", UPGRADE_OK);
#undef WITH
}

static void handshake_query(void **state)
{
	static const char *const bad[] = {
		"/t?cols=80",	       "/t?cols=0&rows=1",
		"/t?cols=1&rows=1001", "/t?since=-1",
		"/t?since=1e3",	       "/t?since=99999999999999999999",
		"/t?role=root",	       "/t?arg=-c",
		"/t?since=",	       "/t?cols=65536&rows=24",
	};
	const struct upgrade_headers good = { "websocket", "Upgrade", "13", KEY, "carrel.v1" };
	struct upgrade u;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (shake(good, bad[i], &u) != UPGRADE_BAD)
			fail_msg("%s", bad[i]);
	}
}

static void close_frames(void **state)
{
	uint8_t f[128];

	assert_int_equal(upgrade_close_frame(4410, "deleted", f), 11);
	assert_memory_equal(f,
			    "\x88\x09\x11\x3a"
			    "deleted",
			    11);
	for (enum launch_reason r = LAUNCH_EXITED; r <= LAUNCH_ERROR; r++)
		assert_true(upgrade_close_code(launch_reason_name(r)) >= 1000);
	assert_int_equal(upgrade_close_code("idle"), 4008);
	assert_int_equal(upgrade_close_code("lifetime"), 4009);
	assert_int_equal(upgrade_close_code("oom"), 4010);
	assert_int_equal(upgrade_close_code("deleted"), 4410);
}

static void orders(void **state)
{
	const struct upgrade u = { .has_since = true, .since = 9, .cols = 80, .rows = 24 };
	auto_buf struct buf out = BUF_LIMIT(1024);
	struct err e = ERR_NONE;

	assert_int_equal(upgrade_order(&u, "a\"b", &out, &e), 0);
	assert_string_equal(
		buf_str(&out),
		"{\"op\":\"attach\",\"framing\":\"ws\",\"role\":\"writer\",\"since\":9,"
		"\"cols\":80,\"rows\":24,\"client\":\"a\\\"b\"}");
}

/* ---- addresses ---- */

static void addresses(void **state)
{
	static const char *const bad[] = {
		"",	    "7681",	"localhost:7681",  "127.0.0.1",
		"::1:80",   "[::1]",	"127.0.0.1:65536", "127.0.0.1:-1",
		"unix:rel", "unix:/a/", "[127.0.0.1]:1",   ":80"
	};
	struct listen_addr a;
	struct err e = ERR_NONE;

	assert_int_equal(listen_parse("127.0.0.1:7681", &a, &e), 0);
	assert_true(a.loopback && a.port == 7681);
	assert_int_equal(listen_parse("127.9.9.9:0", &a, &e), 0);
	assert_true(a.loopback);
	assert_int_equal(listen_parse("[::1]:80", &a, &e), 0);
	assert_true(a.loopback);
	assert_string_equal(a.host, "[::1]");
	assert_int_equal(listen_parse("0.0.0.0:80", &a, &e), 0);
	assert_true(!a.loopback && a.wildcard);
	assert_int_equal(listen_parse("192.0.2.1:80", &a, &e), 0);
	assert_true(!a.loopback && !a.wildcard);
	assert_int_equal(listen_parse("unix:/run/x.sock", &a, &e), 0);
	assert_true(a.is_unix);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (listen_parse(bad[i], &a, &e) == 0)
			fail_msg("%s", bad[i]);
	}
}

static void configuration(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "listen: 127.0.0.1:1", "listen" },
		{ "keep_ended: 5", "keep_ended" },
		{ "uid_base: x", "uid_base" },
		{ "nonsense: 1", "nonsense: unknown" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_json struct json_doc *doc = NULL;
		struct config c = { 0 };
		struct err e = ERR_NONE;

		assert_int_equal(yaml_parse(cases[i].text, strlen(cases[i].text), &doc, &e), 0);
		assert_int_equal(config_decode(doc, &c, &e), -1);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("%s says: %s", cases[i].text, e.msg);
		config_fini(&c);
	}
}

/* ---- tickets ---- */

static void tickets_once(void **state)
{
	struct tickets *t = tickets_new();
	struct identity ann = { .user = "ann", .key_id = "k1" }, who = { 0 };
	char ticket[TICKET_LEN + 1];
	struct err e = ERR_NONE;

	assert_int_equal(ticket_issue(t, "box", &ann, 1000, ticket, &e), 0);
	assert_int_equal(strlen(ticket), TICKET_LEN);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1001, &who), 1);
	assert_string_equal(who.user, "ann");
	assert_int_equal(ticket_redeem(t, ticket, "box", 1002, &who), 0);

	assert_int_equal(ticket_issue(t, "box", &ann, 1000, ticket, &e), 0);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1000 + TICKET_MS, &who), 0);

	/* Shown to another sandbox it is spent too. */
	assert_int_equal(ticket_issue(t, "box", &ann, 1000, ticket, &e), 0);
	assert_int_equal(ticket_redeem(t, ticket, "other", 1001, &who), 0);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1002, &who), 0);

	assert_int_equal(ticket_redeem(t, "", "box", 1, &who), 0);
	tickets_free(t);
}

static void tickets_limited(void **state)
{
	struct tickets *t = tickets_new();
	struct identity ann = { .user = "ann" }, bob = { .user = "bob" };
	char ticket[TICKET_LEN + 1];
	struct err e = ERR_NONE;

	for (int i = 0; i < TICKETS_PER_USER; i++)
		assert_int_equal(ticket_issue(t, "box", &ann, 1000, ticket, &e), 0);
	assert_int_equal(ticket_issue(t, "box", &ann, 1000, ticket, &e), -1);
	assert_int_equal(ticket_issue(t, "box", &bob, 1000, ticket, &e), 0);
	/* The old ones make room when they have expired. */
	assert_int_equal(ticket_issue(t, "box", &ann, 1000 + TICKET_MS, ticket, &e), 0);
	tickets_free(t);
}

/* ---- with a database ---- */

static int with_db(void **state)
{
	char dir[] = "/tmp/carrel-test-XXXXXX";
	struct db *db = NULL;
	struct err e = ERR_NONE;

	assert_non_null(mkdtemp(dir));
	if (db_open(dir, "t.db", &db, &e) < 0)
		fail_msg("%s", e.msg);
	*state = xalloc(sizeof(void *) * 2);
	((void **) *state)[0] = db;
	((void **) *state)[1] = xstrdup(dir);
	return 0;
}

static int without_db(void **state)
{
	void **s = *state;
	auto_close int tmp = FD_NONE;
	struct err e = ERR_NONE;

	db_close(s[0]);
	tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fd_remove_tree(tmp, (char *) s[1] + strlen("/tmp/"), &e), 0);
	free(s[1]);
	free(s);
	return 0;
}

static struct db *db_of(void **state)
{
	return ((void **) *state)[0];
}

static void add(struct db *db, struct key_spec spec, char key[KEY_LEN + 1],
		char id[KEY_ID_LEN + 1])
{
	struct err e = ERR_NONE;

	if (key_add(db, &spec, key, id, &e) < 0)
		fail_msg("%s", e.msg);
}

static void keys(void **state)
{
	struct db *db = db_of(state);
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1];
	struct identity who = { 0 };
	struct err e = ERR_NONE;

	add(db, (struct key_spec){ .user = "ann", .tier = "free", .admin = true }, key, id);
	assert_int_equal(strlen(key), KEY_LEN);
	assert_memory_equal(key, "crl_", 4);
	assert_int_equal(key_find(db, key, &who, &e), 1);
	assert_string_equal(who.user, "ann");
	assert_string_equal(who.tier_name, "free");
	assert_true(who.admin && who.via == VIA_KEY);
	for (size_t i = 0; i < KEY_LEN; i++) {
		char wrong[KEY_LEN + 1];

		memcpy(wrong, key, sizeof(wrong));
		wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
		assert_int_equal(key_find(db, wrong, &who, &e), 0);
		wrong[i] = 0;
		assert_int_equal(key_find(db, wrong, &who, &e), 0);
	}
	assert_int_equal(key_valid(db, id, &e), 1);
	assert_int_equal(key_remove(db, id, &e), 1);
	assert_int_equal(key_remove(db, id, &e), 0);
	assert_int_equal(key_valid(db, id, &e), 0);
	assert_int_equal(key_find(db, key, &who, &e), 0);

	add(db, (struct key_spec){ .user = "ann", .tier = "free", .expires_ms = 1 }, key, id);
	assert_int_equal(key_find(db, key, &who, &e), 0);
	assert_int_equal(key_valid(db, id, &e), 0);
}

static void key_not_stored(void **state)
{
	struct db *db = db_of(state);
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1], path[128];
	auto_buf struct buf file = BUF_LIMIT(8 << 20);
	struct err e = ERR_NONE;

	add(db, (struct key_spec){ .user = "ann", .tier = "free" }, key, id);
	(void) snprintf(path, sizeof(path), "%s/t.db-wal", (char *) ((void **) *state)[1]);
	assert_int_equal(fd_read_file(AT_FDCWD, path, 8 << 20, &file, &e), 0);
	assert_non_null(memmem(buf_bytes(&file), buf_len(&file), "ann", 3));
	assert_null(memmem(buf_bytes(&file), buf_len(&file), key + 17, SECRET_LEN));
}

static void key_users(void **state)
{
	static const char *const bad[] = { "", "a b", "-a", ".a", "a/b", "a\n", "ä" };
	struct err e = ERR_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(key_check_user(bad[i], &e), -1);
	assert_int_equal(key_check_user("ann.b-c_d@example.org", &e), 0);
}

static void sessions(void **state)
{
	struct db *db = db_of(state);
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1], token[KEY_LEN + 1], second[KEY_LEN + 1];
	struct identity who = { 0 };
	struct err e = ERR_NONE;

	add(db, (struct key_spec){ .user = "ann", .tier = "free", .first_use = true }, key, id);
	/* A first-use key opens one session and is no key otherwise. */
	assert_int_equal(key_find(db, key, &who, &e), 0);
	assert_int_equal(session_new(db, key, 60000, token, &who, &e), 1);
	assert_int_equal(session_new(db, key, 60000, second, &who, &e), 0);
	assert_int_equal(session_find(db, token, &who, &e), 1);
	assert_int_equal(key_valid(db, id, &e), 1);
	assert_true(who.via == VIA_COOKIE);
	assert_string_equal(who.user, "ann");
	/* Neither is the other. */
	assert_int_equal(key_find(db, token, &who, &e), 0);
	assert_int_equal(session_find(db, key, &who, &e), 0);
	assert_true(keys_prune(db, &e) >= 0);
	assert_int_equal(session_find(db, token, &who, &e), 1);
	assert_int_equal(session_remove(db, token, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 0);

	add(db, (struct key_spec){ .user = "ann", .tier = "free" }, key, id);
	assert_int_equal(session_new(db, key, 60000, token, &who, &e), 1);
	assert_int_equal(session_new(db, key, 60000, second, &who, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 1);
	assert_int_equal(key_remove(db, id, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 0);
	assert_int_equal(session_find(db, second, &who, &e), 0);

	add(db, (struct key_spec){ .user = "ann", .tier = "free" }, key, id);
	assert_int_equal(session_new(db, key, 0, token, &who, &e), 1);
	assert_int_equal(session_find(db, token, &who, &e), 0);
}

static struct record new_record(const char *id, const char *user, uint64_t at)
{
	struct record r = { .created_ms = at };

	(void) snprintf(r.id, sizeof(r.id), "%s", id);
	(void) snprintf(r.user, sizeof(r.user), "%s", user);
	(void) snprintf(r.tier, sizeof(r.tier), "free");
	(void) snprintf(r.image, sizeof(r.image), "default");
	return r;
}

static int reserve(struct db *db, const char *id, const char *user, uint64_t at,
		   struct quota_use *use)
{
	char command[] = "null", labels[] = "{}";
	struct record r = new_record(id, user, at);
	struct err e = ERR_NONE;
	int q;

	r.command = command;
	r.labels = labels;
	q = quota_reserve(db, &r, &tier, use, &e);
	if (q < 0)
		fail_msg("%s", e.msg);
	return q;
}

static void quota(void **state)
{
	const uint64_t now = 1000000000;
	struct launch_exit exited = { .reason = LAUNCH_EXITED };
	struct db *db = db_of(state);
	struct quota_use use;
	struct err e = ERR_NONE;

	assert_int_equal(reserve(db, "a1", "ann", now, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a2", "ann", now + 1000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a3", "ann", now + 2000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a4", "ann", now + 3000, &use), QUOTA_SANDBOXES);
	assert_int_equal(use.sandboxes, 3);
	assert_int_equal(reserve(db, "b1", "bob", now + 3000, &use), QUOTA_OK);
	/* A start that failed costs nothing. */
	assert_int_equal(quota_release(db, "a3", &e), 0);
	assert_int_equal(reserve(db, "a4", "ann", now + 4000, &use), QUOTA_OK);
	/* The end of one makes room, its creation stays counted. */
	assert_int_equal(record_ended(db, "a1", &exited, now, &e), 1);
	assert_int_equal(record_ended(db, "a1", &exited, now, &e), 0);
	assert_int_equal(record_ended(db, "a2", &exited, now, &e), 1);
	assert_int_equal(reserve(db, "a5", "ann", now + 5000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a6", "ann", now + 6000, &use), QUOTA_OK);
	assert_int_equal(record_ended(db, "a6", &exited, now, &e), 1);
	assert_int_equal(reserve(db, "a7", "ann", now + 7000, &use), QUOTA_CREATIONS);
	assert_int_equal(use.creations, 5);
	assert_int_equal(use.retry_ms, RECORD_HOUR_MS - 7000);
	assert_int_equal(reserve(db, "a7", "ann", now + RECORD_HOUR_MS + 1, &use), QUOTA_OK);
}

/* Ten processes with a connection each reach for three places. */
static void quota_race(void **state)
{
	const char *dir = ((void **) *state)[1];
	int won = 0, status;

	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct quota_use use;
			struct err e = ERR_NONE;
			char id[16], command[] = "null", labels[] = "{}";
			struct record r;
			struct db *db;

			(void) snprintf(id, sizeof(id), "r%d", i);
			r = new_record(id, "ann", clock_real_ms());
			r.command = command;
			r.labels = labels;
			if (db_open(dir, "t.db", &db, &e) < 0)
				_exit(9);
			_exit(quota_reserve(db, &r, &tier, &use, &e) == QUOTA_OK ? 0 : 1);
		}
	}
	while (wait(&status) > 0) {
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		won += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(won, 3);
}

static void count_live(void *arg, const char *id)
{
	++*(int *) arg;
}

static void records(void **state)
{
	struct launch_exit oom = { .reason = LAUNCH_OOM, .signal = 9, .oom_kills = 2 };
	struct db *db = db_of(state);
	struct record r = { 0 }, *v;
	struct quota_use use;
	struct err e = ERR_NONE;
	int live = 0;
	size_t n;

	assert_int_equal(reserve(db, "a1", "ann", 5000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "b1", "bob", 5000, &use), QUOTA_OK);
	assert_int_equal(reserve(db, "a2", "ann", 5000, &use), QUOTA_OK);
	assert_int_equal(record_find(db, "nope", &r, &e), 0);
	assert_int_equal(record_running(db, "a1", &e), 1);
	assert_int_equal(record_find(db, "a1", &r, &e), 1);
	assert_int_equal(r.state, RECORD_RUNNING);
	assert_null(r.exit);
	record_fini(&r);
	assert_int_equal(record_ended(db, "a1", &oom, 6000, &e), 1);
	assert_int_equal(record_find(db, "a1", &r, &e), 1);
	assert_int_equal(r.state, RECORD_ENDED);
	assert_string_equal(r.reason, "oom");
	assert_non_null(strstr(r.exit, "\"oom_kills\":2"));
	record_fini(&r);

	assert_int_equal(record_each_live(db, count_live, &live, &e), 0);
	assert_int_equal(live, 2);
	assert_int_equal(record_list(db, "ann", NULL, 10, &v, &n, &e), 0);
	assert_int_equal(n, 2);
	record_fini(&v[0]);
	record_fini(&v[1]);
	free(v);
	assert_int_equal(record_list(db, NULL, "a1", 1, &v, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(v[0].id, "b1");
	record_fini(&v[0]);
	free(v);
	assert_int_equal(record_list(db, NULL, "nope", 1, &v, &n, &e), -1);
	assert_int_equal(record_list(db, "bob", "a1", 1, &v, &n, &e), -1);
	assert_int_equal(e.code, ENOENT);
	assert_true(records_prune(db, 6000, 7000, &e) >= 0);
	assert_int_equal(record_find(db, "a1", &r, &e), 1);
	record_fini(&r);
	assert_true(records_prune(db, 6001, 7000, &e) >= 0);
	assert_int_equal(record_find(db, "a1", &r, &e), 0);
}

static void db_newer(void **state)
{
	const char *dir = ((void **) *state)[1];
	struct db *db = NULL;
	struct err e = ERR_NONE;

	assert_int_equal(db_exec(db_of(state), &e, "PRAGMA user_version = 99", ""), 0);
	assert_int_equal(db_open(dir, "t.db", &db, &e), -1);
	assert_non_null(strstr(e.msg, "version 99"));
}

static void digests(void **state)
{
	struct digest d = digest_sha256("abc", 3);
	char hex[65];

	str_hex(d.bytes, 32, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#define db_test(f) cmocka_unit_test_setup_teardown(f, with_db, without_db)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tiers_good),
		cmocka_unit_test(tiers_shipped),
		cmocka_unit_test(tiers_bad),
		cmocka_unit_test(origins_exact),
		cmocka_unit_test(origins_refused),
		cmocka_unit_test(targets),
		cmocka_unit_test(target_queries),
		cmocka_unit_test(target_long),
		cmocka_unit_test(routes),
		cmocka_unit_test(routes_open),
		cmocka_unit_test(routes_documented),
		cmocka_unit_test(cookies),
		cmocka_unit_test(create_good),
		cmocka_unit_test(create_bad),
		cmocka_unit_test(handshake),
		cmocka_unit_test(handshake_query),
		cmocka_unit_test(close_frames),
		cmocka_unit_test(orders),
		cmocka_unit_test(addresses),
		cmocka_unit_test(configuration),
		cmocka_unit_test(tickets_once),
		cmocka_unit_test(tickets_limited),
		cmocka_unit_test(digests),
		db_test(keys),
		db_test(key_not_stored),
		cmocka_unit_test(key_users),
		db_test(sessions),
		db_test(quota),
		db_test(quota_race),
		db_test(records),
		db_test(db_newer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
