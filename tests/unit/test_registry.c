/* Names of images, challenges, credentials, configuration and messages: what reaches a registry and comes from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/util.h"
#include "images/challenge.h"
#include "images/credentials.h"
#include "images/platform.h"
#include "images/reference.h"
#include "images/registries.h"
#include "images/registry_message.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void says(const struct err *e, const char *what)
{
	if (!strstr(e->msg, what))
		fail_msg("'%s' does not say '%s'", e->msg, what);
}

static void references(void **state)
{
	static const struct {
		const char *text, *home, *whole; /* whole NULL: refused */
	} rows[] = {
		{ "docker.io/alpine", NULL, "docker.io/library/alpine:latest" },
		{ "docker.io/a/b:1", NULL, "docker.io/a/b:1" },
		{ "alpine", "docker.io", "docker.io/library/alpine:latest" },
		{ "team/app:2", "localhost:5000", "localhost:5000/team/app:2" },
		{ "localhost/x", NULL, "localhost/x:latest" },
		{ "localhost:5000/x@sha256:" HEX, NULL, "localhost:5000/x@sha256:" HEX },
		{ "r.example/x:1@sha256:" HEX, NULL, "r.example/x@sha256:" HEX },
		{ "[::1]:5000/x", NULL, "[::1]:5000/x:latest" },
		{ "r.example/a-b_c.d__e--f/g:T.a-1", NULL, "r.example/a-b_c.d__e--f/g:T.a-1" },
		{ "docker://r.example/x", NULL, "r.example/x:latest" },
		{ "docker://docker://r.example/x", NULL, NULL },
		{ "alpine", NULL, NULL },
		{ "", "docker.io", NULL },
		{ "r.example/", NULL, NULL },
		{ "r.example/A", NULL, NULL },
		{ "r.example/a//b", NULL, NULL },
		{ "r.example/../b", NULL, NULL },
		{ "r.example/a___b", NULL, NULL },
		{ "r.example/a:", NULL, NULL },
		{ "r.example/a:-x", NULL, NULL },
		{ "r.example/a:x/y", NULL, NULL },
		{ "r.example/a@sha256:12", NULL, NULL },
		{ "r.example/a@md5:" HEX, NULL, NULL },
		{ "r.example:0/a", NULL, NULL },
		{ "r.example:70000/a", NULL, NULL },
		{ "r.ex ample/a", NULL, NULL },
		{ "r..example/a", NULL, NULL },
		{ "user@r.example/a", NULL, NULL },
		{ "http://r.example/a", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		struct reference r;
		int got = reference_parse(rows[i].text, rows[i].home, &r, &e);

		if ((got == 0) != (rows[i].whole != NULL))
			fail_msg("'%s': %d %s", rows[i].text, got, e.msg);
		if (got < 0)
			continue;
		auto_free char *whole = reference_text(&r);
		assert_string_equal(whole, rows[i].whole);
	}
}

static void challenges(void **state)
{
	static const struct {
		const char *text;
		int scheme; /* -1: refused */
		const char *realm, *service;
	} rows[] = {
		{ "", CHALLENGE_NONE, "", "" },
		{ "Basic realm=\"x\"", CHALLENGE_BASIC, "x", "" },
		{ "bEARER realm=\"https://a/t\",service=\"s,\\\"q\\\"\"", CHALLENGE_BEARER,
		  "https://a/t", "s,\"q\"" },
		{ "Basic realm=x, Bearer realm=https://a/t , service=s", CHALLENGE_BEARER,
		  "https://a/t", "s" },
		{ "Bearer realm=https://a/t,Basic realm=x", CHALLENGE_BEARER, "https://a/t",
		  "" },
		{ "Bearer service=s, Basic realm=x", CHALLENGE_BASIC, "x", "" },
		{ "Negotiate, Digest realm=x, nonce=\"y\"", CHALLENGE_NONE, "", "" },
		{ "Bearer realm=\"x", -1, "", "" },
		{ "Bearer realm=a,realm=b", -1, "", "" },
		{ "Bearer realm=\"a\nb\"", -1, "", "" },
		{ "=", -1, "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		struct challenge c;
		int r = challenge_parse(rows[i].text, &c, &e);

		if (r < 0) {
			assert_int_equal(rows[i].scheme, -1);
			continue;
		}
		if ((int) c.scheme != rows[i].scheme)
			fail_msg("'%s': scheme %d", rows[i].text, c.scheme);
		assert_string_equal(c.realm, rows[i].realm);
		assert_string_equal(c.service, rows[i].service);
	}
}

static void credentials(void **state)
{
	static const char text[] =
		"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnB3\"},"
		"\"r.example\":{\"auth\":\"dTpwOnc=\"},\"r.example/team\":{\"identitytoken\":\"tok\"},"
		"\"p.example:5000\":{\"username\":\"a\",\"password\":\"b\"},\"bad.example\":"
		"{\"auth\":\"dTpw!\"},\"none.example\":{}},\"credHelpers\":{\"h.example\":\"x\"}}";
	static const struct {
		const char *host, *repo;
		int found;
		const char *user, *secret;
	} rows[] = {
		{ "docker.io", "library/x", 1, "hub", "pw" },
		{ "r.example", "x", 1, "u", "p:w" },
		{ "r.example", "teams/x", 1, "u", "p:w" },
		{ "r.example", "team/x", 1, "", "tok" },
		{ "p.example:5000", "x", 1, "a", "b" },
		{ "p.example", "x", 0, "", "" },
		{ "example", "x", 0, "", "" },
		{ "none.example", "x", 0, "", "" },
		{ "bad.example", "x", -1, "", "" },
		{ "h.example", "x", -1, "", "" },
	};
	struct err e = ERR_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free struct credentials *c = xalloc(sizeof(*c));
		int r = credentials_from_json(text, strlen(text), rows[i].host, rows[i].repo, c,
					      &e);

		if (r != rows[i].found)
			fail_msg("%s: %d %s", rows[i].host, r, e.msg);
		if (r < 0)
			continue;
		assert_string_equal(c->user, rows[i].user);
		assert_string_equal(c->secret, rows[i].secret);
	}
	says(&e, "credential helper");
}

static void configuration(void **state)
{
	static const char text[] = "default: r.example\nregistries:\n  docker.io:\n"
				   "    mirrors: [m.example/hub, n.example]\n"
				   "  n.example: {plain: true}\n  m.example: {ca: /m.pem}\n";
	auto_registries struct registries r = { 0 };
	struct endpoint at[REGISTRIES_MIRRORS + 1];
	struct reference ref;
	struct err e = ERR_NONE;

	assert_int_equal(registries_parse(text, strlen(text), &r, &e), 0);
	assert_string_equal(r.default_host, "r.example");
	assert_int_equal(reference_parse("docker.io/x:1", NULL, &ref, &e), 0);
	assert_int_equal(registries_endpoints(&r, &ref, at), 3);
	assert_string_equal(at[0].host, "m.example");
	assert_string_equal(at[0].repo, "hub/library/x");
	assert_string_equal(at[0].ca, "/m.pem");
	assert_true(at[1].plain && at[1].mirror);
	assert_string_equal(at[2].host, "registry-1.docker.io");
	assert_string_equal(at[2].key, "docker.io");
	assert_false(at[2].plain || at[2].mirror);
	static const char *const bad[] = { "[]",
					   "x: 1",
					   "registries: {a b: {}}",
					   "registries: {a: {ca: rel}}",
					   "registries: {a: {mirrors: [http://b]}}",
					   "registries: {a: {mirrors: b}}",
					   "default: a/b" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct registries ignored;

		if (registries_parse(bad[i], strlen(bad[i]), &ignored, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void messages(void **state)
{
	struct registry_request q = { .op = REGISTRY_BLOB,
				      .repo = "a/b",
				      .ref = "sha256:" HEX };
	struct registry_answer a = { .kind = REGISTRY_DONE, .outcome = REGISTRY_FOUND }, b;
	struct registry_request got;
	struct err e = ERR_NONE;
	char text[16];

	assert_int_equal(registry_request_parse(&q, sizeof(q), &got, &e), 0);
	assert_int_equal(registry_request_parse(&q, sizeof(q) - 1, &got, &e), -1);
	memcpy(q.ref, "a/../b", 7);
	assert_int_equal(registry_request_parse(&q, sizeof(q), &got, &e), -1);
	memcpy(q.ref, "latest", 7);
	memcpy(q.repo, "a/../b", 7);
	assert_int_equal(registry_request_parse(&q, sizeof(q), &got, &e), -1);
	memset(q.repo, 'a', sizeof(q.repo));
	assert_int_equal(registry_request_parse(&q, sizeof(q), &got, &e), -1);
	says(&e, "text 0");
	assert_int_equal(registry_answer_parse(&a, sizeof(a), &b, &e), 0);
	a.text[0] = '\n';
	assert_int_equal(registry_answer_parse(&a, sizeof(a), &b, &e), -1);
	registry_text(text, sizeof(text), "a\nb\x1b[0m\xff\xc3\xa4 and more", 100);
	assert_string_equal(text, "a?b?[0m?\xc3\xa4 a");
}

static void platforms(void **state)
{
	struct platform p;
	struct err e = ERR_NONE;

	assert_int_equal(platform_parse("linux/arm/v7", &p, &e), 0);
	assert_string_equal(platform_text(&p).s, "linux/arm/v7");
	assert_true(platform_fits(&p, "linux", "arm", "v7") >
		    platform_fits(&p, "linux", "arm", "v6"));
	assert_true(platform_fits(&p, "linux", "arm", "v6") >
		    platform_fits(&p, "linux", "arm", "v5"));
	assert_int_equal(platform_fits(&p, "linux", "arm", "v8"), 0);
	assert_int_equal(platform_fits(&p, "windows", "arm", "v7"), 0);
	assert_int_equal(platform_parse("amd64", &p, &e), 0);
	assert_true(platform_fits(&p, NULL, "amd64", NULL) >
		    platform_fits(&p, NULL, "amd64", "v1"));
	assert_int_equal(platform_fits(&p, "linux", "amd64", "v3"), 0);
	assert_int_equal(platform_parse("windows/amd64", &p, &e), -1);
	assert_int_equal(platform_parse("linux/", &p, &e), -1);
	assert_int_equal(platform_parse("linux/arm/v7/x", &p, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),  cmocka_unit_test(challenges),
		cmocka_unit_test(credentials), cmocka_unit_test(configuration),
		cmocka_unit_test(messages),    cmocka_unit_test(platforms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
