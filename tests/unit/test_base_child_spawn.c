/*
 * Programs that are started. Those that have to tell what they were given are this very program, started again as a
 * probe (see `probes` at the end).
 */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/child.h"

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

static void test_own_mounts(void **unused_arg state)
{
	struct child_spec spec = CHILD_SPEC_NONE;
	auto_buf struct buf mounts = BUF_LIMIT(1 << 20);

	if (geteuid() != 0) {
		print_message("needs root: a mount namespace\n");
		skip();
	}
	spec.own_mounts = true;
	assert_probe(&spec, "mount", "mounted");
	assert_ok(fd_read_file(AT_FDCWD, "/proc/self/mounts", 1 << 20, &mounts, &e));
	assert_null(strstr(buf_str(&mounts), "carrel-test"));
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

/* Mounts something where everybody would see it. */
static void probe_mount(void)
{
	printf("%s", mount("carrel-test", "/mnt", "tmpfs", 0, NULL) == 0 ? "mounted" : "no");
}

static const struct {
	const char *name;
	void (*run)(void);
} probes[] = {
	{ "fds", probe_fds },	      { "env", probe_env },	{ "cwd", probe_cwd },
	{ "session", probe_session }, { "death", probe_death }, { "mount", probe_mount },
};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec_failure),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_descriptor_orders),
		cmocka_unit_test(test_without_close_range),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_own_mounts),
		cmocka_unit_test(test_exec_fd),
	};

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(probes); i++) {
		if (strcmp(argv[2], probes[i].name) != 0)
			continue;
		probes[i].run();
		return fflush(stdout) == 0 ? 0 : 1;
	}
	return cmocka_run_group_tests_name("base/child_spawn", tests, NULL, NULL);
}
