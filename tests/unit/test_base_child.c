/* Children: how they begin, end, are waited for and killed. */
#include "tests/unit/scratch.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/clock.h"

static int spawn_shell(const char *script, struct child *c, struct err *e)
{
	char *argv[] = { "sh", "-c", (char *) script, NULL };
	struct child_spec spec = CHILD_SPEC_NONE;

	spec.path = "/bin/sh";
	spec.argv = argv;
	return child_spawn(&spec, c, e);
}

static void test_ends(void **unused_arg state)
{
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	int fds = count_fds();

	assert_ok(spawn_shell("exit 7", &c, &e));
	assert_true(c.pid > 0 && c.pidfd >= 0 && (fcntl(c.pidfd, F_GETFD) & FD_CLOEXEC));
	assert_ok(child_wait(&c, &st, &e));
	assert_false(st.signalled);
	assert_int_equal(st.code, 7);
	assert_int_equal(c.pid, -1);
	assert_int_equal(c.pidfd, -1);
	assert_err(child_wait(&c, &st, &e), ECHILD);

	assert_ok(spawn_shell("kill -TERM $$", &c, &e));
	assert_ok(child_wait(&c, &st, &e));
	assert_true(st.signalled);
	assert_int_equal(st.code, SIGTERM);
	assert_int_equal(count_fds(), fds);
	assert_no_children();
}

static void test_poll_kill_end(void **unused_arg state)
{
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	uint64_t start = clock_mono_ms();
	int r;

	assert_ok(spawn_shell("exec sleep 1000", &c, &e));
	assert_ok(r = child_poll(&c, &st, &e));
	assert_int_equal(r, 0);
	assert_ok(r = child_wait_for(&c, 30, &st, &e));
	assert_int_equal(r, 0);
	assert_true(clock_mono_ms() - start >= 30);
	assert_ok(child_kill(&c, 0, &e));
	assert_ok(child_kill(&c, SIGUSR1, &e));
	assert_ok(r = child_wait_for(&c, 60000, &st, &e));
	assert_int_equal(r, 1);
	assert_true(st.signalled && st.code == SIGUSR1);
	assert_ok(child_kill(&c, SIGTERM, &e)); /* gone already */

	assert_ok(spawn_shell("exit 0", &c, &e));
	assert_int_equal(poll(&(struct pollfd){ .fd = c.pidfd, .events = POLLIN }, 1, 60000),
			 1);
	assert_ok(child_kill(&c, SIGTERM, &e)); /* dead, not yet reaped */
	assert_ok(r = child_poll(&c, NULL, &e));
	assert_int_equal(r, 1);

	assert_ok(spawn_shell("exec sleep 1000", &c, &e));
	child_end(&c);
	assert_int_equal(c.pidfd, -1);
	child_end(&c);
	assert_no_children();
}

/* Every way to place three pipes on 0, 1 and 2, starting from 0, 1 and 2. */
static int stdio_orders(void)
{
	int fds[3];

	for (int order = 0; order < 27; order++) {
		int o[3] = { order % 3, order / 3 % 3, order / 9 };
		char got[2] = "";
		struct err e = ERR_NONE;

		for (int i = 0; i < 3; i++) {
			fds[i] = memory((char[]){ (char) ('A' + i), '\0' });
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 20);
		}
		for (int i = 0; i < 3; i++)
			(void) dup3(fds[i], i, O_CLOEXEC);
		if (child_set_stdio(o[0], o[1], o[2], &e) < 0)
			return 1;
		for (int i = 0; i < 3; i++)
			if (pread(i, got, 1, 0) != 1 || got[0] != 'A' + o[i] ||
			    fcntl(i, F_GETFD) != 0)
				return 2 + order;
	}
	return 0;
}

static void test_set_stdio(void **unused_arg state)
{
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	int r;

	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0)
		_exit(stdio_orders());
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 0);
	assert_err(child_set_stdio(0, 1, 997, &e), EBADF);
}

static void check_clone(void)
{
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	struct err why = ERR_NONE;
	int r;

	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0)
		_exit(41);
	assert_int_equal(r, 1);
	assert_true(fcntl(c.pidfd, F_GETFD) & FD_CLOEXEC);
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 41);

	r = child_clone(CLONE_NEWUSER | CLONE_NEWPID, -1, &c, &why);
	if (r < 0) {
		print_message("skipped: pid namespace: %s\n", why.msg);
	} else {
		if (r == 0)
			_exit(getpid() == 1 ? 42 : 1);
		assert_ok(child_wait(&c, &st, &e));
		assert_int_equal(st.code, 42);
	}
	assert_err(child_clone(CLONE_VM, -1, &c, &e), EINVAL);
	assert_err(child_clone(CLONE_FILES | CLONE_NEWNS, -1, &c, &e), EINVAL);
	assert_err(child_clone(CLONE_INTO_CGROUP, -1, &c, &e), EINVAL);
}

static void test_clone(void **unused_arg state)
{
	struct child c = CHILD_NONE;

	check_clone();
	assert_err(child_clone(0, 996, &c, &e), EBADF);
}

/* Any directory with such a file does: the kernel's would move the process whose number is written. */
static void check_placed_by_hand(void)
{
	char dir[] = "/tmp/carrel-place.XXXXXX", text[32] = "", want[32];
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	int r;

	assert_non_null(mkdtemp(dir));
	auto_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_err(child_clone(0, fd, &c, &e), ENOENT);
	auto_close int procs = openat(fd, "cgroup.procs", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(procs >= 0);
	assert_ok(r = child_clone(0, fd, &c, &e));
	if (r == 0) {
		(void) snprintf(want, sizeof(want), "%d", (int) getpid());
		_exit(pread(procs, text, sizeof(text) - 1, 0) > 0 && strcmp(text, want) == 0
			      ? 7
			      : 1);
	}
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 7);
	assert_int_equal(unlinkat(fd, "cgroup.procs", 0), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_clone_without_clone3(void **unused_arg state)
{
	struct child c = CHILD_NONE, never = CHILD_NONE;
	struct child_status st = { 0 };
	int r;

	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0) {
		if (forbid_call(SYS_clone3, ENOSYS) < 0)
			_exit(1);
		check_clone();
		check_placed_by_hand();
		assert_err(child_clone(CLONE_NEWTIME, -1, &never, &e), ENOSYS);
		assert_ok(spawn_shell("exit 3", &never, &e));
		assert_ok(child_wait(&never, &st, &e));
		_exit(st.code);
	}
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_poll_kill_end),
		cmocka_unit_test(test_set_stdio),
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_clone_without_clone3),
	};

	return cmocka_run_group_tests_name("base/child", tests, NULL, NULL);
}
