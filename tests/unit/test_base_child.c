/*
 * Children. Programs that have to tell what they were given are this very program, started again as a
 * probe (see `probes` at the end).
 */
#include "tests/unit/scratch.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/clock.h"

static char self[] = "/proc/self/exe";

/* What the probe prints, NUL-terminated in *out. */
static void run_probe(struct child_spec *spec, const char *probe, struct buf *out)
{
	char *argv[] = { self, "--probe", (char *) probe, NULL };
	struct child_status st = { 0 };

	spec->path = self;
	spec->argv = argv;
	assert_ok(child_run(spec, NULL, 0, out, NULL, 10000, &st, &e));
	if (st.signalled || st.code != 0)
		fail_msg("probe %s: %s %d", probe, st.signalled ? "signal" : "exit code",
			 st.code);
}

static void assert_probe(struct child_spec *spec, const char *probe, const char *expected)
{
	auto_buf struct buf out = BUF_LIMIT(65536);

	run_probe(spec, probe, &out);
	assert_string_equal(buf_str(&out), expected);
}

static int spawn_shell(const char *script, struct child *c, struct err *e)
{
	char *argv[] = { "sh", "-c", (char *) script, NULL };
	struct child_spec spec = CHILD_SPEC_NONE;

	spec.path = "/bin/sh";
	spec.argv = argv;
	return child_spawn(&spec, c, e);
}

static void assert_no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
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
	assert_ok(r = child_wait_for(&c, 10000, &st, &e));
	assert_int_equal(r, 1);
	assert_true(st.signalled && st.code == SIGUSR1);
	assert_ok(child_kill(&c, SIGTERM, &e)); /* gone already */

	assert_ok(spawn_shell("exit 0", &c, &e));
	assert_int_equal(poll(&(struct pollfd){ .fd = c.pidfd, .events = POLLIN }, 1, 10000),
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

static void test_exec_failure(void **unused_arg state)
{
	struct scratch s = scratch_open();
	char *argv[] = { "x", NULL }, *none[] = { NULL };
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child c = CHILD_NONE;
	char path[128];
	int fds = count_fds();

	put_file(s.fd, "plain", "#!/nowhere/interpreter\n");
	(void) snprintf(path, sizeof(path), "%s/plain", s.path);
	spec.argv = argv;
	assert_err(child_spawn(&spec, &c, &e), EINVAL); /* nothing to execute */
	spec.path = "/nowhere/program";
	assert_err(child_spawn(&spec, &c, &e), ENOENT);
	assert_int_equal(c.pid, -1);
	spec.path = path;
	assert_err(child_spawn(&spec, &c, &e), EACCES);
	assert_int_equal(chmod(path, 0755), 0);
	assert_err(child_spawn(&spec, &c, &e), ENOENT);
	spec.path = "/bin/true";
	spec.argv = none;
	assert_err(child_spawn(&spec, &c, &e), EINVAL);
	spec.argv = argv;
	spec.cwd = "/nowhere";
	assert_err(child_spawn(&spec, &c, &e), ENOENT);
	spec.cwd = NULL;
	spec.stdio[1] = 999;
	assert_err(child_spawn(&spec, &c, &e), EBADF);
	spec.stdio[1] = -1;
	spec.keep_fds = (int[]){ 0, 998 };
	spec.n_keep_fds = 2;
	assert_err(child_spawn(&spec, &c, &e), EBADF);
	assert_int_equal(count_fds(), fds);
	assert_no_children();
	scratch_close(&s);
}

static void on_signal(int sig)
{
	_exit(sig); /* it must never run */
}

static void test_signals(void **unused_arg state)
{
	struct child_spec spec = CHILD_SPEC_NONE;
	auto_buf struct buf out = BUF_LIMIT(65536);
	struct sigaction handler = { .sa_handler = on_signal }, before;
	sigset_t blocked, mask, after;
	char *argv[] = { "cat", "/proc/self/status", NULL };

	(void) sigemptyset(&blocked);
	(void) sigaddset(&blocked, SIGUSR1);
	(void) sigaddset(&blocked, SIGRTMAX);
	(void) sigprocmask(SIG_BLOCK, &blocked, &mask);
	(void) signal(SIGPIPE, SIG_IGN);
	(void) signal(SIGRTMIN + 3, SIG_IGN);
	(void) sigaction(SIGUSR2, &handler, &before);
	spec.path = "/bin/cat";
	spec.argv = argv;
	assert_ok(child_run(&spec, NULL, 0, &out, NULL, 10000, NULL, &e));
	assert_non_null(strstr(buf_str(&out), "SigBlk:\t0000000000000000"));
	assert_non_null(strstr(buf_str(&out), "SigIgn:\t0000000000000000"));
	assert_non_null(strstr(buf_str(&out), "SigCgt:\t0000000000000000"));

	/* and ours are as they were */
	(void) sigprocmask(SIG_SETMASK, &mask, &after);
	assert_true(sigismember(&after, SIGUSR1) && sigismember(&after, SIGRTMAX));
	assert_false(sigismember(&after, SIGTERM));
	(void) sigaction(SIGUSR2, &before, &handler);
	assert_ptr_equal(handler.sa_handler, on_signal);
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_IGN);
	assert_ptr_equal(signal(SIGRTMIN + 3, SIG_DFL), SIG_IGN);
}

static int memory(const char *text)
{
	int fd = memfd_create(text, MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void test_descriptors(void **unused_arg state)
{
	struct child_spec spec = CHILD_SPEC_NONE;
	auto_close int a = memory("A"), b = memory("B"), c = memory("C");
	auto_close int leak = fcntl(a, F_DUPFD, 100); /* not close-on-exec */
	int low[] = { c, a, b };

	assert_true(leak >= 100);
	assert_probe(&spec, "fds", "");
	spec.keep_fds = low;
	spec.n_keep_fds = 3;
	assert_probe(&spec, "fds", "3=C 4=A 5=B ");
	/* the same again, and one twice */
	low[1] = c;
	assert_probe(&spec, "fds", "3=C 4=C 5=B ");
	/* sources that sit where others are to go */
	low[0] = b;
	low[1] = a;
	low[2] = c;
	assert_probe(&spec, "fds", "3=B 4=A 5=C ");
	spec.n_keep_fds = 1;
	assert_probe(&spec, "fds", "3=B ");
	spec.n_keep_fds = 65;
	struct child never = CHILD_NONE;
	char *argv[] = { self, NULL };
	spec.path = self;
	spec.argv = argv;
	assert_err(child_spawn(&spec, &never, &e), EINVAL);
	assert_true(fcntl(leak, F_GETFD) == 0); /* our own are untouched */
}

/* In a child whose 3, 4, 5 are the three, so that every order moves something. */
static int all_orders(void)
{
	static const int orders[][3] = { { 3, 4, 5 }, { 3, 5, 4 }, { 4, 3, 5 },
					 { 4, 5, 3 }, { 5, 3, 4 }, { 5, 4, 3 } };
	int fds[] = { memory("A"), memory("B"), memory("C") };

	for (int i = 0; i < 3; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 20);
	for (int i = 0; i < 3; i++)
		(void) dup3(fds[i], 3 + i, O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct child_spec spec = CHILD_SPEC_NONE;
		const int *o = orders[i];
		char expected[32];

		spec.keep_fds = o;
		spec.n_keep_fds = 3;
		(void) snprintf(expected, sizeof(expected), "3=%c 4=%c 5=%c ", 'A' + o[0] - 3,
				'A' + o[1] - 3, 'A' + o[2] - 3);
		assert_probe(&spec, "fds", expected);
	}
	return 0;
}

static void test_descriptor_orders(void **unused_arg state)
{
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	int r;

	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0)
		_exit(all_orders());
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 0);
}

static void test_without_close_range(void **state)
{
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	int r;

	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0) {
		if (forbid_call(SYS_close_range, ENOSYS) < 0)
			_exit(1);
		test_descriptors(state);
		_exit(0);
	}
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 0);
}

static void test_surroundings(void **unused_arg state)
{
	struct child_spec spec = CHILD_SPEC_NONE;
	auto_close int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *env[] = { "A=1", "B=2", NULL };

	assert_int_equal(setenv("CARREL_TEST_SECRET", "x", 1), 0);
	assert_probe(&spec, "env", "");
	spec.envp = env;
	assert_probe(&spec, "env", "A=1 B=2 ");
	spec.cwd = "/proc";
	assert_probe(&spec, "cwd", "/proc");
	spec.cwd_fd = dev;
	assert_probe(&spec, "cwd", "/dev");
	assert_probe(&spec, "session", "no");
	spec.new_session = true;
	assert_probe(&spec, "session", "yes");
	assert_probe(&spec, "death", "0");
	spec.parent_death_signal = SIGTERM;
	assert_probe(&spec, "death", "15");
	assert_int_equal(unsetenv("CARREL_TEST_SECRET"), 0);
}

static void test_exec_fd(void **unused_arg state)
{
	struct child_spec spec = CHILD_SPEC_NONE;
	char *argv[] = { "anything", "--probe", "cwd", NULL };
	auto_buf struct buf out = BUF_LIMIT(256);
	auto_close int exe = open(self, O_PATH | O_CLOEXEC), plain = memory("not a program");
	int zero = 0;

	spec.exec_fd = exe;
	spec.argv = argv;
	spec.cwd = "/";
	spec.keep_fds = &zero;
	spec.n_keep_fds = 1; /* 3 is to be overwritten, and exec_fd may be 3 */
	assert_ok(child_run(&spec, NULL, 0, &out, NULL, 10000, NULL, &e));
	assert_string_equal(buf_str(&out), "/");
	spec.exec_fd = plain;
	assert_err(child_run(&spec, NULL, 0, &out, NULL, 10000, NULL, &e), ENOEXEC);
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

static void probe_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	char text[16];

	for (int fd = 3; fd < 1024; fd++) {
		ssize_t n;

		if (fd == dirfd(d) || fcntl(fd, F_GETFD) < 0)
			continue;
		n = pread(fd, text, sizeof(text), 0);
		printf("%d=%.*s ", fd, (int) MAX(n, 0), text);
	}
	(void) closedir(d);
}

static void probe_env(void)
{
	for (char **v = environ; *v; v++)
		printf("%s ", *v);
}

static void probe_cwd(void)
{
	char path[PATH_MAX];

	printf("%s", getcwd(path, sizeof(path)));
}

static void probe_session(void)
{
	printf("%s", getsid(0) == getpid() ? "yes" : "no");
}

static void probe_death(void)
{
	int sig = -1;

	(void) prctl(PR_GET_PDEATHSIG, &sig);
	printf("%d", sig);
}

static const struct {
	const char *name;
	void (*run)(void);
} probes[] = {
	{ "fds", probe_fds },	      { "env", probe_env },	{ "cwd", probe_cwd },
	{ "session", probe_session }, { "death", probe_death },
};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_poll_kill_end),
		cmocka_unit_test(test_exec_failure),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_descriptor_orders),
		cmocka_unit_test(test_without_close_range),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_exec_fd),
		cmocka_unit_test(test_set_stdio),
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_clone_without_clone3),
	};

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(probes); i++) {
		if (strcmp(argv[2], probes[i].name) != 0)
			continue;
		probes[i].run();
		return fflush(stdout) == 0 ? 0 : 1;
	}
	return cmocka_run_group_tests_name("base/child", tests, NULL, NULL);
}
