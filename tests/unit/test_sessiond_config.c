/* What the operator says: tiers, origins, addresses, carrel.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "sessiond/config.h"
#include "sessiond/listen.h"
#include "sessiond/origin.h"
#include "sessiond/renew.h"
#include "sessiond/tiers.h"

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
	assert_int_equal(f->lifetime_max_ms,
			 f->lifetime_ms); /* not extended unless the tier says so */
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
	assert_int_equal(tiers_find(&t, "pro")->lifetime_max_ms, 48ull * 3600 * 1000);
	/* 12 h more, then what is left of 48 h, then nothing. */
	assert_int_equal(tier_extension(tiers_find(&t, "pro"), 5, 5), 12ull * 3600 * 1000);
	assert_int_equal(tier_extension(tiers_find(&t, "pro"), 5, 172800004), 1);
	assert_int_equal(tier_extension(tiers_find(&t, "pro"), 5, 172800006), 0);
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
		{ "version: 1\ntiers: {free: {detached: 0}}", "tiers.free.detached" },
		{ "version: 1\ntiers: {free: {sandboxes: many}}", "tiers.free.sandboxes" },
		{ "version: 1\ntiers: {f: {cpu: 1, memory: 1Gi, pids: 1, disk: 1Gi, idle: 3h, "
		  "lifetime: 2h, sandboxes: 1, creations_per_hour: 1}}",
		  "tiers.f: idle is longer" },
		{ "version: 1\ntiers: {free: {" GOOD_TIER ", lifetime_max: 1s}}",
		  "tiers.free: lifetime_max is shorter" },
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

	origins_add_own(&o, false, "127.0.0.1", 7681);
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

/* ---- addresses ---- */

static void addresses(void **state)
{
	static const char *const bad[] = { "",
					   "7681",
					   "localhost:7681",
					   "127.0.0.1",
					   "::1:80",
					   "[::1]",
					   "127.0.0.1:65536",
					   "127.0.0.1:-1",
					   "unix:rel",
					   "unix:/a/",
					   "[127.0.0.1]:1",
					   ":80",
					   "unix:/a,group=",
					   "unix:/a/,group=adm",
					   "unix:,group=adm" };
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
	assert_true(a.is_unix && !a.group[0]);
	assert_int_equal(listen_parse("unix:/run/x.sock,group=adm", &a, &e), 0);
	assert_string_equal(a.path, "/run/x.sock");
	assert_string_equal(a.group, "adm");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (listen_parse(bad[i], &a, &e) == 0)
			fail_msg("%s", bad[i]);
	}
}

static void versions(void **state)
{
	static const struct {
		const char *a, *b;
		bool after;
	} cases[] = {
		{ "0.2.0", "0.1.9", true },  { "0.1.9", "0.2.0", false },
		{ "0.10.0", "0.9.0", true }, { "0.1.0", "0.1.0", false },
		{ "1", "0.9.9", true },	     { "0.1.0.1", "0.1.0", true },
		{ "0.1", "0.1.0", false },   { "", "0.1.0", false },
		{ "x", "0.1.0", false },     { "0.1.0", "", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (renew_is_after(cases[i].a, cases[i].b) != cases[i].after)
			fail_msg("%s after %s", cases[i].a, cases[i].b);
}

static void when_shims_are_upgraded(void **state)
{
	struct config c = { .upgrade_shims = "at-start", .tiers = "/t" };
	struct err e = ERR_NONE;

	assert_int_equal(config_complete(&c, "/nowhere", &e), 0);
	assert_true(c.upgrade_at_start);
	config_fini(&c);
	c = (struct config){ .tiers = "/t" };
	assert_int_equal(config_complete(&c, "/nowhere", &e), 0);
	assert_false(c.upgrade_at_start);
	config_fini(&c);
	c = (struct config){ .upgrade_shims = "always", .tiers = "/t" };
	assert_int_equal(config_complete(&c, "/nowhere", &e), -1);
	assert_string_equal(e.msg, "upgrade_shims: \"always\" is neither by-hand nor at-start");
	config_fini(&c);
}

static void configuration(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "listen: 127.0.0.1:1", "listen" },	{ "keep_ended: 5", "keep_ended" },
		{ "uid_base: x", "uid_base" },		{ "upgrade_shims: 1", "upgrade_shims" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tiers_good),	   cmocka_unit_test(tiers_shipped),
		cmocka_unit_test(tiers_bad),	   cmocka_unit_test(origins_exact),
		cmocka_unit_test(origins_refused), cmocka_unit_test(addresses),
		cmocka_unit_test(configuration),   cmocka_unit_test(when_shims_are_upgraded),
		cmocka_unit_test(versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
