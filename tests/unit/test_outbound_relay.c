/* What the relay makes of a head, who may dial in, and what a dialer makes of its configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "sessiond/dialer/backoff.h"
#include "sessiond/dialer/config.h"
#include "sessiond/dialer/url.h"
#include "sessiond/outbound/head.h"
#include "sessiond/relay/answer.h"
#include "sessiond/relay/call.h"
#include "sessiond/relay/hosts.h"

static unsigned parse(const char *text, struct call *c, char **out)
{
	auto_buf struct buf b = BUF_LIMIT(2 * HEAD_MAX);
	struct err e = ERR_NONE;
	unsigned status;

	assert_int_equal(head_length(text, strlen(text)), strlen(text));
	status = call_parse(text, strlen(text), ".relay.test", c, &b, &e);
	assert_true(status == 0 || e.msg[0]);
	if (out)
		*out = xstrdup(buf_str(&b));
	return status;
}

static void by_the_hosts_name(void **state)
{
	auto_free char *out = NULL;
	struct call c;

	assert_int_equal(parse("POST /v1/sandboxes?a=b HTTP/1.1\r\nHost: H1.Relay.Test:8443\r\n"
			       "content-length:  12 \r\nX: y\r\nConnection: keep-alive\r\n\r\n",
			       &c, &out),
			 0);
	assert_int_equal(c.kind, CALL_HOST);
	assert_string_equal(c.host, "h1");
	assert_int_equal(c.body, 12);
	assert_string_equal(out,
			    "POST /v1/sandboxes?a=b HTTP/1.1\r\nHost: H1.Relay.Test:8443\r\n"
			    "content-length: 12\r\nX: y\r\nConnection: close\r\n\r\n");
}

static void by_path(void **state)
{
	auto_free char *out = NULL;
	struct call c;

	assert_int_equal(parse("GET /h/h1/v1/me?x HTTP/1.1\r\nHost: relay.test\r\n\r\n", &c,
			       &out),
			 0);
	assert_string_equal(c.host, "h1");
	assert_string_equal(
		out, "GET /v1/me?x HTTP/1.1\r\nHost: relay.test\r\nConnection: close\r\n\r\n");
	/* By name every path is the host's. */
	assert_int_equal(parse("GET /dial HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n", &c, NULL),
			 0);
	assert_int_equal(c.kind, CALL_HOST);
	assert_int_equal(parse("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", &c, NULL),
			 0);
	assert_int_equal(c.kind, CALL_HEALTH);
}

static void an_upgrade_goes_on(void **state)
{
	auto_free char *out = NULL;
	struct call c;

	assert_int_equal(
		parse("GET /t HTTP/1.1\r\nHost: h1.relay.test\r\nUpgrade: WebSocket\r\n"
		      "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: k\r\n\r\n",
		      &c, &out),
		0);
	assert_true(c.body == UINT64_MAX);
	assert_non_null(strstr(out, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	/* Another protocol is declined by not being passed on. */
	assert_int_equal(parse("GET /t HTTP/1.1\r\nHost: h1.relay.test\r\nUpgrade: h2c\r\n"
			       "Connection: Upgrade\r\n\r\n",
			       &c, NULL),
			 0);
	assert_int_equal(c.body, 0);
}

static void words_about_the_way_are_dropped(void **state)
{
	auto_free char *out = NULL;
	struct call c;

	assert_int_equal(
		parse("GET / HTTP/1.1\r\nHost: h1.relay.test\r\nX-Forwarded-For: 127.0.0.1\r\n"
		      "x-forwarded-proto: https\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: ::1\r\n"
		      "Keep-Alive: 1\r\nTE: trailers\r\nProxy-Connection: x\r\nVia: x\r\nX-For: me\r\n\r\n",
		      &c, &out),
		0);
	assert_string_equal(
		out,
		"GET / HTTP/1.1\r\nHost: h1.relay.test\r\nX-For: me\r\nConnection: close\r\n\r\n");
}

static void refusals(void **state)
{
	/* clang-format off */
	static const struct { unsigned status; const char *head; } rows[] = {
		{ 400, "GET http://h1.relay.test/ HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "get / HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "GET  / HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "GET /\r\nHost: h1.relay.test\r\n\r\n" },
		{ 505, "GET / HTTP/1.0\r\nHost: h1.relay.test\r\n\r\n" },
		{ 505, "GET / HTTP/1.1 \r\nHost: h1.relay.test\r\n\r\n" },
		{ 505, "GET / x HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "CONNECT h1.relay.test:443 HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "OPTIONS * HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "GET /\001 HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "GET /\t HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nHost: h2.relay.test\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test, h2.relay.test\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a@h1.relay.test\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost : h1.relay.test\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\n Host: h1.relay.test\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nX: a\r\n b\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nX: a\n\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\nX: a\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nX: a\rb\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nno colon\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\n: x\r\n\r\n" },
		{ 400, "\r\nGET / HTTP/1.1\r\nHost: h1.relay.test\r\n\r\n" },
		{ 411, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 411, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length: 3\r\nTransfer-Encoding: identity\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length: 3, 3\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length: +3\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length: 0x3\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length:\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nContent-Length: 1234567890123456789\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nConnection: close, Authorization\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h1.relay.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\n" },
		{ 404, "GET / HTTP/1.1\r\nHost: a.b.relay.test\r\n\r\n" },
		{ 404, "GET / HTTP/1.1\r\nHost: -.relay.test\r\n\r\n" },
		{ 404, "GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n" },
		{ 404, "GET / HTTP/1.1\r\nHost: h1.relay.test.evil.example\r\n\r\n" },
		{ 404, "GET /h/h1 HTTP/1.1\r\nHost: x\r\n\r\n" },
		{ 404, "GET /h//v1 HTTP/1.1\r\nHost: x\r\n\r\n" },
		{ 404, "GET /h/../v1 HTTP/1.1\r\nHost: x\r\n\r\n" },
		{ 404, "GET /h/h%31/v1 HTTP/1.1\r\nHost: x\r\n\r\n" },
		{ 403, "GET /h/h1/v1 HTTP/1.1\r\nHost: x\r\nCookie: carrel_session=x\r\n\r\n" },
		{ 403, "GET /h/h1/v1 HTTP/1.1\r\nHost: x\r\nOrigin: https://x\r\n\r\n" },
		{ 403, "GET /h/h1/ HTTP/1.1\r\nHost: x\r\nSec-Fetch-Mode: navigate\r\n\r\n" },
		{ 426, "GET /dial HTTP/1.1\r\nHost: x\r\n\r\n" },
	};
	/* clang-format on */
	struct call c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned status = parse(rows[i].head, &c, NULL);

		if (status != rows[i].status)
			fail_msg("%u instead of %u: %s", status, rows[i].status, rows[i].head);
	}
}

static void nul_and_too_many_fields(void **state)
{
	static const char nul[] = "GET / HTTP/1.1\r\nHost: h1.relay.test\r\nX: a\0b\r\n\r\n";
	auto_buf struct buf b = BUF_LIMIT(HEAD_MAX), out = BUF_LIMIT(2 * HEAD_MAX);
	struct call c;
	struct err e = ERR_NONE;

	assert_int_equal(call_parse(nul, sizeof(nul) - 1, NULL, &c, &out, &e), 400);
	(void) buf_puts(&b, "GET /healthz HTTP/1.1\r\nHost: x\r\n", &e);
	for (int i = 0; i < HEAD_FIELDS; i++)
		(void) buf_puts(&b, "X: y\r\n", &e);
	(void) buf_puts(&b, "\r\n", &e);
	assert_int_equal(call_parse(buf_str(&b), buf_len(&b), NULL, &c, &out, &e), 431);
}

static void a_dialers_head(void **state)
{
	struct call c;

	assert_int_equal(
		parse("GET /dial HTTP/1.1\r\nHost: relay.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		      "Sec-WebSocket-Protocol: carrel.relay.v1\r\nCarrel-Host: h1\r\n"
		      "Authorization: Bearer crt_x\r\n\r\n",
		      &c, NULL),
		0);
	assert_int_equal(c.kind, CALL_DIAL);
	assert_string_equal(c.host, "h1");
	assert_string_equal(c.token, "crt_x");
	assert_string_equal(c.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455, 1.3 */
}

/* ---- hosts ---- */

static void hosts_of_a_file(void **state)
{
	char token[TOKEN_LEN + 1], line[192], other[TOKEN_LEN + 1], second[192];
	auto_free char *text = NULL;
	struct hosts *h = NULL, *later = NULL;
	struct err e = ERR_NONE;

	hosts_new_token("h1", token, line);
	hosts_new_token("h2", other, second);
	assert_int_equal(strlen(token), TOKEN_LEN);
	text = xasprintf("# hosts\n\n%s\n%s", second, line);
	assert_int_equal(hosts_parse(text, &h, &e), 0);
	assert_int_equal(hosts_count(h), 2);
	assert_true(hosts_allow(h, "h1", token));
	assert_true(hosts_allow(h, "h2", other));
	assert_false(hosts_allow(h, "h2", token));
	assert_false(hosts_allow(h, "h3", token));
	assert_false(hosts_allow(h, "", ""));
	assert_int_equal(hosts_parse(second, &later, &e), 0);
	assert_true(hosts_same(h, later, "h2"));
	assert_false(hosts_same(h, later, "h1"));
	hosts_free(h);
	hosts_free(later);
}

static void hosts_with_mistakes(void **state)
{
	static const char hex[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const char *const bad[] = { "h1",    "h1 ",	    "h1 %.63s", "h1 %s0",
					   "H1 %s", "h1 %s\nh1 %s", " h1 %s",	"h1 %s x" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_buf struct buf b = BUF_LIMIT(4096);
		struct hosts *h = NULL;
		struct err e = ERR_NONE;

		for (const char *p = bad[i]; *p; p++) {
			if (strncmp(p, "%.63s", 5) == 0)
				(void) buf_append(&b, hex, 63, &e), p += 4;
			else if (*p == '%')
				(void) buf_puts(&b, hex, &e), p++;
			else
				(void) buf_append(&b, p, 1, &e);
		}
		if (hosts_parse(buf_str(&b), &h, &e) == 0)
			fail_msg("taken: %s", buf_str(&b));
		assert_true(e.msg[0]);
	}
}

static void answers_are_whole(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(ANSWER_MAX);
	auto_json struct json_doc *doc = NULL;
	struct head h;
	struct head_text t;
	struct err e = ERR_NONE;
	size_t n;

	answer_problem(&b, 502, "the host is not connected");
	n = head_length(buf_bytes(&b), buf_len(&b));
	assert_int_equal(head_parse(buf_str(&b), n, &h, &e), 0);
	assert_true(head_is(h.start, "HTTP/1.1 502 Bad Gateway"));
	assert_int_equal(head_get(&h, "Content-Length", &t), 1);
	assert_int_equal(strtoul(t.p, NULL, 10), buf_len(&b) - n);
	assert_int_equal(json_parse(buf_str(&b) + n, buf_len(&b) - n, NULL, &doc, &e), 0);
	assert_int_equal(json_int_or(json_root(doc), "status", 0), 502);
}

/* ---- a dialer's ---- */

static void waits_double_and_are_drawn(void **state)
{
	struct backoff b = { .min_ms = 500, .max_ms = 60000 };
	static const uint64_t bounds[] = { 500,	  1000,	 2000,	4000, 8000,
					   16000, 32000, 60000, 60000 };

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		assert_int_equal(backoff_bound(&b), bounds[i]);
		assert_true(backoff_next(&b, bounds[i]) == bounds[i]); /* the most */
	}
	assert_int_equal(backoff_next(&b, 0), 0); /* and the least */
	assert_int_equal(backoff_next(&b, 60001), 0);
	backoff_reset(&b);
	assert_int_equal(backoff_bound(&b), 500);
	b = (struct backoff){ .min_ms = 1, .max_ms = UINT64_MAX };
	for (int i = 0; i < 200; i++)
		(void) backoff_next(&b, 7);
	assert_true(backoff_bound(&b) > 1);
}

static void addresses_of_relays(void **state)
{
	/* clang-format off */
	static const struct { const char *s; bool tls; const char *host; unsigned port; const char *path; } good[] = {
		{ "wss://relay.example", true, "relay.example", 443, "/dial" },
		{ "wss://relay.example/", true, "relay.example", 443, "/dial" },
		{ "wss://relay.example:8443/a/b?c", true, "relay.example", 8443, "/a/b?c" },
		{ "ws://127.0.0.1:80", false, "127.0.0.1", 80, "/dial" },
		{ "wss://[::1]:9", true, "::1", 9, "/dial" },
		{ "wss://[fd00::2]", true, "fd00::2", 443, "/dial" },
	};
	static const char *const bad[] = {
		"", "relay.example", "https://relay.example", "wss://", "wss://:1", "wss://a:", "wss://a:0", "wss://a:65536", "wss://a:1x",
		"wss://u@a", "wss://a b", "wss://::1", "wss://[::1", "wss://[::1]x", "wss://a/\tb", "wss://a/b c", "wss://a/#b",
	};
	/* clang-format on */
	struct relay_url u;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err e = ERR_NONE;

		if (relay_url_parse(good[i].s, &u, &e) < 0)
			fail_msg("%s: %s", good[i].s, e.msg);
		assert_int_equal(u.tls, good[i].tls);
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
		assert_string_equal(u.path, good[i].path);
		assert_true(strncmp(strstr(good[i].s, "//") + 2, u.authority,
				    strlen(u.authority)) == 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_NONE;

		if (relay_url_parse(bad[i], &u, &e) == 0)
			fail_msg("taken: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_hosts_name),
		cmocka_unit_test(by_path),
		cmocka_unit_test(an_upgrade_goes_on),
		cmocka_unit_test(words_about_the_way_are_dropped),
		cmocka_unit_test(refusals),
		cmocka_unit_test(nul_and_too_many_fields),
		cmocka_unit_test(a_dialers_head),
		cmocka_unit_test(hosts_of_a_file),
		cmocka_unit_test(hosts_with_mistakes),
		cmocka_unit_test(answers_are_whole),
		cmocka_unit_test(waits_double_and_are_drawn),
		cmocka_unit_test(addresses_of_relays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
