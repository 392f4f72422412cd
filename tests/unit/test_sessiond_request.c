/* What a request says: targets, routes, bodies of creations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "sessiond/auth.h"
#include "sessiond/create.h"
#include "sessiond/routes.h"
#include "sessiond/static.h"
#include "sessiond/target.h"
#include "sessiond/tiers.h"
#include "tests/unit/free_tier.h"

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
		r = create_decode(json_root(doc), &free_tier, "default", c, e);
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
	assert_int_equal(create_decode(json_root(doc), &free_tier, NULL, &c, &e), 0);
	assert_string_equal(c.command[2], "x");
	assert_null(c.command[3]);
	assert_string_equal(c.env[0], "A=1");
	assert_string_equal(c.env[1], "B_2=");
	assert_int_equal(c.cols, 132);
	assert_int_equal(c.idle_ms, 60000);
	assert_int_equal(c.lifetime_ms, free_tier.lifetime_ms);
	create_fini(&c);
	assert_int_equal(decode("{}", &c, &e), 0);
	assert_int_equal(decode("{\"workspace\":null}", &c, &e), 0);
}

static void create_workspace(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = { { "{}", "default" },
		     { "{\"workspace\":\"mine\"}", "mine" },
		     { "{\"workspace\":null}", NULL } };
	struct tier tier = free_tier;

	tier.workspace.kind = WORKSPACE_PERSISTENT;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json struct json_doc *doc = NULL;
		struct create c = { 0 };
		struct err e = ERR_NONE;

		assert_int_equal(json_parse(rows[i].text, strlen(rows[i].text), NULL, &doc, &e),
				 0);
		assert_int_equal(create_decode(json_root(doc), &tier, "default", &c, &e), 0);
		if (rows[i].name)
			assert_string_equal(c.workspace.name, rows[i].name);
		else
			assert_null(c.workspace.name);
		create_fini(&c);
	}
}

/* A caller may ask for a policy where the tier has none, and for no other one where it has one. */
static void create_policy(void **state)
{
	static const struct {
		const char *tier, *text, *policy, *says;
	} rows[] = {
		{ "", "{}", NULL, NULL },
		{ "", "{\"policy\":\"watch\"}", "watch", NULL },
		{ "secrets", "{}", "secrets", NULL },
		{ "secrets", "{\"policy\":\"secrets\"}", "secrets", NULL },
		{ "secrets", "{\"policy\":\"watch\"}", NULL,
		  "policy: tier free puts its sandboxes under secrets; watch cannot take its place" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json struct json_doc *doc = NULL;
		struct tier tier = free_tier;
		struct create c = { 0 };
		struct err e = ERR_NONE;
		int r;

		(void) snprintf(tier.policy, sizeof(tier.policy), "%s", rows[i].tier);
		assert_int_equal(json_parse(rows[i].text, strlen(rows[i].text), NULL, &doc, &e),
				 0);
		r = create_decode(json_root(doc), &tier, "default", &c, &e);
		assert_int_equal(r, rows[i].says ? -1 : 0);
		if (rows[i].says) {
			assert_int_equal(e.code, EACCES);
			assert_string_equal(e.msg, rows[i].says);
		} else if (rows[i].policy)
			assert_string_equal(c.policy, rows[i].policy);
		else
			assert_null(c.policy);
		create_fini(&c);
	}
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
		{ "{\"workspace\":\"mine\"}", "workspace: tier free has none that lasts" },
		{ "{\"workspace\":\"../mine\"}", "workspace: is no name of a volume" },
		{ "{\"workspace\":7}", "workspace" },
		{ "{\"policy\":\"../x\"}", "policy: is not the name of a policy" },
		{ "{\"policy\":null}", "policy" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets),	    cmocka_unit_test(target_queries),
		cmocka_unit_test(target_long),	    cmocka_unit_test(routes),
		cmocka_unit_test(routes_open),	    cmocka_unit_test(routes_documented),
		cmocka_unit_test(cookies),	    cmocka_unit_test(create_good),
		cmocka_unit_test(create_workspace), cmocka_unit_test(create_policy),
		cmocka_unit_test(create_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
