/*
 * What the shim reads and writes beside bytes of clients: its orders, requests, how a sandbox ended, and the
 * messages between its halves.
 */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/json.h"
#include "base/sock.h"
#include "shim/control.h"
#include "shim/exitinfo.h"
#include "shim/orders.h"
#include "shim/talk.h"

#define REQUIRED                                                                               \
	"\"version\":1,\"id\":\"box-1\",\"runtime\":\"/r\",\"runtime_root\":\"/run/r\","       \
	"\"rootfs\":{\"format\":\"overlay\",\"layers\":[\"/a\",\"/b\"]}"

static void test_orders_defaults(void **state)
{
	const char text[] = "{" REQUIRED "}";
	struct orders o;

	assert_ok(orders_parse(text, strlen(text), &o, &e));
	assert_string_equal(o.id, "box-1");
	assert_int_equal(o.rootfs.n_layers, 2);
	assert_string_equal(o.rootfs.layers[1], "/b");
	assert_int_equal(o.idmap.count, 0);
	assert_true(o.terminal);
	assert_int_equal(o.cols, 80);
	assert_int_equal(o.rows, 24);
	assert_int_equal(o.history_bytes, 262144);
	assert_int_equal(o.idle_ms, 0);
	assert_int_equal(o.ack_window, 262144);
	assert_null(o.uid_slot);
	assert_null(o.volume.dir);
	assert_false(o.remove_dir);
	orders_fini(&o);
}

static void test_orders_name_the_field(void **state)
{
	static const struct {
		const char *more, *why;
	} rows[] = {
		{ ",\"cols\":1001", "sandbox.json: cols: 1001 is not within 1 to 1000" },
		{ ",\"uid_slot\":\"../x\"",
		  "sandbox.json: uid_slot: \"../x\" is not an absolute path without \".\" and \"..\"" },
		{ ",\"idmap\":{\"base\":1,\"count\":0}",
		  "sandbox.json: idmap: 0 ids from 1 on are no range of ids" },
		{ ",\"volume\":{\"dir\":\"/v\",\"uid\":0,\"gid\":0}",
		  "sandbox.json: volume: a volume needs an idmap" },
		{ ",\"idmap\":{\"base\":9,\"count\":5},\"volume\":{\"dir\":\"/v\",\"uid\":4,\"gid\":5}",
		  "sandbox.json: volume: 4:5 is not within the 5 ids of the idmap" },
		{ ",\"idmap\":{\"base\":9,\"count\":5},\"volume\":{\"dir\":\"v\",\"uid\":4,\"gid\":4}",
		  "sandbox.json: volume.dir: \"v\" is not an absolute path without \".\" and \"..\"" },
		{ ",\"ack_window\":16",
		  "sandbox.json: ack_window: 16 is not within 4096 to 16777216" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512];
		struct err e = ERR_NONE;
		struct orders o;

		(void) snprintf(text, sizeof(text), "{" REQUIRED "%s}", rows[i].more);
		assert_int_equal(orders_parse(text, strlen(text), &o, &e), -1);
		assert_string_equal(e.msg, rows[i].why);
	}
}

static void test_requests(void **state)
{
	struct control_request r;

	assert_ok(
		control_parse((const uint8_t *) "\x0d\0\0\0{\"op\":\"info\"}rest", 21, &r, &e));
	assert_string_equal(json_str_or(json_root(r.doc), "op", ""), "info");
	assert_int_equal(r.n_extra, 4);
	assert_memory_equal(r.extra, "rest", 4);
	json_doc_free(r.doc);
	assert_err(control_parse((const uint8_t *) "\x0d\0\0", 3, &r, &e), EINVAL);
	assert_err(control_parse((const uint8_t *) "\x0e\0\0\0{\"op\":\"info\"}", 17, &r, &e),
		   EINVAL);
	assert_err(control_parse((const uint8_t *) "\xff\xff\xff\xff{}", 6, &r, &e), EINVAL);
	assert_err(control_parse((const uint8_t *) "\x02\0\0\0[]", 6, &r, &e), EINVAL);
}

static void test_exit_reason(void **state)
{
	const struct child_status exited = { .code = 3 }, passed_on = { .code = 137 },
				  killed = { .signalled = true, .code = SIGKILL },
				  termed = { .signalled = true, .code = SIGTERM };

	assert_int_equal(exit_reason(&exited, 0), END_EXITED);
	assert_int_equal(exit_reason(&exited, 2),
			 END_EXITED); /* one of its children was killed; it coped */
	assert_int_equal(exit_reason(&passed_on, 0), END_EXITED);
	assert_int_equal(exit_reason(&passed_on, 1), END_OOM);
	assert_int_equal(exit_reason(&killed, 0), END_SIGNALLED);
	assert_int_equal(exit_reason(&killed, 1), END_OOM);
	assert_int_equal(exit_reason(&termed, 1), END_SIGNALLED);
	assert_string_equal(end_reason_name(END_LIFETIME), "lifetime");
	assert_string_equal(end_reason_name(99), "error");
}

static void test_exit_json(void **state)
{
	struct exit_info x = { .id = "box",
			       .reason = END_OOM,
			       .code = 0,
			       .signal = 9,
			       .started_ms = 1767225600123,
			       .ended_ms = 1767225601000,
			       .usage = { .cpu_ns = 5,
					  .memory_peak = 6,
					  .oom_kills = 1,
					  .io_read_bytes = 3,
					  .io_write_bytes = 4,
					  .output_bytes = 7,
					  .input_bytes = 8 },
			       .oom = { .cgroup = "/x", .limit = 9, .own_limit = true } };
	struct buf b = BUF_LIMIT(4096);

	assert_ok(exit_info_print(&x, &b, &e));
	assert_string_equal(
		buf_str(&b),
		"{\"version\":1,\"id\":\"box\",\"reason\":\"oom\",\"code\":0,\"signal\":9,\"oom_kills\":1,"
		"\"oom\":{\"kills\":1,\"cgroup\":\"/x\",\"limit\":9,\"own_limit\":true},"
		"\"started_at\":\"2026-01-01T00:00:00.123Z\",\"ended_at\":\"2026-01-01T00:00:01.000Z\","
		"\"error\":null,\"usage\":{\"cpu_ns\":5,\"memory_peak\":6,\"io_read_bytes\":3,\"io_write_bytes\":4,\"output_bytes\":7,\"input_bytes\":8}}");
	buf_fini(&b);
}

/* A longest error still fits the message that carries exit.json. */
static void test_exit_json_fits(void **state)
{
	char error[256], id[65];
	struct exit_info x = { .id = id,
			       .reason = END_LIFETIME,
			       .code = 255,
			       .signal = 64,
			       .error = error,
			       .started_ms = 1,
			       .ended_ms = 1,
			       .usage = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
					  UINT64_MAX } };
	struct buf b = BUF_LIMIT(TALK_TEXT);

	memset(error, 1, sizeof(error) - 1); /* six characters each */
	error[255] = '\0';
	memset(id, 'x', 64);
	id[64] = '\0';
	x.error =
		error +
		51; /* the janitor's sentences are plain text: 204 controls are far beyond them */
	memset(x.oom.cgroup, 'c', sizeof(x.oom.cgroup) - 1);
	x.oom.limit = UINT64_MAX;
	assert_ok(exit_info_print(&x, &b, &e));
	buf_fini(&b);
}

static void test_talk(void **state)
{
	struct talk_msg m = { .kind = TALK_ENDED,
			      .reason = END_OOM,
			      .n_text = 5,
			      .text = "hello" },
			got;
	int pair[2], fds[TALK_FDS];
	struct err why = ERR_NONE;
	size_t n;

	assert_ok(sock_pair(SOCK_SEQPACKET, pair, &e));
	assert_ok(talk_send(pair[0], &m, pair, 2, &e));
	assert_int_equal(talk_recv(pair[1], &got, fds, &n, &why), 1);
	assert_int_equal(got.kind, TALK_ENDED);
	assert_int_equal(got.n_text, 5);
	assert_memory_equal(got.text, "hello", 5);
	assert_int_equal(n, 2);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	/* A message that is none is an error and keeps no descriptor. */
	n = (size_t) count_fds();
	assert_ok(sock_send(pair[0], "short", 5, pair, 2, &e));
	assert_err(talk_recv(pair[1], &got, fds, &(size_t){ 0 }, &e), EPROTO);
	assert_int_equal(count_fds(), n);
	fd_close(&pair[0]);
	assert_int_equal(talk_recv(pair[1], &got, fds, &n, &why), 0);
	fd_close(&pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders_defaults),
		cmocka_unit_test(test_orders_name_the_field),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_exit_reason),
		cmocka_unit_test(test_exit_json),
		cmocka_unit_test(test_exit_json_fits),
		cmocka_unit_test(test_talk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
