/* base/loopdev.c and volume_mount.c: one device for all who read a file, one of its own for who writes, and nothing left behind. */
#include "tests/unit/scratch.h"

#include <sys/file.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/loopdev.h"
#include "base/volume.h"

/* Loop devices are the host's: where there are none (containers), nothing of this can be looked at. */
static int need_devices(void)
{
	auto_close int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		print_message("skipped: /dev/loop-control: %s\n", strerror(errno));
	return fd >= 0;
}

static int make_file(const struct scratch *s, const char *name)
{
	const int fd = openat(s->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	return fd;
}

/* The kernel frees a device after its last close, at once or a moment later. */
static void freed(const struct loopdev_path *path, const char *file)
{
	const uint64_t end = clock_mono_ms() + 30000;
	char name[64], text[4096];
	ssize_t n;

	snprintf(name, sizeof(name), "/sys/block/%s/loop/backing_file",
		 path->s + strlen("/dev/"));
	for (;;) {
		auto_close int fd = open(name, O_RDONLY | O_CLOEXEC);

		n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		if (!strstr(text, file))
			return;
		assert_true(clock_mono_ms() < end);
		(void) usleep(10000);
	}
}

/* The lock is free as soon as the device has let its file go. */
static void gets_lock(int fd)
{
	const uint64_t end = clock_mono_ms() + 30000;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		assert_true(clock_mono_ms() < end);
		(void) usleep(10000);
	}
}

static void shared_to_read(void **state)
{
	struct loopdev_path a, b, c;
	char other;

	if (!need_devices())
		skip();
	auto_close int file = make_file(*state, "shared");
	auto_close int again =
		openat(((struct scratch *) *state)->fd, "shared", O_RDONLY | O_CLOEXEC);
	auto_close int second = make_file(*state, "second");
	struct err e = ERR_NONE;
	int x = loopdev_open(file, &a, &e), y = loopdev_open(again, &b, &e);
	int z = loopdev_open(second, &c, &e);

	if (x < 0 || y < 0 || z < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(a.s, b.s);
	assert_string_not_equal(a.s, c.s);
	assert_int_equal(pwrite(x, "x", 1, 0), -1);
	/* What the file gets is what the device has: it is read past the page cache or through it, but it is the file. */
	assert_int_equal(pread(y, &other, 1, 0), 1);
	assert_int_equal(other, 0);
	fd_close(&x);
	fd_close(&y);
	fd_close(&z);
	freed(&a, "shared");
	freed(&c, "second");
}

static void own_to_write(void **state)
{
	struct loopdev_path a, b;
	struct err e = ERR_NONE;

	if (!need_devices())
		skip();
	int file = make_file(*state, "own");
	auto_close int again =
		openat(((struct scratch *) *state)->fd, "own", O_RDWR | O_CLOEXEC);
	int reader = loopdev_open(file, &b, &e), writer = loopdev_new(file, &a, &e);

	if (reader < 0 || writer < 0)
		fail_msg("%s", e.msg);
	assert_string_not_equal(a.s, b.s);
	/* It holds the open file, hence the lock. */
	assert_int_equal(flock(file, LOCK_EX | LOCK_NB), 0);
	fd_close(&file);
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), -1);
	fd_close(&writer);
	fd_close(&reader);
	freed(&a, "own");
	freed(&b, "own");
	gets_lock(again);
}

static void no_file(void **state)
{
	struct scratch *s = *state;
	struct loopdev_path path;

	if (!need_devices())
		skip();
	assert_err(loopdev_open(s->fd, &path, &e), EINVAL);
	assert_err(loopdev_new(s->fd, &path, &e), EINVAL);
}

/* volume_mount.c: what is no file system, and what room there is. */
static void no_volume(void **state)
{
	struct err e = ERR_NONE;

	if (!need_devices())
		skip();
	int file = make_file(*state, "zeros");
	assert_int_equal(flock(file, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(volume_mount_image(file, &e), -1);
	assert_true(strlen(e.msg) > 0);
	/* The device is gone with the attempt, and with it the lock that it would hold. */
	auto_close int again =
		openat(((struct scratch *) *state)->fd, "zeros", O_RDWR | O_CLOEXEC);
	fd_close(&file);
	gets_lock(again);
}

static void room(void **state)
{
	struct scratch *s = *state;
	uint64_t bytes, inodes;
	struct statfs fs;

	assert_ok(volume_room(s->fd, &bytes, &inodes, &e));
	assert_int_equal(fstatfs(s->fd, &fs), 0);
	assert_int_equal(bytes % (uint64_t) fs.f_bsize, 0);
	assert_true(bytes <= (uint64_t) fs.f_blocks * (uint64_t) fs.f_bsize);
	assert_err(volume_room(-1, &bytes, &inodes, &e), EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shared_to_read, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(own_to_write, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(no_file, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(no_volume, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(room, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests_name("base_loopdev", tests, NULL, NULL);
}
