/* The table of a sandbox's processes, with this test as its janitor; and the order that travels between them. */
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/sock.h"
#include "shim/exec_order.h"
#include "shim/orders.h"
#include "shim/table.h"
#include "shim/talk.h"

/* ---- the order ---- */

static const char *args[] = { "/bin/sh", "-c", "", NULL };
static const char *env[] = { "A=b", "EMPTY=", NULL };

static void test_order_travels(void **state)
{
	const struct exec_order in = { .args = args,
				       .env = env,
				       .cwd = "/tmp",
				       .user = "1000:10",
				       .terminal = true,
				       .cols = 100,
				       .rows = 30 };
	auto_buf struct buf text = BUF_LIMIT(EXEC_ORDER_BYTES);
	struct exec_order out;

	assert_ok(exec_order_pack(&in, &text, &e));
	assert_ok(exec_order_unpack(buf_bytes(&text), buf_len(&text), &out, &e));
	for (int i = 0; i < 3; i++)
		assert_string_equal(out.args[i], args[i]);
	assert_null(out.args[3]);
	assert_string_equal(out.env[1], "EMPTY=");
	assert_null(out.env[2]);
	assert_string_equal(out.cwd, "/tmp");
	assert_string_equal(out.user, "1000:10");
	assert_true(out.terminal && out.cols == 100 && out.rows == 30);
	exec_order_fini(&out);
}

/* Every cut and every changed byte of the head is refused or is an order that passes its own check. */
static void test_order_is_checked(void **state)
{
	const struct exec_order in = { .args = args, .env = env, .cwd = "/", .user = "root" };
	auto_buf struct buf text = BUF_LIMIT(EXEC_ORDER_BYTES);
	struct exec_order out;
	int refused = 0;

	assert_ok(exec_order_pack(&in, &text, &e));
	for (size_t n = 0; n < buf_len(&text); n++)
		assert_err(exec_order_unpack(buf_bytes(&text), n, &out, &e), EPROTO);
	for (size_t i = 0; i < 20; i++)
		for (int v = 0; v < 256; v++) {
			auto_buf struct buf bad = BUF_LIMIT(EXEC_ORDER_BYTES);

			struct err why = ERR_NONE;

			assert_ok(buf_append(&bad, buf_bytes(&text), buf_len(&text), &e));
			bad.data[bad.head + i] = (uint8_t) v;
			if (exec_order_unpack(buf_bytes(&bad), buf_len(&bad), &out, &why) < 0) {
				refused++;
				continue;
			}
			assert_ok(exec_order_check(&out, &e));
			exec_order_fini(&out);
		}
	assert_true(refused > 1000);
}

static void test_order_is_bounded(void **state)
{
	auto_buf struct buf text = BUF_LIMIT(EXEC_ORDER_BYTES);
	static char big[EXEC_ORDER_BYTES];
	const char *one[] = { "x", big, NULL };
	const struct exec_order in = { .args = one };

	memset(big, 'a', sizeof(big) - 1);
	assert_err(exec_order_pack(&in, &text, &e), E2BIG);
}

/* ---- the table ---- */

struct room {
	struct loop *loop;
	struct orders orders;
	struct table table;
	int talk[2], listen[2];
	int out, in; /* the first program's side */
};

static void open_room(struct room *r)
{
	int out[2], in[2];

	*r = (struct room){ .orders = { .id = "x",
					.cols = 80,
					.rows = 24,
					.history_bytes = 65536,
					.ack_window = 4096,
					.max_clients = 2,
					.max_processes = 3 } };
	assert_ok(loop_new(&r->loop, &e));
	assert_ok(sock_pair(SOCK_SEQPACKET, r->talk, &e));
	assert_ok(sock_pair(SOCK_SEQPACKET, r->listen, &e));
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	const struct table_spec spec = { .loop = r->loop,
					 .orders = &r->orders,
					 .talk_fd = r->talk[0],
					 .listen_fd = r->listen[0],
					 .pid = 10,
					 .fds = { out[0], in[1] } };
	assert_ok(table_init(&r->table, &spec, &e));
	r->out = out[1];
	r->in = in[0];
}

static void close_room(struct room *r)
{
	table_fini(&r->table);
	loop_free(r->loop);
	for (int i = 0; i < 2; i++) {
		fd_close(&r->talk[i]);
		fd_close(&r->listen[i]);
	}
	fd_close(&r->out);
	fd_close(&r->in);
}

static void turn(struct room *r)
{

	for (int i = 0; i < 6; i++)
		assert_ok(loop_turn(r->loop, 0, &e));
}

/* What the table has asked its janitor. */
static struct talk_msg hear(struct room *r)
{
	static char space[TALK_ROOM];
	int fds[TALK_FDS];
	const void *body;
	struct err e = ERR_NONE;
	struct talk_msg m;
	size_t n;

	assert_int_equal(talk_recv_body(r->talk[1], space, &m, &body, fds, &n, &e), 1);
	return m;
}

static void say(struct room *r, const struct talk_msg *m, const int *fds, size_t n)
{

	assert_ok(talk_send(r->talk[1], m, fds, n, &e));
	turn(r);
}

static uint32_t ask(struct room *r)
{
	const struct table_exec x = { .order = { .args = args }, .tag = "t", .input = true };
	const char *code = NULL;
	struct talk_msg m;
	uint32_t number;

	assert_ok(table_exec(&r->table, &x, &number, &code, &e));
	m = hear(r);
	assert_int_equal(m.kind, TALK_EXEC);
	assert_int_equal(m.process, number);
	return number;
}

/* Its sides of the three pipes: input, output, errors. */
static void begin(struct room *r, uint32_t number, int theirs[3])
{
	const struct talk_msg m = { .kind = TALK_STARTED, .process = number, .pid = 11 };
	int out[2], in[2], err[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	say(r, &m, (int[]){ out[0], in[1], err[0] }, 3);
	fd_close(&out[0]);
	fd_close(&in[1]);
	fd_close(&err[0]);
	theirs[0] = in[0];
	theirs[1] = out[1];
	theirs[2] = err[1];
}

static void finish(struct room *r, uint32_t number, int theirs[3], int code)
{
	const struct talk_msg m = { .kind = TALK_EXITED, .process = number, .code = code };

	for (int i = 0; i < 3; i++)
		fd_close(&theirs[i]);
	say(r, &m, NULL, 0);
}

static void test_table_a_life(void **state)
{
	struct session *s;
	struct room r;
	int theirs[3];
	uint32_t n;

	open_room(&r);
	n = ask(&r);
	assert_int_equal(n, 2);
	assert_null(table_find(&r.table, n)); /* it does not run yet */
	begin(&r, n, theirs);
	s = table_find(&r.table, n);
	assert_non_null(s);
	assert_string_equal(s->tag, "t");
	assert_int_equal(write(theirs[1], "out", 3), 3);
	turn(&r);
	assert_int_equal(write(theirs[2], "err", 3), 3);
	turn(&r);
	assert_int_equal(s->ring.next, 6);
	enum ring_stream stream;
	assert_int_equal(ring_run(&s->ring, 0, 6, &stream), 3);
	assert_int_equal(ring_run(&s->ring, 3, 3, &stream), 3);
	assert_int_equal(stream, RING_ERRORS);
	finish(&r, n, theirs, 7);
	assert_int_equal(s->state, SESSION_FLUSHING);
	assert_int_equal(s->exit_code, 7);
	assert_int_equal(r.table.n_running, 0);
	assert_ptr_equal(table_find(&r.table, n), s); /* kept */
	assert_int_equal(table_first(&r.table)->state, SESSION_RUNNING);
	close_room(&r);
}

static void test_table_output_ends_when_both_streams_have(void **state)
{
	const struct talk_msg m = { .kind = TALK_EXITED, .process = 2 };
	struct session *s;
	struct room r;
	int theirs[3];

	open_room(&r);
	begin(&r, ask(&r), theirs);
	s = table_find(&r.table, 2);
	fd_close(&theirs[1]);
	say(&r, &m, NULL, 0);
	assert_int_equal(s->state, SESSION_DRAINING);
	assert_int_equal(write(theirs[2], "late", 4), 4);
	fd_close(&theirs[2]);
	turn(&r);
	assert_int_equal(s->state, SESSION_FLUSHING);
	assert_int_equal(s->ring.next, 4);
	fd_close(&theirs[0]);
	close_room(&r);
}

static void test_table_limit_counts_starting_and_running(void **state)
{
	const struct table_exec x = { .order = { .args = args } };
	struct talk_msg failed = { .kind = TALK_FAILED, .code = EINVAL, .n_text = 3 };
	const char *code = NULL;
	struct room r;
	int a[3], b[3];
	uint32_t n;

	open_room(&r);
	begin(&r, ask(&r), a);
	begin(&r, ask(&r), b);
	failed.process = ask(&r);
	memcpy(failed.text, "why", 3);
	assert_err(table_exec(&r.table, &x, &n, &code, &e), EAGAIN);
	assert_string_equal(code, "limit");
	say(&r, &failed, NULL, 0);
	assert_int_equal(ask(&r), 5); /* numbers never come again */
	finish(&r, 2, a, 0);
	assert_int_equal(ask(&r), 6);
	finish(&r, 3, b, 0);
	close_room(&r);
}

static void test_table_keeps_a_bounded_number(void **state)
{
	size_t kept = 0;
	struct room r;
	int theirs[3];

	open_room(&r);
	for (int i = 0; i < 40; i++) {
		uint32_t n = ask(&r);

		begin(&r, n, theirs);
		finish(&r, n, theirs, i);
	}
	assert_null(table_find(&r.table, 2));
	assert_int_equal(table_find(&r.table, 41)->exit_code, 39);
	for (const struct session *s = r.table.sessions; s; s = s->next)
		kept++;
	assert_int_equal(kept, 1 + 32);
	close_room(&r);
}

/* STARTED for nobody, with too few descriptors, twice; EXITED of who is not there. */
static void test_table_survives_nonsense(void **state)
{
	struct talk_msg m = { .kind = TALK_STARTED, .process = 9, .pid = 1 };
	struct room r;
	int theirs[3];
	uint32_t n;

	open_room(&r);
	say(&r, &m, NULL, 0);
	n = ask(&r);
	m.process = n;
	say(&r, &m, (int[]){ r.in }, 1);
	assert_null(table_find(&r.table, n));
	n = ask(&r);
	begin(&r, n, theirs);
	m.process = n;
	say(&r, &m, (int[]){ r.in, r.in, r.in }, 3);
	m.kind = TALK_EXITED;
	m.process = 77;
	say(&r, &m, NULL, 0);
	assert_int_equal(table_find(&r.table, n)->state, SESSION_RUNNING);
	finish(&r, n, theirs, 0);
	finish(&r, n, theirs, 1);
	assert_int_equal(table_find(&r.table, n)->exit_code, 0);
	close_room(&r);
}

/* What the janitor is told when the last of them has said all. */
static void test_table_totals_are_of_all_processes(void **state)
{
	struct talk_msg m = { .kind = TALK_EXITED, .process = 1 };
	struct room r;
	int theirs[3];

	open_room(&r);
	begin(&r, ask(&r), theirs);
	assert_int_equal(write(theirs[1], "12345", 5), 5);
	assert_int_equal(write(r.out, "123", 3), 3);
	turn(&r);
	fd_close(&r.out);
	say(&r, &m, NULL, 0);
	/* Killed with the first one, but its output is not all in yet. */
	assert_int_equal(write(theirs[2], "67", 2), 2);
	for (int i = 0; i < 3; i++)
		fd_close(&theirs[i]);
	turn(&r);
	m = hear(&r);
	assert_int_equal(m.kind, TALK_DRAINED);
	assert_int_equal(m.output_bytes, 10);
	close_room(&r);
}

static void test_table_signals_and_hang_up(void **state)
{
	struct talk_msg m;
	struct room r;
	int theirs[3];

	open_room(&r);
	begin(&r, ask(&r), theirs);
	assert_ok(table_signal(&r.table, table_find(&r.table, 2), SIGUSR1, true, &e));
	m = hear(&r);
	assert_true(m.kind == TALK_SIGNAL && m.process == 2 && m.signal == SIGUSR1 &&
		    m.code == TALK_TO_FOREGROUND);
	table_hang_up(&r.table, table_find(&r.table, 2));
	assert_int_equal(hear(&r).signal, SIGHUP);
	assert_int_equal(hear(&r).signal, SIGCONT);
	finish(&r, 2, theirs, 0);
	close_room(&r);
}

static void test_table_pause(void **state)
{
	const struct table_exec x = { .order = { .args = args } };
	struct talk_msg m = { .kind = TALK_PAUSED };
	const char *code = NULL;
	struct room r;
	uint32_t n;

	open_room(&r);
	n = ask(&r);
	/* It would hang in its start. */
	assert_err(table_freeze(&r.table, true, &code, &e), EBUSY);
	say(&r, &(struct talk_msg){ .kind = TALK_FAILED, .process = n, .code = EINVAL }, NULL,
	    0);
	assert_ok(table_freeze(&r.table, true, &code, &e));
	assert_int_equal(hear(&r).kind, TALK_PAUSE);
	assert_err(table_freeze(&r.table, false, &code, &e), EBUSY);
	assert_err(table_exec(&r.table, &x, &n, &code, &e), EBUSY);
	say(&r, &m, NULL, 0);
	assert_true(r.table.paused);
	assert_ok(table_freeze(&r.table, false, &code, &e));
	assert_int_equal(hear(&r).kind, TALK_RESUME);
	m = (struct talk_msg){ .kind = TALK_RESUMED, .code = EIO, .n_text = 3, .text = "why" };
	say(&r, &m, NULL, 0);
	assert_true(r.table.paused); /* it could not be */
	close_room(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_travels),
		cmocka_unit_test(test_order_is_checked),
		cmocka_unit_test(test_order_is_bounded),
		cmocka_unit_test(test_table_a_life),
		cmocka_unit_test(test_table_output_ends_when_both_streams_have),
		cmocka_unit_test(test_table_limit_counts_starting_and_running),
		cmocka_unit_test(test_table_keeps_a_bounded_number),
		cmocka_unit_test(test_table_survives_nonsense),
		cmocka_unit_test(test_table_totals_are_of_all_processes),
		cmocka_unit_test(test_table_signals_and_hang_up),
		cmocka_unit_test(test_table_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
