/*
 * Paths inside a root: one table, answered by openat2, by the walk, and by what is left when seccomp
 * forbids openat2; then the two against each other on generated paths.
 */
#include "tests/unit/path_tree.h"

#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/child.h"

/* `is`: the file that is reached, named from the root without links; "" the root itself. */
static const struct row {
	const char *path;
	int oflags;
	unsigned flags;
	int error;
	const char *is;
} rows[] = {
	{ "a/b/file", O_RDONLY, 0, 0, "a/b/file" },
	{ "/a/b/file", O_RDONLY, 0, 0, "a/b/file" },
	{ "//a//./b/..//b/file", O_RDONLY, 0, 0, "a/b/file" },
	{ "a/b", O_PATH, 0, 0, "a/b" },
	{ "a/b/", O_RDONLY | O_DIRECTORY, 0, 0, "a/b" },
	{ "/", O_PATH, 0, 0, "" },
	{ ".", O_RDONLY | O_DIRECTORY, 0, 0, "" },
	{ "..", O_PATH, 0, 0, "" },
	{ "../../..", O_PATH, 0, 0, "" },
	{ "a/../../../etc/passwd", O_RDONLY, 0, 0, "etc/passwd" },
	{ "", O_PATH, 0, ENOENT, NULL },
	{ "nowhere", O_PATH, 0, ENOENT, NULL },
	{ "a/nowhere/b", O_PATH, 0, ENOENT, NULL },
	{ "a/b/file/", O_PATH, 0, ENOTDIR, NULL },
	{ "a/b/file/x", O_PATH, 0, ENOTDIR, NULL },
	{ "a/b/file/..", O_PATH, 0, ENOTDIR, NULL },
	{ "a/b/file", O_RDONLY | O_DIRECTORY, 0, ENOTDIR, NULL },
	{ "a/b/file", O_PATH | O_DIRECTORY, 0, ENOTDIR, NULL },
	{ "a/b", O_WRONLY, 0, EISDIR, NULL },
	{ "a/b/.", O_RDWR, 0, EISDIR, NULL },
	{ "rel/file", O_RDONLY, 0, 0, "a/b/file" },
	{ "abs/file", O_RDONLY, 0, 0, "a/b/file" },
	{ "slash/file", O_RDONLY, 0, 0, "a/b/file" },
	{ "a/b/deepabs/passwd", O_RDONLY, 0, 0, "etc/passwd" },
	{ "torel/deepabs/../a/b/deepabs/passwd", O_RDONLY, 0, 0, "etc/passwd" },
	{ "torel/../back/passwd", O_RDONLY, 0, 0, "etc/passwd" },
	{ "tofile", O_WRONLY, 0, 0, "a/b/file" },
	{ "tofile/", O_PATH, 0, ENOTDIR, NULL },
	{ "fileslash", O_PATH, 0, ENOTDIR, NULL },
	{ "dot/dot/toroot/dot/a", O_PATH, 0, 0, "a" },
	{ "dangling", O_PATH, 0, ENOENT, NULL },
	{ "dangling/x", O_PATH, 0, ENOENT, NULL },
	{ "up", O_RDONLY, 0, 0, "etc/passwd" },
	{ "upabs", O_RDONLY, 0, 0, "etc/passwd" },
	{ "upout/secret", O_PATH, 0, ENOENT, NULL },
	{ "a/upout", O_PATH, 0, ENOENT, NULL },
	{ "hostabs/secret", O_PATH, 0, ENOENT, NULL },
	{ "../outside/secret", O_PATH, 0, ENOENT, NULL },
	{ "loop1", O_PATH, 0, ELOOP, NULL },
	{ "self/x", O_PATH, 0, ELOOP, NULL },
	{ "chain40", O_PATH, 0, 0, "a/b/file" },
	{ "chain41", O_PATH, 0, ELOOP, NULL },
	/* the last component is a link and stays one */
	{ "rel", O_PATH, PATH_LAST_NOFOLLOW, 0, "rel" },
	{ "dangling", O_PATH, PATH_LAST_NOFOLLOW, 0, "dangling" },
	{ "self", O_PATH | O_NOFOLLOW, 0, 0, "self" },
	{ "rel/", O_PATH, PATH_LAST_NOFOLLOW, 0, "a/b" },
	{ "torel/", O_PATH, PATH_LAST_NOFOLLOW, 0, "a/b" },
	{ "rel/.", O_PATH, PATH_LAST_NOFOLLOW, 0, "a/b" },
	{ "rel", O_RDONLY, PATH_LAST_NOFOLLOW, ELOOP, NULL },
	{ "rel", O_PATH | O_DIRECTORY, PATH_LAST_NOFOLLOW, ENOTDIR, NULL },
	{ "rel", O_RDONLY | O_DIRECTORY, PATH_LAST_NOFOLLOW, ENOTDIR, NULL },
	{ "abs/file", O_RDONLY, PATH_LAST_NOFOLLOW, 0, "a/b/file" },
	/* no link anywhere */
	{ "a/b/file", O_RDONLY, PATH_NO_SYMLINKS, 0, "a/b/file" },
	{ "rel/file", O_RDONLY, PATH_NO_SYMLINKS, ELOOP, NULL },
	{ "tofile", O_RDONLY, PATH_NO_SYMLINKS, ELOOP, NULL },
	{ "rel", O_PATH, PATH_NO_SYMLINKS | PATH_LAST_NOFOLLOW, 0, "rel" },
	{ "rel/", O_PATH, PATH_NO_SYMLINKS | PATH_LAST_NOFOLLOW, ELOOP, NULL },
	/* a FIFO is opened as asked, and without waiting only if asked */
	{ "fifo", O_PATH, 0, 0, "fifo" },
	{ "tofifo", O_RDONLY | O_NONBLOCK, 0, 0, "fifo" },
	{ "fifo", O_WRONLY | O_NONBLOCK, 0, ENXIO, NULL },
	/* flags that make, and flags that O_PATH would ignore */
	{ "new", O_WRONLY | O_CREAT, 0, EINVAL, NULL },
	{ "a", O_RDWR | O_TMPFILE, 0, EINVAL, NULL },
	{ "a", O_PATH | O_RDWR, 0, EINVAL, NULL },
	{ "a/b/file", O_RDONLY, PATH_NO_XDEV, 0, "a/b/file" },
	{ "abs/../back/passwd", O_RDONLY, PATH_NO_XDEV, 0, "etc/passwd" },
};

/* On procfs, from a root that is procfs and from "/". */
static const struct row proc_rows[] = {
	{ "self/status", O_RDONLY, 0, 0, NULL },
	{ "thread-self/status", O_RDONLY, 0, 0, NULL },
	{ "mounts", O_RDONLY, 0, 0, NULL },
	{ "net/dev", O_RDONLY, 0, 0, NULL },
	{ "self/exe", O_PATH, 0, ELOOP, NULL },
	{ "self/exe", O_PATH, PATH_LAST_NOFOLLOW, 0, NULL },
	{ "self/root", O_PATH, 0, ELOOP, NULL },
	{ "self/root/etc", O_PATH, 0, ELOOP, NULL },
	{ "self/cwd/", O_PATH, 0, ELOOP, NULL },
	{ "self/fd/0", O_PATH, 0, ELOOP, NULL },
	{ "self/fd/0", O_RDONLY, 0, ELOOP, NULL },
	{ "thread-self/fd/0", O_PATH, 0, ELOOP, NULL },
	{ "self/ns/net", O_PATH, 0, ELOOP, NULL },
	{ "self/ns/net", O_PATH, PATH_LAST_NOFOLLOW, 0, NULL },
	{ "self/status", O_PATH, PATH_NO_SYMLINKS, ELOOP, NULL },
};

/* For children too, so it counts instead of asserting. */
static int wrong_rows(int root, const struct row *table, size_t n)
{
	int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const struct row *row = &table[i];
		struct err e = ERR_NONE;
		auto_close int fd = path_open_in(root, row->path, row->oflags, row->flags, &e);
		bool right = fd >= 0 ? row->error == 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC)
				     : row->error != 0 && e.code == row->error;

		if (right && fd >= 0 && row->is)
			right = same_file(fd, root, row->is);
		if (right)
			continue;
		wrong++;
		print_error("\"%s\" flags 0x%x %u: expected %d %s, got %d (%s)\n", row->path,
			    row->oflags, row->flags, row->error, row->is ? row->is : "",
			    fd >= 0 ? 0 : e.code, e.msg);
	}
	return wrong;
}

static int wrong_everywhere(const struct place *p)
{
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct row over_mount = { "proc/version", O_PATH, PATH_NO_XDEV, EXDEV, NULL };
	const struct row at_mount = { "proc", O_PATH, PATH_NO_XDEV, EXDEV, NULL };
	const struct row through_magic = { "proc/self/root/proc", O_PATH, 0, ELOOP, NULL };

	return wrong_rows(p->root, rows, ARRAY_SIZE(rows)) +
	       wrong_rows(proc, proc_rows, ARRAY_SIZE(proc_rows)) +
	       wrong_rows(slash, &over_mount, 1) + wrong_rows(slash, &at_mount, 1) +
	       wrong_rows(slash, &through_magic, 1);
}

static bool kernel_has_openat2(void)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC };
	auto_close int fd = (int) syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	return fd >= 0;
}

static void test_table_openat2(void **state)
{
	if (!kernel_has_openat2()) {
		print_message("skipped: this kernel has no openat2\n");
		skip();
	}
	path_force_walk(false);
	assert_int_equal(wrong_everywhere(*state), 0);
}

static void test_table_walk(void **state)
{
	int before = count_fds();

	path_force_walk(true);
	assert_int_equal(wrong_everywhere(*state), 0);
	assert_int_equal(count_fds(), before);
}

/* Runs fn in a child; its result is the exit code. */
static int in_child(int (*fn)(const struct place *, int), const struct place *p, int arg)
{
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	struct err why = ERR_NONE;
	int r = child_clone(0, -1, &c, &why);

	assert_true(r >= 0);
	if (r == 0)
		_exit(MIN(fn(p, arg), 100));
	assert_ok(child_wait(&c, &st, &e));
	assert_false(st.signalled);
	return st.code;
}

static int without_openat2(const struct place *p, int error)
{
	return forbid_call(SYS_openat2, error) < 0 ? 100 : wrong_everywhere(p);
}

static void test_table_forbidden(void **state)
{
	path_force_walk(false);
	assert_int_equal(in_child(without_openat2, *state, ENOSYS), 0);
	assert_int_equal(in_child(without_openat2, *state, EPERM), 0);
}

static void test_map_files(void **unused_arg state)
{
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const size_t n = (size_t) sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, n, PROT_READ, MAP_PRIVATE, file, 0);
	char path[96];

	assert_ptr_not_equal(page, MAP_FAILED);
	(void) snprintf(path, sizeof(path), "self/map_files/%lx-%lx", (unsigned long) page,
			(unsigned long) page + n);
	for (int walk = 0; walk < 2; walk++) {
		path_force_walk(walk);
		assert_err(path_open_in(proc, path, O_PATH, 0, &e), ELOOP);
	}
	(void) munmap(page, n);
}

static const char *const words[] = { "a",	"b",	  "file",   "etc",	 "passwd",
				     "..",	".",	  "",	    "rel",	 "abs",
				     "slash",	"back",	  "tofile", "up",	 "dangling",
				     "dot",	"toroot", "loop1",  "torel",	 "fifo",
				     "locked",	"upout",  "new",    "fileslash", "self",
				     "chain13", "deepabs" };

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void random_path(uint32_t *seed, char out[256])
{
	size_t n = 1 + next_random(seed) % 7;

	*out = '\0';
	for (size_t i = 0; i < n; i++) {
		(void) strcat(out, words[next_random(seed) % ARRAY_SIZE(words)]);
		if (i + 1 < n || next_random(seed) % 4 == 0)
			(void) strcat(out, "/");
	}
}

/* The same code and the same file from both, or it is counted. */
static int differences(const struct place *p, int n)
{
	static const int ways[] = { O_PATH, O_RDONLY | O_NONBLOCK, O_PATH | O_DIRECTORY,
				    O_RDWR | O_NONBLOCK, O_PATH | O_NOFOLLOW };
	uint32_t seed = 20260301;
	int wrong = 0;

	for (int i = 0; i < n; i++) {
		char path[256];
		int oflags = ways[next_random(&seed) % ARRAY_SIZE(ways)];
		unsigned flags = next_random(&seed) % 8;
		struct err e1 = ERR_NONE, e2 = ERR_NONE;

		random_path(&seed, path);
		path_force_walk(false);
		auto_close int fd1 = path_open_in(p->root, path, oflags, flags, &e1);
		path_force_walk(true);
		auto_close int fd2 = path_open_in(p->root, path, oflags, flags, &e2);

		if (e1.code == e2.code && (fd1 < 0 || same_file(fd1, fd2, "")))
			continue;
		print_error("\"%s\" 0x%x %u: openat2 %s, walk %s\n", path, oflags, flags,
			    fd1 < 0 ? e1.msg : "found it", fd2 < 0 ? e2.msg : "found it");
		wrong++;
	}
	return wrong;
}

static int differences_as_nobody(const struct place *p, int n)
{
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 100;
	return differences(p, n);
}

static void test_generated(void **state)
{
	int before = count_fds();

	if (!kernel_has_openat2()) {
		print_message("skipped: this kernel has no openat2\n");
		skip();
	}
	assert_int_equal(differences(*state, 20000), 0);
	if (geteuid() == 0)
		assert_int_equal(in_child(differences_as_nobody, *state, 20000), 0);
	assert_int_equal(count_fds(), before);
}

static void test_limits(void **state)
{
	const struct place *p = *state;
	char longest[PATH_MAX + 1], name[NAME_MAX + 2];

	(void) memset(longest, '/', sizeof(longest));
	longest[PATH_MAX] = '\0';
	(void) memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	for (int walk = 0; walk < 2; walk++) {
		path_force_walk(walk);
		assert_err(path_open_in(p->root, longest, O_PATH, 0, &e), ENAMETOOLONG);
		assert_err(path_mkdirs_in(p->root, longest, 0755, &e), ENAMETOOLONG);
		assert_err(path_open_in(p->root, name, O_PATH, 0, &e), ENAMETOOLONG);
		assert_err(path_touch_in(p->root, name, 0644, &e), ENAMETOOLONG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table_openat2, place_setup,
						place_teardown),
		cmocka_unit_test_setup_teardown(test_table_walk, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_table_forbidden, place_setup,
						place_teardown),
		cmocka_unit_test_setup_teardown(test_map_files, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_generated, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_limits, place_setup, place_teardown),
	};

	return cmocka_run_group_tests_name("base/path", tests, NULL, NULL);
}
