/* The scanner's control group, in the hierarchies that this machine has; of either version. Needs root. */
#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "base/buf.h"
#include "shim/cgmount.h"
#include "shim/scan_group.h"
#include "tests/unit/scratch.h"

enum { BURN_MS = 30 };

struct scene {
	struct scratch dir;
	struct cgmounts mounts;
	char *top, *box, *scanner; /* paths of groups */
	pid_t child;
};

static int group(const struct cgmount *m, const char *path)
{
	return cgmounts_open_path(m, path);
}

/* Where the kernel counts and limits time: version 1's two controllers, and version 2 when it has the third. */
static bool wanted(const struct cgmount *m)
{
	struct err e = ERR_NONE;
	auto_buf struct buf text = BUF_LIMIT(4096);
	auto_close int root = group(m, "/");

	if (m->controllers[0])
		return strstr(m->controllers, "cpu") && !strstr(m->controllers, "cpuset");
	return fd_read_file(root, "cgroup.controllers", 4096, &text, &e) == 0 &&
	       strstr(buf_str(&text), "cpu");
}

static void make_group(const struct cgmount *m, const char *path)
{
	auto_free char *copy = xstrdup(path);
	auto_close int parent = -1;
	struct err e = ERR_NONE;

	*strrchr(copy, '/') = 0;
	parent = group(m, *copy ? copy : "/");
	assert_true(parent >= 0);
	/* Version 2 gives a controller to the children of who asks for it. */
	(void) fd_write_file(parent, "cgroup.subtree_control", "+cpu", &e);
	assert_true(mkdirat(parent, strrchr(path, '/') + 1, 0755) == 0 || errno == EEXIST);
}

static void limit(int box)
{
	struct err e = ERR_NONE;

	(void) fd_write_file(box, "cpu.max", "70000 100000", &e);
	(void) fd_write_file(box, "cpu.cfs_quota_us", "70000", &e);
}

static pid_t burner(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	for (;;) { /* until it is killed; most of it asleep */
		for (clock_t until = clock() + BURN_MS * CLOCKS_PER_SEC / 1000;
		     clock() < until;)
			;
		(void) usleep(BURN_MS * 1000);
	}
}

static void setup(struct scene *s)
{
	struct err e = ERR_NONE;

	*s = (struct scene){ .dir = scratch_open() };
	s->top = xasprintf("/carrel-unit-%d", (int) getpid());
	s->box = xasprintf("%s/box", s->top);
	s->scanner = xasprintf("%s.scanner", s->box);
	assert_int_equal(cgmounts_read(&s->mounts, &e), 0);
	for (size_t i = 0; i < s->mounts.n; i++) {
		auto_close int box = -1;

		if (!wanted(&s->mounts.v[i]))
			continue;
		make_group(&s->mounts.v[i], s->top);
		make_group(&s->mounts.v[i], s->box);
		box = group(&s->mounts.v[i], s->box);
		limit(box);
	}
	s->child = burner();
}

static void remove_group(const struct cgmount *m, const char *path)
{
	auto_free char *copy = xstrdup(path);
	auto_close int parent = -1;

	*strrchr(copy, '/') = 0;
	parent = group(m, *copy ? copy : "/");
	if (parent >= 0)
		(void) unlinkat(parent, strrchr(path, '/') + 1, AT_REMOVEDIR);
}

static void teardown(struct scene *s)
{
	for (size_t i = 0; i < s->mounts.n; i++) {
		remove_group(&s->mounts.v[i], s->box);
		remove_group(&s->mounts.v[i], s->top);
	}
	cgmounts_fini(&s->mounts);
	scratch_close(&s->dir);
	free(s->top);
	free(s->box);
	free(s->scanner);
}

static void same_value(int a, int b, const char *file)
{
	auto_buf struct buf x = BUF_LIMIT(4096), y = BUF_LIMIT(4096);
	struct err ignored = ERR_NONE;

	if (fd_read_file(a, file, 4096, &x, &ignored) < 0)
		return;
	assert_ok(fd_read_file(b, file, 4096, &y, &e));
	assert_string_equal(buf_str(&x), buf_str(&y));
}

/* How many hierarchies have it, with the child in it and the limits of the sandbox. */
static size_t placed(const struct scene *s)
{
	auto_free char *line = xasprintf("%d\n", (int) s->child);
	size_t n = 0;

	for (size_t i = 0; i < s->mounts.n; i++) {
		auto_close int own = group(&s->mounts.v[i], s->scanner),
			       box = group(&s->mounts.v[i], s->box);
		auto_buf struct buf procs = BUF_LIMIT(4096);

		if (own < 0)
			continue;
		assert_ok(fd_read_file(own, "cgroup.procs", 4096, &procs, &e));
		assert_string_equal(buf_str(&procs), line);
		same_value(box, own, "cpu.max");
		same_value(box, own, "cpu.cfs_quota_us");
		n++;
	}
	return n;
}

static void a_group_beside_the_sandbox(void **state)
{
	struct scene s;
	siginfo_t si;
	size_t n = 0;

	if (geteuid() != 0)
		skip();
	setup(&s);
	for (size_t i = 0; i < s.mounts.n; i++)
		n += wanted(&s.mounts.v[i]);
	assert_ok(scan_group_place(s.dir.fd, s.box, s.child, &e));
	assert_int_equal(placed(&s), n);
	while (n > 0 && scan_group_cpu_ns(s.dir.fd) == 0)
		(void) usleep(1000);
	assert_ok(scan_group_remove(s.dir.fd, &e));
	for (size_t i = 0; i < s.mounts.n; i++)
		assert_int_equal(group(&s.mounts.v[i], s.scanner), -1);
	/* What was in it is dead; where there is no hierarchy it never was in one. */
	if (n == 0)
		(void) kill(s.child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t) s.child, &si, WEXITED), 0);
	assert_int_equal(si.si_status, SIGKILL);
	assert_ok(scan_group_remove(s.dir.fd, &e));
	assert_int_equal(scan_group_cpu_ns(s.dir.fd), 0);
	teardown(&s);
}

/* Nothing is made where the sandbox has no group. */
static void without_a_sandbox_there_is_none(void **state)
{
	struct scratch dir = scratch_open();
	struct cgmounts mounts = { 0 };

	assert_ok(scan_group_place(dir.fd, "/carrel-unit-none/box", getpid(), &e));
	assert_ok(cgmounts_read(&mounts, &e));
	for (size_t i = 0; i < mounts.n; i++)
		assert_int_equal(group(&mounts.v[i], "/carrel-unit-none/box.scanner"), -1);
	assert_ok(scan_group_remove(dir.fd, &e));
	cgmounts_fini(&mounts);
	scratch_close(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_beside_the_sandbox),
		cmocka_unit_test(without_a_sandbox_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
