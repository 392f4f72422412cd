/*
 * Descriptors and the files of our own directories: reading with limits, replacing whole files, removing
 * trees that somebody else may be changing.
 */
#include "tests/unit/scratch.h"

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/clock.h"

static bool exists(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_content(int dirfd, const char *name, const char *text)
{
	auto_buf struct buf b = BUF_LIMIT(65536);

	assert_ok(fd_read_file(dirfd, name, 65535, &b, &e));
	assert_string_equal(buf_str(&b), text);
}

static int count_entries(int dirfd)
{
	DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void) closedir(d);
	return n - 2;
}

static void test_ownership(void **unused_arg state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = -1, given;

	assert_ok(copy = fd_dup(fd, &e));
	assert_true(copy >= 3 && (fcntl(copy, F_GETFD) & FD_CLOEXEC));
	assert_string_equal(fd_path(17).s, "/proc/self/fd/17");
	given = take_fd(&fd);
	assert_int_equal(fd, FD_NONE);
	errno = EDOM;
	fd_close(&given);
	fd_close(&fd);
	assert_int_equal(errno, EDOM);
	assert_int_equal(given, FD_NONE);
	assert_ok(fd_set_nonblock(copy, true, &e));
	assert_true(fcntl(copy, F_GETFL) & O_NONBLOCK);
	assert_ok(fd_set_nonblock(copy, false, &e));
	assert_false(fcntl(copy, F_GETFL) & O_NONBLOCK);
	fd_close(&copy);
	assert_err(fd_dup(999, &e), EBADF);
	assert_err(fd_set_nonblock(999, true, &e), EBADF);
}

/* Exit code 0 when exactly the descriptors from 5 on are close-on-exec. */
static int marks_from_five(int forbid)
{
	struct err e = ERR_NONE;

	for (int fd = 3; fd < 10; fd++)
		if (dup3(0, fd == 0 ? 1 : fd, 0) < 0)
			return 1;
	if (forbid && forbid_call(SYS_close_range, forbid) < 0)
		return 2;
	if (fd_cloexec_from(5, &e) < 0)
		return 3;
	for (int fd = 3; fd < 10; fd++)
		if (fcntl(fd, F_GETFD) != (fd < 5 ? 0 : FD_CLOEXEC))
			return 10 + fd;
	return 0;
}

static void test_cloexec_from(void **unused_arg state)
{
	static const int forbidden[] = { 0, ENOSYS, EINVAL, EPERM };

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		struct child c = CHILD_NONE;
		struct child_status st = { 0 };
		int r;

		assert_ok(r = child_clone(0, -1, &c, &e));
		if (r == 0)
			_exit(marks_from_five(forbidden[i]));
		assert_ok(child_wait(&c, &st, &e));
		assert_int_equal(st.code, 0);
	}
}

static void test_read_limits(void **state)
{
	const struct scratch *s = *state;
	auto_buf struct buf b = BUF_LIMIT(100), small = BUF_LIMIT(5);

	put_file(s->fd, "six", "123456");
	put_file(s->fd, "empty", "");
	assert_ok(fd_read_file(s->fd, "six", 6, &b, &e));
	assert_ok(fd_read_file(s->fd, "empty", 0, &b, &e));
	assert_ok(fd_read_file(s->fd, "six", 1000, &b, &e)); /* appended */
	assert_string_equal(buf_str(&b), "123456123456");
	assert_err(fd_read_file(s->fd, "six", 5, &b, &e), EFBIG);
	assert_err(fd_read_file(s->fd, "six", 6, &small, &e), EFBIG);
	assert_err(fd_read_file(s->fd, "none", 6, &b, &e), ENOENT);
	assert_err(fd_read_file(s->fd, ".", 6, &b, &e), EISDIR);
}

static void test_read_large(void **state)
{
	const struct scratch *s = *state;
	auto_buf struct buf b = BUF_LIMIT(1 << 20);
	auto_close int fd = openat(s->fd, "large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char block[1000];

	for (int i = 0; i < 300; i++) {
		(void) memset(block, 'a' + i % 26, sizeof(block));
		assert_ok(fd_write_all(fd, block, sizeof(block), &e));
	}
	assert_int_equal(lseek(fd, 1000, SEEK_SET), 1000);
	assert_ok(fd_read_all(fd, 299000, &b, &e));
	assert_int_equal(buf_len(&b), 299000);
	assert_int_equal(buf_bytes(&b)[0], 'b');
	assert_int_equal(buf_bytes(&b)[298999], 'a' + 299 % 26);
}

static void test_writes(void **state)
{
	const struct scratch *s = *state;
	auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	put_file(s->fd, "there", "12345");
	assert_ok(fd_write_file(s->fd, "there", "abc", &e));
	assert_content(s->fd, "there", "abc45"); /* like a sysctl: written to, not replaced */
	assert_err(fd_write_file(s->fd, "none", "abc", &e), ENOENT);
	assert_false(exists(s->fd, "none"));
	assert_err(fd_write_file(AT_FDCWD, "/dev/full", "abc", &e), ENOSPC);
	assert_err(fd_write_all(full, "abc", 3, &e), ENOSPC);
	assert_ok(fd_write_all(full, "", 0, &e));
}

/* Eight MiB at a time, and never a failure: here is no file. */
static void test_write_behind(void **state)
{
	uint64_t begun = 0;

	fd_write_behind(-1, &begun, 3);
	assert_int_equal(begun, 0);
	fd_write_behind(-1, &begun, 9 << 20);
	assert_int_equal(begun, 9 << 20);
}

static void test_write_atomic(void **state)
{
	const struct scratch *s = *state;
	mode_t before = umask(077);
	struct stat st;

	assert_ok(fd_write_atomic(s->fd, "f", "one", 3, 0644, false, &e));
	assert_content(s->fd, "f", "one");
	assert_ok(fd_write_atomic(s->fd, "f", "second", 6, 0640, true, &e));
	assert_content(s->fd, "f", "second");
	assert_int_equal(fstatat(s->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	(void) umask(before);

	/* A link of that name is replaced, not written through. */
	put_file(s->fd, "target", "kept");
	assert_int_equal(symlinkat("target", s->fd, "link"), 0);
	assert_ok(fd_write_atomic(s->fd, "link", "new", 3, 0600, false, &e));
	assert_content(s->fd, "target", "kept");
	assert_content(s->fd, "link", "new");

	assert_int_equal(mkdirat(s->fd, "dir", 0755), 0);
	assert_err(fd_write_atomic(s->fd, "dir", "x", 1, 0600, false, &e), EISDIR);
	assert_err(fd_write_atomic(s->fd, "dir/x", "x", 1, 0600, false, &e), EINVAL);
	assert_err(fd_write_atomic(s->fd, "", "x", 1, 0600, false, &e), EINVAL);
	assert_err(fd_write_atomic(999, "x", "x", 1, 0600, false, &e), EBADF);
	assert_int_equal(count_entries(s->fd), 4); /* no temporary file is left */
}

static void __attribute__((noreturn)) rewrite_for_ever(int dirfd)
{
	static char block[65536];
	struct err ignored = ERR_NONE;

	for (char c = 'a';; c = c == 'z' ? 'a' : c + 1) {
		(void) memset(block, c, sizeof(block));
		(void) fd_write_atomic(dirfd, "f", block, sizeof(block), 0600, false, &ignored);
	}
}

static void test_readers_see_whole_files(void **state)
{
	const struct scratch *s = *state;
	struct child c = CHILD_NONE;
	uint64_t end = clock_mono_ms() + 60000;
	unsigned seen = 0;
	int r;

	put_file(s->fd, "f", "");
	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0)
		rewrite_for_ever(s->fd);
	/* until several versions were seen, or the writer does not get on */
	for (int i = 0; (i < 500 || !(seen & (seen - 1))) && clock_mono_ms() < end; i++) {
		auto_buf struct buf b = BUF_LIMIT(65537);

		assert_ok(fd_read_file(s->fd, "f", 65536, &b, &e));
		if (buf_len(&b) == 0)
			continue; /* the file from before */
		assert_int_equal(buf_len(&b), 65536);
		assert_memory_equal(buf_bytes(&b), buf_bytes(&b) + 1, 65535);
		seen |= 1u << (buf_bytes(&b)[0] - 'a');
	}
	child_end(&c);
	assert_true((seen & (seen - 1)) !=
		    0); /* at least two versions, or nobody was writing */
}

static void test_mount_id(void **unused_arg state)
{
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int deeper = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t a = 0, b = 0, c = 0;
	struct child child = CHILD_NONE;
	struct child_status st = { 0 };
	int r;

	assert_ok(fd_mount_id(proc, &a, &e));
	assert_ok(fd_mount_id(deeper, &b, &e));
	assert_ok(fd_mount_id(slash, &c, &e));
	assert_true(a == b && a != c);
	assert_err(fd_mount_id(999, &a, &e), EBADF);
	assert_ok(r = child_clone(0, -1, &child, &e));
	if (r == 0) { /* the same number from /proc/self/fdinfo */
		struct err e = ERR_NONE;

		_exit(forbid_call(SYS_statx, ENOSYS) < 0 || fd_mount_id(slash, &a, &e) < 0 ||
		      a != c);
	}
	assert_ok(child_wait(&child, &st, &e));
	assert_int_equal(st.code, 0);
}

static void make_tree(int dirfd, const char *name, int depth, int width)
{
	char child[16];

	assert_int_equal(mkdirat(dirfd, name, 0755), 0);
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (int i = 0; i < width; i++) {
		(void) snprintf(child, sizeof(child), "f%d", i);
		put_file(fd, child, "x");
		(void) snprintf(child, sizeof(child), "d%d", i);
		if (depth > 0)
			make_tree(fd, child, depth - 1, width);
	}
}

static void test_remove_tree(void **state)
{
	const struct scratch *s = *state;
	int before = count_fds();

	make_tree(s->fd, "outside", 1, 2);
	make_tree(s->fd, "t", 3, 4);
	assert_int_equal(symlinkat("../../outside", s->fd, "t/d1/link"), 0);
	assert_int_equal(symlinkat("../outside/", s->fd, "t/link"), 0);
	assert_int_equal(mkfifoat(s->fd, "t/fifo", 0600), 0);
	assert_int_equal(mkdirat(s->fd, "t/none", 0), 0);
	assert_ok(fd_remove_tree(s->fd, "t", &e));
	assert_false(exists(s->fd, "t"));
	assert_true(exists(s->fd, "outside/d1/f1"));

	assert_ok(fd_remove_tree(s->fd, "t", &e)); /* not there: success */
	assert_int_equal(symlinkat("outside", s->fd, "link"), 0);
	assert_ok(fd_remove_tree(s->fd, "link", &e));
	assert_false(exists(s->fd, "link"));
	assert_true(exists(s->fd, "outside/d1/f1"));
	put_file(s->fd, "file", "x");
	assert_ok(fd_remove_tree(s->fd, "file", &e));
	assert_false(exists(s->fd, "file"));
	assert_err(fd_remove_tree(s->fd, ".", &e), EINVAL);
	assert_err(fd_remove_tree(s->fd, "..", &e), EINVAL);
	assert_err(fd_remove_tree(s->fd, "", &e), EINVAL);
	assert_err(fd_remove_tree(s->fd, "outside/d1", &e), EINVAL);
	assert_int_equal(count_fds(), before);
}

/* Deeper than there are descriptors to hold it, and than a path could name. */
static void test_remove_deep(void **state)
{
	const struct scratch *s = *state;
	const struct rlimit few = { 32, 32 };
	auto_close int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	int r;

	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(fd, "deep", 0755), 0);
		int next = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		fd_close(&fd);
		fd = next;
		put_file(fd, "f", "x");
	}
	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0) {
		struct err e = ERR_NONE;

		_exit(setrlimit(RLIMIT_NOFILE, &few) < 0 ||
		      fd_remove_tree(s->fd, "deep", &e) < 0);
	}
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 0);
	assert_false(exists(s->fd, "deep"));
}

static int remove_under_mount(const struct scratch *s)
{
	struct err e = ERR_NONE;
	char path[128];

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	(void) snprintf(path, sizeof(path), "%s/t/d0/d0", s->path);
	if (mount("none", path, "tmpfs", 0, NULL) < 0)
		return 2;
	put_file(s->fd, "t/d0/d0/precious", "x");
	if (fd_remove_tree(s->fd, "t", &e) == 0 || e.code != EBUSY)
		return 3;
	if (!exists(s->fd, "t/d0/d0/precious"))
		return 4;
	if (fd_remove_tree(s->fd, "t", &e) == 0 || umount2(path, 0) < 0)
		return 5;
	return fd_remove_tree(s->fd, "t", &e) < 0 || exists(s->fd, "t") ? 6 : 0;
}

static void test_remove_stops_at_mounts(void **state)
{
	const struct scratch *s = *state;
	struct child c = CHILD_NONE;
	struct child_status st = { 0 };
	struct err why = ERR_NONE;
	int r;

	make_tree(s->fd, "t", 2, 1);
	r = child_clone(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS, -1, &c, &why);
	if (r < 0) {
		print_message("skipped: no mount namespace: %s\n", why.msg);
		skip();
	}
	if (r == 0)
		_exit(remove_under_mount(s));
	assert_ok(child_wait(&c, &st, &e));
	assert_int_equal(st.code, 0);
}

/* The attacker: t/d0 by turns a directory and a link to what must not be lost. */
static void __attribute__((noreturn)) swap_for_ever(int dirfd)
{
	for (;;) {
		(void) mkdirat(dirfd, "t", 0755);
		(void) mkdirat(dirfd, "t/d0", 0755);
		(void) mkdirat(dirfd, "t/d0/d1", 0755);
		if (symlinkat("../outside", dirfd, "t/evil") < 0 && errno == EROFS)
			_exit(1);
		for (int i = 0; i < 20; i++) {
			(void) renameat2(dirfd, "t/evil", dirfd, "t/d0", RENAME_EXCHANGE);
			(void) renameat2(dirfd, "t/evil", dirfd, "t/d0", RENAME_EXCHANGE);
			(void) renameat(dirfd, "t/d0/d1", dirfd, "outside/d1");
			(void) renameat(dirfd, "outside/d1", dirfd, "t/d0/d1");
		}
	}
}

static void test_remove_race(void **state)
{
	const struct scratch *s = *state;
	uint64_t start = clock_mono_ms(), now = start;
	struct child c = CHILD_NONE;
	int r, worked = 0, refused = 0, links = 0;

	make_tree(s->fd, "outside", 0, 3);
	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0)
		swap_for_ever(s->fd);
	/* as long as it takes to have met both, on a busy machine too */
	for (; now < start + 300 || (now < start + 60000 && !(worked && links));
	     now = clock_mono_ms()) {
		struct err why = ERR_NONE;
		struct stat st;

		if (!exists(s->fd, "t/evil"))
			continue;
		/* The control: the link is there at times, and it does lead to what is to be kept. */
		links += fstatat(s->fd, "t/d0/f0", &st, 0) == 0;
		if (fd_remove_tree(s->fd, "t", &why) < 0)
			refused++;
		else
			worked++;
	}
	child_end(&c);
	print_message("%d removals, %d given up, %d times a link\n", worked, refused, links);
	assert_true(worked > 0 && links > 0);
	for (int i = 0; i < 3; i++) {
		char name[32];

		(void) snprintf(name, sizeof(name), "outside/f%d", i);
		assert_true(exists(s->fd, name));
	}
}

/* One attempt at moving t/d0/d1 away while it is being emptied; true when that was the moment. */
static bool move_away_in_the_middle(const struct scratch *s, struct child_status *st)
{
	const int n = 3000;
	struct child c = CHILD_NONE;
	bool moved;
	int r;

	assert_int_equal(mkdirat(s->fd, "t", 0755), 0);
	assert_int_equal(mkdirat(s->fd, "t/d0", 0755), 0);
	make_tree(s->fd, "t/d0/d1", 0, n);
	auto_close int d1 = openat(s->fd, "t/d0/d1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(r = child_clone(0, -1, &c, &e));
	if (r == 0) {
		struct err e = ERR_NONE;

		_exit(fd_remove_tree(s->fd, "t", &e) < 0 ? e.code : 0);
	}
	while (count_entries(d1) == n &&
	       poll(&(struct pollfd){ c.pidfd, POLLIN, 0 }, 1, 0) == 0)
		;
	moved = renameat(s->fd, "t/d0/d1", s->fd, "outside/d1") == 0;
	assert_ok(child_wait(&c, st, &e));
	return moved;
}

/* Where ".." leads after the move are the files to be kept: it has to be noticed. */
static void test_remove_moved_away(void **state)
{
	const struct scratch *s = *state;
	struct child_status st = { 0 };
	bool moved = false;

	make_tree(s->fd, "outside", 0, 3);
	for (int i = 0; i < 50 && !moved; i++)
		moved = move_away_in_the_middle(s, &st);
	assert_true(moved);
	assert_int_equal(st.code, ESTALE);
	assert_true(exists(s->fd, "outside/f0") && exists(s->fd, "outside/f2"));
	assert_true(exists(s->fd, "t/d0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ownership),
		cmocka_unit_test(test_cloexec_from),
		cmocka_unit_test_setup_teardown(test_read_limits, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_read_large, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_writes, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_write_behind, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_write_atomic, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_readers_see_whole_files, scratch_setup,
						scratch_teardown),
		cmocka_unit_test(test_mount_id),
		cmocka_unit_test_setup_teardown(test_remove_tree, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_remove_deep, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_remove_stops_at_mounts, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_remove_moved_away, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(test_remove_race, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests_name("base/fd", tests, NULL, NULL);
}
