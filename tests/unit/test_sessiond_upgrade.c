/* The WebSocket handshake, what closes a connection, and what the shim is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "sessiond/launch.h"
#include "sessiond/target.h"
#include "sessiond/upgrade.h"

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
	WITH(protocols, "webtty", UPGRADE_BAD);
	WITH(protocols, "webtty, carrel.ticket." TICKET, UPGRADE_BAD);
	WITH(protocols, "carrel.v1, carrel.ticket.short", UPGRADE_BAD);
	WITH(protocols, "carrel.v1, carrel.ticket." TICKET ", carrel.ticket." TICKET,
	     UPGRADE_BAD);
	WITH(protocols, "carrel.v1", UPGRADE_OK);
#undef WITH
}

/* What is offered, asked for in the query, spoken, and answered. */
static void handshake_protocols(void **state)
{
	static const struct {
		const char *offers, *uri, *protocol, *answer;
	} rows[] = {
		{ "carrel.v1", "/t", "carrel.v1", "carrel.v1" },
		{ "tty", "/t", "tty", "tty" },
		{ "v5.channel.k8s.io, v4.channel.k8s.io, v3.channel.k8s.io, channel.k8s.io",
		  "/t", "v5.channel.k8s.io", "v5.channel.k8s.io" },
		{ "base64.channel.k8s.io,v4.channel.k8s.io", "/t", "v4.channel.k8s.io",
		  "v4.channel.k8s.io" },
		{ "terminado, carrel.ticket." TICKET, "/t", "terminado", "terminado" },
		{ "webtty, carrel.v1, tty", "/t", "carrel.v1", "carrel.v1" },
		{ "raw", "/t", "raw", "raw" },
		{ NULL, "/t", "raw", "" },
		{ "", "/t", "raw", "" },
		{ "carrel.ticket." TICKET, "/t", "raw", "carrel.ticket." TICKET },
		{ NULL, "/t?protocol=terminado", "terminado", "" },
		{ "carrel.ticket." TICKET, "/t?protocol=tty", "tty", "carrel.ticket." TICKET },
		{ "carrel.v1", "/t?protocol=tty", "carrel.v1", "carrel.v1" },
	};
	struct upgrade u;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct upgrade_headers h = { "websocket", "Upgrade", "13", KEY,
						   rows[i].offers };

		assert_int_equal(shake(h, rows[i].uri, &u), UPGRADE_OK);
		assert_string_equal(u.protocol, rows[i].protocol);
		assert_string_equal(u.answer, rows[i].answer);
	}
}

static void handshake_query(void **state)
{
	static const char *const bad[] = {
		"/t?cols=80",	       "/t?cols=0&rows=1",
		"/t?cols=1&rows=1001", "/t?since=-1",
		"/t?since=1e3",	       "/t?since=99999999999999999999",
		"/t?role=root",	       "/t?arg=-c",
		"/t?since=",	       "/t?cols=65536&rows=24",
		"/t?protocol=webtty",  "/t?protocol=",
	};
	const struct upgrade_headers good = { "websocket", "Upgrade", "13", KEY, "carrel.v1" };
	struct upgrade u;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (shake(good, bad[i], &u) != UPGRADE_BAD)
			fail_msg("%s", bad[i]);
	}
}

/* Who comes after the end is told what those were told who were there. */
static void ended_frames(void)
{
	static const struct {
		const char *protocol;
		struct upgrade_end end;
		const char *message; /* before the close; NULL: none */
		uint16_t code;
		const char *why;
	} rows[] = {
		{ "carrel.v1",
		  { "exited", 3, 0 },
		  "\6{\"reason\":\"exited\",\"code\":3,\"signal\":0}",
		  1000,
		  "exited" },
		{ "carrel.v1",
		  { "idle", 0, 9 },
		  "\6{\"reason\":\"idle\",\"code\":0,\"signal\":9}",
		  4008,
		  "idle" },
		{ "tty", { "exited", 3, 0 }, NULL, 1000, "exited, code 3" },
		{ "raw", { "signalled", 0, 15 }, NULL, 1000, "signalled, signal 15" },
		{ "terminado", { "lifetime", 0, 9 }, NULL, 1000, "lifetime" },
		{ "v4.channel.k8s.io",
		  { "exited", 0, 0 },
		  "\3{\"metadata\":{},\"status\":\"Success\"}",
		  1000,
		  "exited" },
		{ "v5.channel.k8s.io",
		  { "idle", 0, 9 },
		  "\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"the sandbox was ended: idle\","
		  "\"reason\":\"InternalError\",\"code\":500}",
		  1000,
		  "idle" },
		{ "v5.channel.k8s.io",
		  { "oom", 0, 9 },
		  "\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with exit code 137: "
		  "out of memory\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":"
		  "\"ExitCode\",\"message\":\"137\"}]}}",
		  1000,
		  "oom" },
		{ "v5.channel.k8s.io",
		  { "signalled", 0, 9 },
		  "\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with exit code 137\","
		  "\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"137\"}]}}",
		  1000,
		  "signalled" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct upgrade u = { .protocol = rows[i].protocol };
		uint8_t f[UPGRADE_REFUSAL];
		size_t n, at = 0, m = rows[i].message ? strlen(rows[i].message) : 0;

		n = upgrade_ended(&u, &rows[i].end, f);
		if (m) {
			at = m < 126 ? 2 : 4;
			assert_int_equal(f[0], 0x82);
			assert_int_equal(m < 126 ? f[1] : f[2] << 8 | f[3], m);
			assert_memory_equal(f + at, rows[i].message, m);
		}
		at += m;
		assert_int_equal(n, at + 4 + strlen(rows[i].why));
		assert_int_equal(f[at], 0x88);
		assert_int_equal(f[at + 2] << 8 | f[at + 3], rows[i].code);
		assert_memory_equal(f + at + 4, rows[i].why, strlen(rows[i].why));
	}
}

static void close_frames(void **state)
{
	const struct upgrade carrel = { .protocol = "carrel.v1" }, tty = { .protocol = "tty" },
			     k8s = { .protocol = "v5.channel.k8s.io" };
	static const char status[] =
		"\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"idle\","
		"\"reason\":\"InternalError\",\"code\":500}";
	uint8_t f[UPGRADE_REFUSAL];

	assert_int_equal(upgrade_refusal(&carrel, 4410, "deleted", f), 11);
	assert_memory_equal(f,
			    "\x88\x09\x11\x3a"
			    "deleted",
			    11);
	assert_int_equal(upgrade_refusal(&tty, 4410, "deleted", f), 11);
	assert_memory_equal(f, "\x88\x09\x03\xe8", 4);
	assert_int_equal(upgrade_refusal(&tty, 4429, "", f), 4);
	assert_memory_equal(f, "\x88\x02\x03\xf5", 4);
	assert_int_equal(upgrade_refusal(&tty, 4400, "", f), 4);
	assert_memory_equal(f, "\x88\x02\x03\xf0", 4);
	assert_int_equal(upgrade_refusal(&k8s, 4008, "idle", f), 2 + sizeof(status) - 1 + 8);
	assert_memory_equal(f + 2, status, sizeof(status) - 1);
	assert_memory_equal(f + 2 + sizeof(status) - 1, "\x88\x06\x03\xe8idle", 8);
	ended_frames();
	for (enum launch_reason r = LAUNCH_EXITED; r <= LAUNCH_ERROR; r++)
		assert_true(upgrade_close_code(launch_reason_name(r)) >= 1000);
	assert_int_equal(upgrade_close_code("idle"), 4008);
	assert_int_equal(upgrade_close_code("lifetime"), 4009);
	assert_int_equal(upgrade_close_code("oom"), 4010);
	assert_int_equal(upgrade_close_code("deleted"), 4410);
}

static void orders(void **state)
{
	const struct upgrade u = {
		.protocol = "tty", .has_since = true, .since = 9, .cols = 80, .rows = 24
	};
	auto_buf struct buf out = BUF_LIMIT(1024);
	struct err e = ERR_NONE;

	assert_int_equal(upgrade_order(&u, "a\"b", &out, &e), 0);
	assert_string_equal(
		buf_str(&out),
		"{\"op\":\"attach\",\"framing\":\"ws\",\"protocol\":\"tty\",\"role\":\"writer\",\"since\":9,"
		"\"cols\":80,\"rows\":24,\"client\":\"a\\\"b\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake),	   cmocka_unit_test(handshake_protocols),
		cmocka_unit_test(handshake_query), cmocka_unit_test(close_frames),
		cmocka_unit_test(orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
