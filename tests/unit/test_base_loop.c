/*
 * The loop: order, deferral, and what handlers may do to each other's objects.
 */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/loop.h"

/* What happened, in order, as letters. */
struct bench {
	struct loop *loop;
	char seen[256];
	struct loop_io io[100];
	struct loop_timer timers[1000];
	struct loop_defer defers[4];
	int fds[100];
	int n;
};

static void note(struct bench *b, char c)
{
	size_t n = strlen(b->seen);

	assert_true(n + 1 < sizeof(b->seen));
	b->seen[n] = c;
}

static int setup(void **state)
{
	struct bench *b = xalloc(sizeof(*b));

	for (size_t i = 0; i < ARRAY_SIZE(b->fds); i++)
		b->fds[i] = FD_NONE;
	assert_ok(loop_new(&b->loop, &e));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	loop_free(b->loop);
	for (size_t i = 0; i < ARRAY_SIZE(b->fds); i++)
		fd_close(&b->fds[i]);
	free(b);
	return 0;
}

static void turn(struct bench *b, int timeout_ms)
{
	assert_ok(loop_turn(b->loop, timeout_ms, &e));
}

static void note_a(void *arg)
{
	note(arg, 'a');
}

static void note_b(void *arg)
{
	note(arg, 'b');
}

static void note_c(void *arg)
{
	note(arg, 'c');
}

static void stop(void *arg)
{
	loop_stop(((struct bench *) arg)->loop);
}

static void test_timer_order(void **state)
{
	struct bench *b = *state;
	uint64_t start = clock_mono_ms(), now = clock_mono_ns();

	/* By one reading of the clock: a busy machine may take its time between two lines. */
	loop_timer_set_ns(b->loop, &b->timers[0], now + 30000000, note_c, b);
	loop_timer_set_ns(b->loop, &b->timers[1], now + 10000000, note_a, b);
	loop_timer_set_ns(b->loop, &b->timers[2], now + 20000000, note_b, b);
	loop_timer_set_ns(b->loop, &b->timers[3], now + 15000000, note_c, b);
	loop_timer_set_ns(b->loop, &b->timers[4], now + 40000000, stop, b);
	loop_timer_del(&b->timers[3]);
	loop_timer_del(&b->timers[3]);
	assert_ok(loop_run(b->loop, &e));
	assert_string_equal(b->seen, "abc");
	assert_in_range(clock_mono_ms() - start, 40, 60000);
	assert_null(b->timers[0].loop);
	assert_int_equal(b->timers[0].due_ns, 0);

	loop_timer_set(b->loop, &b->timers[0], 5, note_a,
		       b); /* set anew: earlier one is forgotten */
	loop_timer_set(b->loop, &b->timers[0], 20, note_b, b);
	loop_timer_set(b->loop, &b->timers[4], 40, stop, b);
	assert_ok(loop_run(b->loop, &e));
	assert_string_equal(b->seen, "abcb");
}

struct ordered {
	uint64_t due;
	uint64_t *last;
	int *fired;
};

static void check_order(void *arg)
{
	struct ordered *o = arg;

	assert_true(o->due >= *o->last);
	*o->last = o->due;
	(*o->fired)++;
}

/* A thousand in scrambled order, a third of them taken out again: the heap stays a heap. */
static void test_timer_heap(void **state)
{
	struct bench *b = *state;
	auto_free struct ordered *o = xalloc(1000 * sizeof(*o));
	uint64_t last = 0, now = clock_mono_ns();
	int fired = 0;

	for (size_t i = 0; i < 1000; i++) {
		o[i] = (struct ordered){ now - 1000000 + i * 7919 % 1000 / 2, &last, &fired };
		loop_timer_set_ns(b->loop, &b->timers[i], o[i].due, check_order, &o[i]);
	}
	for (size_t i = 0; i < 1000; i += 3)
		loop_timer_del(&b->timers[(i * 31) % 1000]);
	turn(b, 0);
	assert_int_equal(fired, 1000 - 334);
	turn(b, 0);
	assert_int_equal(fired, 1000 - 334);
}

static void again(void *arg)
{
	struct bench *b = arg;

	b->n++;
	loop_timer_set(b->loop, &b->timers[0], 0, again, b);
	loop_timer_set_ns(b->loop, &b->timers[1], 1, note_a, b); /* long past */
}

static void test_timer_set_by_handler(void **state)
{
	struct bench *b = *state;

	loop_timer_set(b->loop, &b->timers[0], 0, again, b);
	turn(b, -1);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->seen, "");
	turn(b, -1);
	assert_int_equal(b->n, 2);
	assert_string_equal(b->seen, "a");
}

static void delete_others(void *arg)
{
	struct bench *b = arg;

	note(b, 'd');
	for (int i = 0; i < 3; i++)
		loop_timer_del(&b->timers[i]);
}

static void test_timer_deleted_by_handler(void **state)
{
	struct bench *b = *state;

	for (uint64_t i = 0; i < 3;
	     i++) /* all due, whichever comes first takes the others away */
		loop_timer_set_ns(b->loop, &b->timers[i], i + 1, delete_others, b);
	turn(b, 0);
	turn(b, 0);
	assert_string_equal(b->seen, "d");
}

static void test_waiting(void **state)
{
	struct bench *b = *state;
	uint64_t start = clock_mono_ms();

	turn(b, 20);
	assert_in_range(clock_mono_ms() - start, 20, 60000);
	start = clock_mono_ms();
	loop_timer_set(b->loop, &b->timers[0], 30, note_a, b);
	turn(b, -1);
	assert_true(clock_mono_ms() - start >= 30);
	assert_string_equal(b->seen, "a"); /* in one turn: it never wakes too early */
	start = clock_mono_ms();
	loop_timer_set(b->loop, &b->timers[0], UINT64_MAX, note_b, b);
	turn(b, 10);
	assert_in_range(clock_mono_ms() - start, 10, 60000);
	assert_string_equal(b->seen, "a");
}

static void on_event(void *arg, uint32_t events)
{
	struct bench *b = arg;
	uint64_t n;

	b->n++;
	assert_int_equal(events, EPOLLIN);
	assert_int_equal(read(b->fds[0], &n, sizeof(n)), sizeof(n));
}

static void add_event(struct bench *b, int i, loop_io_fn fn)
{
	b->fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(b->fds[i] >= 0);
	assert_ok(loop_io_add(b->loop, &b->io[i], b->fds[i], EPOLLIN, fn, b, &e));
}

static void test_io(void **state)
{
	struct bench *b = *state;
	struct loop_io never = { 0 };

	add_event(b, 0, on_event);
	assert_err(loop_io_add(b->loop, &b->io[0], b->fds[0], EPOLLIN, on_event, b, &e),
		   EEXIST);
	turn(b, 0);
	turn(b, 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(eventfd_write(b->fds[0], 1), 0);
	assert_ok(loop_io_set(&b->io[0], 0, &e));
	turn(b, 0);
	assert_int_equal(b->n, 1);
	assert_ok(loop_io_set(&b->io[0], EPOLLIN, &e));
	turn(b, 0);
	assert_int_equal(b->n, 2);
	loop_io_del(&b->io[0]);
	loop_io_del(&b->io[0]);
	loop_io_del(&never);
	assert_int_equal(eventfd_write(b->fds[0], 1), 0);
	turn(b, 0);
	assert_int_equal(b->n, 2);
	assert_err(loop_io_set(&b->io[0], EPOLLIN, &e), ENOENT);
	assert_err(loop_io_add(b->loop, &never, 999, EPOLLIN, on_event, b, &e), EBADF);
	assert_null(never.loop);
}

static void on_hangup(void *arg, uint32_t events)
{
	struct bench *b = arg;

	assert_true(events & EPOLLHUP);
	b->n++;
	loop_io_del(&b->io[0]);
}

static void test_hangup_without_events(void **state)
{
	struct bench *b = *state;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	b->fds[0] = p[0];
	assert_ok(loop_io_add(b->loop, &b->io[0], p[0], 0, on_hangup, b, &e));
	turn(b, 0);
	assert_int_equal(b->n, 0);
	(void) close(p[1]);
	turn(b, 1000);
	assert_int_equal(b->n, 1);
}

/* The first one that is told takes all away, frees what stands for their memory included. */
static void on_delete_all(void *arg, uint32_t events)
{
	struct bench *b = arg;

	b->n++;
	for (int i = 0; i < 50; i++) {
		loop_io_del(&b->io[i]);
		b->io[i].fn = NULL;
		fd_close(&b->fds[i]);
	}
}

static void test_io_deleted_by_handler(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 50; i++)
		add_event(b, i, on_delete_all);
	turn(b, 0);
	turn(b, 0);
	assert_int_equal(b->n, 1);
}

static void on_each(void *arg, uint32_t events)
{
	struct bench *b = arg;

	for (int i = 0; i < 100; i++) {
		uint64_t n;

		if (read(b->fds[i], &n, sizeof(n)) > 0) {
			b->n++;
			return;
		}
	}
}

/* More ready than one batch holds: none is forgotten. */
static void test_many_ready(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 100; i++)
		add_event(b, i, on_each);
	turn(b, 0);
	turn(b, 0);
	assert_int_equal(b->n, 100);
}

static void defer_c_again(void *arg)
{
	struct bench *b = arg;

	note(b, 'r');
	loop_defer(b->loop, &b->defers[2], note_c, b);
	loop_defer(b->loop, &b->defers[3], defer_c_again, b);
}

static void handler_defers(void *arg)
{
	struct bench *b = arg;

	note(b, '1');
	loop_defer(b->loop, &b->defers[0], note_a, b);
	loop_defer(b->loop, &b->defers[1], note_b, b);
	loop_defer(b->loop, &b->defers[0], note_c, b); /* is queued: the first call stands */
	note(b, '2');
}

static void test_defer(void **state)
{
	struct bench *b = *state;

	loop_timer_set_ns(b->loop, &b->timers[0], 1, handler_defers, b);
	loop_timer_set_ns(b->loop, &b->timers[1], 2, note_c, b);
	turn(b, -1);
	assert_string_equal(b->seen, "12cab"); /* at the end, after every handler of the turn */
	assert_false(b->defers[0].queued);

	*b->seen = '\0';
	(void) memset(b->seen, 0, sizeof(b->seen));
	loop_defer(b->loop, &b->defers[3], defer_c_again, b);
	turn(b, -1); /* does not wait: something is queued */
	assert_string_equal(b->seen, "r");
	turn(b, -1);
	assert_string_equal(b->seen, "rcr");
	b->defers[3].fn = note_a; /* ends the chain */
	turn(b, -1);
	assert_string_equal(b->seen, "rcrca");
}

static void free_it(void *arg)
{
	free(arg);
}

struct owned {
	struct loop_defer defer;
	char bytes[64];
};

static void test_free_runs_deferred(void **unused_arg state)
{
	struct loop *l = NULL;
	struct owned *o = xalloc(sizeof(*o));

	assert_ok(loop_new(&l, &e));
	loop_defer(l, &o->defer, free_it, o); /* the sanitizer tells if it is not, or twice */
	loop_free(l);
	loop_free(NULL);
}

static void on_signal(void *arg, int sig)
{
	struct bench *b = arg;

	b->n += sig;
	if (sig == SIGUSR2)
		loop_stop(b->loop);
}

static void test_signals(void **state)
{
	struct bench *b = *state;

	assert_ok(loop_signal(b->loop, SIGUSR1, on_signal, b, &e));
	assert_ok(loop_signal(b->loop, SIGUSR2, on_signal, b, &e));
	assert_err(loop_signal(b->loop, SIGUSR1, on_signal, b, &e), EEXIST);
	assert_err(loop_signal(b->loop, SIGKILL, on_signal, b, &e), EINVAL);
	assert_err(loop_signal(b->loop, 0, on_signal, b, &e), EINVAL);
	turn(b, 0);
	assert_int_equal(b->n, 0);
	assert_int_equal(raise(SIGUSR1), 0);
	turn(b, 1000);
	assert_int_equal(b->n, SIGUSR1);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_ok(loop_run(b->loop, &e));
	assert_int_equal(b->n, 2 * SIGUSR1 + SIGUSR2);
}

struct reaper {
	struct bench *bench;
	struct child child;
	struct child_status status;
};

static void on_child_end(void *arg, uint32_t events)
{
	struct reaper *r = arg;
	int ended;

	loop_io_del(&r->bench->io[0]);
	assert_ok(ended = child_poll(&r->child, &r->status, &e));
	assert_int_equal(ended, 1);
	loop_stop(r->bench->loop);
}

static void test_child(void **state)
{
	struct bench *b = *state;
	struct reaper r = { .bench = b, .child = CHILD_NONE };
	char *argv[] = { "sh", "-c", "exit 9", NULL };
	struct child_spec spec = CHILD_SPEC_NONE;

	spec.path = "/bin/sh";
	spec.argv = argv;
	assert_ok(child_spawn(&spec, &r.child, &e));
	assert_ok(
		loop_io_add(b->loop, &b->io[0], r.child.pidfd, EPOLLIN, on_child_end, &r, &e));
	assert_ok(loop_run(b->loop, &e));
	assert_int_equal(r.status.code, 9);
}

static void test_stop_before_run(void **state)
{
	struct bench *b = *state;

	loop_stop(b->loop);
	assert_ok(loop_run(b->loop, &e)); /* returns at once, and only this one */
	loop_timer_set(b->loop, &b->timers[0], 1, note_a, b);
	loop_timer_set(b->loop, &b->timers[1], 5, stop, b);
	assert_ok(loop_run(b->loop, &e));
	assert_string_equal(b->seen, "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_timer_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_heap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_set_by_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_deleted_by_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_io, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hangup_without_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_io_deleted_by_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defer, setup, teardown),
		cmocka_unit_test(test_free_runs_deferred),
		cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_child, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_before_run, setup, teardown),
	};

	return cmocka_run_group_tests_name("base/loop", tests, NULL, NULL);
}
