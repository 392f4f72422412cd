/*
 * child_run: input, output, limits, time.
 */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/clock.h"

static int run_shell(const char *script, const void *input, size_t n, struct buf *out,
		     struct buf *errout, int timeout_ms, struct child_status *st, struct err *e)
{
	char *argv[] = { "sh", "-c", (char *) script, NULL };
	struct child_spec spec = CHILD_SPEC_NONE;

	spec.path = "/bin/sh";
	spec.argv = argv;
	return child_run(&spec, input, n, out, errout, timeout_ms, st, e);
}

static void test_run_input_and_output(void **unused_arg state)
{
	const size_t n = 1 << 20;
	auto_free char *text = xalloc(n);
	auto_buf struct buf out = BUF_LIMIT(n), errout = BUF_LIMIT(100), both = BUF_LIMIT(100);
	struct child_status st = { 0 };
	int fds = count_fds();

	for (size_t i = 0; i < n; i++)
		text[i] = (char) ('a' + i % 26);
	assert_ok(run_shell("cat; echo oops >&2; exit 4", text, n, &out, &errout, 10000, &st,
			    &e));
	assert_int_equal(buf_len(&out), n);
	assert_memory_equal(buf_bytes(&out), text, n);
	assert_string_equal(buf_str(&errout), "oops\n");
	assert_int_equal(st.code, 4);

	assert_ok(run_shell("exec 0<&-; exit 0", text, n, NULL, NULL, 10000, &st, &e));
	assert_int_equal(st.code, 0);
	assert_ok(run_shell("cat; echo 1; echo 2 >&2; echo 3", NULL, 0, &both, &both, 0, &st,
			    &e));
	assert_string_equal(buf_str(&both), "1\n2\n3\n");
	assert_ok(run_shell("kill -9 $$", NULL, 0, NULL, NULL, 0, &st, &e));
	assert_true(st.signalled && st.code == SIGKILL);
	assert_int_equal(count_fds(), fds);
	assert_no_children();
}

static void test_run_limits(void **unused_arg state)
{
	auto_buf struct buf out = BUF_LIMIT(1000), errout = BUF_LIMIT(10);
	struct child_status st = { 0 };
	uint64_t start;

	assert_ok(run_shell("head -c 3000000 /dev/zero; echo 12345678901 >&2; exit 5", NULL, 0,
			    &out, &errout, 60000, &st, &e));
	assert_int_equal(buf_len(&out), 1000);
	assert_string_equal(buf_str(&errout), "1234567890");
	assert_int_equal(st.code, 5); /* it was not stopped by a full pipe */

	/* until a busy machine's shell has come to its echo by then */
	buf_clear(&out);
	for (int ms = 100; buf_len(&out) == 0; ms *= 2) {
		start = clock_mono_ms();
		assert_true(ms < 60000);
		assert_err(run_shell("echo early; exec sleep 1000", NULL, 0, &out, NULL, ms,
				     &st, &e),
			   ETIMEDOUT);
		assert_in_range(clock_mono_ms() - start, ms, 600000);
	}
	assert_string_equal(buf_str(&out), "early\n");
	start = clock_mono_ms();
	assert_err(run_shell("exec yes", NULL, 0, &out, NULL, 100, &st, &e), ETIMEDOUT);
	assert_in_range(clock_mono_ms() - start, 100, 600000);
	assert_no_children();
}

/* Somebody who stays behind with the pipe in his hand is not waited for. */
static void test_run_leaves_the_background(void **unused_arg state)
{
	auto_buf struct buf out = BUF_LIMIT(100);
	struct child_status st = { 0 };
	int left;

	assert_ok(run_shell("sleep 1000 & echo $!", NULL, 0, &out, NULL, 60000, &st, &e));
	left = atoi(buf_str(&out));
	assert_true(left > 1);
	assert_int_equal(kill(left, SIGKILL), 0);
}

enum { LARGE = 1 << 20 };

/* As --fill: leaves more in the pipe at the end than one read takes. */
static int fill_pipe(void)
{
	auto_free char *block = xalloc(LARGE);

	return fcntl(STDOUT_FILENO, F_SETPIPE_SZ, LARGE) >= LARGE &&
			       write(STDOUT_FILENO, block, LARGE) == LARGE
		       ? 0
		       : 1;
}

static void test_run_takes_the_rest(void **unused_arg state)
{
	char *argv[] = { "fill", "--fill", NULL };
	struct child_spec spec = CHILD_SPEC_NONE;

	spec.path = "/proc/self/exe";
	spec.argv = argv;
	for (int i = 0; i < 10; i++) {
		auto_buf struct buf out = BUF_LIMIT(LARGE);
		struct child_status st = { 0 };

		assert_ok(child_run(&spec, NULL, 0, &out, NULL, 10000, &st, &e));
		assert_int_equal(st.code, 0);
		assert_int_equal(buf_len(&out), LARGE);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_input_and_output),
		cmocka_unit_test(test_run_limits),
		cmocka_unit_test(test_run_takes_the_rest),
		cmocka_unit_test(test_run_leaves_the_background),
	};

	if (argc == 2 && !strcmp(argv[1], "--fill"))
		return fill_pipe();
	return cmocka_run_group_tests_name("base/child: run", tests, NULL, NULL);
}
