/* Which files of the cache of compiled filters are believed, and that it does not grow. */
#include "tests/unit/scratch.h"

#include <seccomp.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/util.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_impl.h"
#include "tests/unit/filter_make.h"

static const struct filter_rule cached_rules[] = {
	PLAIN(SCMP_ACT_ALLOW, NAMES("read", "write", "exit_group")),
};

static char *only_file(int dirfd)
{
	DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;
	char *name = NULL;

	assert_non_null(d);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.') {
			assert_null(name);
			name = xstrdup(entry->d_name);
		}
	closedir(d);
	return name;
}

/* Whether the cache has an answer for the spec. */
static bool hit(const struct filter_spec *s, int cache_fd)
{
	struct filter_program p = { 0 };
	const int r = filter_cache_read(cache_fd, s, &p);

	filter_program_fini(&p);
	return r == 1;
}

static void test_cache(void **state)
{
	const struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), cached_rules);
	struct filter_spec other = s;
	struct filter_program fresh = { 0 }, stored = { 0 };
	struct scratch dir = scratch_open();

	(void) state;
	assert_false(hit(&s, dir.fd));
	assert_ok(filter_compile(&s, dir.fd, &fresh, &e));
	assert_true(hit(&s, dir.fd));
	assert_ok(filter_compile(&s, dir.fd, &stored, &e));
	assert_int_equal(fresh.n, stored.n);
	assert_memory_equal(fresh.insns, stored.insns, fresh.n * sizeof(*fresh.insns));
	other.default_action = SCMP_ACT_ERRNO(2);
	assert_false(hit(&other, dir.fd));
	filter_program_fini(&fresh);
	filter_program_fini(&stored);
	scratch_close(&dir);
}

/* Each way in which a file or its directory may not be ours, and back to trust in between. */
static void test_cache_distrust(void **state)
{
	const struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), cached_rules);
	struct filter_program p = { 0 };
	struct scratch dir = scratch_open();
	auto_free char *name = NULL;

	(void) state;
	assert_ok(filter_compile(&s, dir.fd, &p, &e));
	filter_program_fini(&p);
	name = only_file(dir.fd);
	assert_non_null(name);
	assert_true(hit(&s, dir.fd));

	assert_int_equal(fchmod(dir.fd, 0720), 0);
	assert_false(hit(&s, dir.fd));
	assert_int_equal(fchmod(dir.fd, 0702), 0);
	assert_false(hit(&s, dir.fd));
	assert_int_equal(fchmod(dir.fd, 0700), 0);
	assert_true(hit(&s, dir.fd));

	assert_int_equal(fchmodat(dir.fd, name, 0620, 0), 0);
	assert_false(hit(&s, dir.fd));
	assert_int_equal(fchmodat(dir.fd, name, 0600, 0), 0);
	assert_true(hit(&s, dir.fd));

	assert_int_equal(renameat(dir.fd, name, dir.fd, "aside"), 0);
	assert_int_equal(symlinkat("aside", dir.fd, name), 0);
	assert_false(hit(&s, dir.fd));
	assert_int_equal(unlinkat(dir.fd, name, 0), 0);
	assert_int_equal(mkfifoat(dir.fd, name, 0600), 0);
	assert_false(hit(&s, dir.fd));
	assert_int_equal(unlinkat(dir.fd, name, 0), 0);
	assert_int_equal(renameat(dir.fd, "aside", dir.fd, name), 0);
	assert_true(hit(&s, dir.fd));
	if (geteuid() == 0) {
		assert_int_equal(fchownat(dir.fd, name, 1, 0, 0), 0);
		assert_false(hit(&s, dir.fd));
		assert_int_equal(fchownat(dir.fd, name, 0, 0, 0), 0);
		assert_int_equal(fchown(dir.fd, 1, 0), 0);
		assert_false(hit(&s, dir.fd));
	}
	scratch_close(&dir);
}

/* A file cut, grown or changed in its profile is not believed; nor is it in the way of a new one. */
static void test_cache_damage(void **state)
{
	const struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), cached_rules);
	struct filter_program p = { 0 };
	struct scratch dir = scratch_open();
	auto_free char *name = NULL;
	auto_close int fd = -1;
	off_t size, code_at;

	(void) state;
	assert_ok(filter_compile(&s, dir.fd, &p, &e));
	code_at = -(off_t) (p.n * sizeof(*p.insns));
	filter_program_fini(&p);
	name = only_file(dir.fd);
	fd = openat(dir.fd, name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	code_at += size;
	for (off_t at = 0; at < size; at += 3) {
		uint8_t was, now;

		assert_int_equal(pread(fd, &was, 1, at), 1);
		now = was ^ 0x41;
		assert_int_equal(pwrite(fd, &now, 1, at), 1);
		/* Head and profile are compared; the instructions behind them are the trusted part. */
		if (at < code_at)
			assert_false(hit(&s, dir.fd));
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	assert_true(hit(&s, dir.fd));
	assert_int_equal(ftruncate(fd, size - 1), 0);
	assert_false(hit(&s, dir.fd));
	assert_int_equal(ftruncate(fd, size + 8), 0);
	assert_false(hit(&s, dir.fd));
	assert_int_equal(ftruncate(fd, 3), 0);
	assert_false(hit(&s, dir.fd));
	assert_ok(filter_compile(&s, dir.fd, &p, &e));
	filter_program_fini(&p);
	assert_true(hit(&s, dir.fd));
	scratch_close(&dir);
}

/* However many profiles there are, the files are no more than 256. */
static void test_cache_bounded(void **state)
{
	struct filter_arg arg = ARG(0, SCMP_CMP_EQ, 0, 0);
	const struct filter_rule r[] = {
		{ .names = NAMES("read"), .action = SCMP_ACT_ALLOW, .args = &arg, .n_args = 1 }
	};
	const struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), r);
	struct scratch dir = scratch_open();
	struct dirent *entry;
	int files = 0;
	DIR *d;

	(void) state;
	for (int i = 0; i < 1500; i++) {
		struct filter_program p = { 0 };

		arg.value = (uint64_t) i * 77;
		assert_ok(filter_compile(&s, dir.fd, &p, &e));
		filter_program_fini(&p);
	}
	d = fdopendir(openat(dir.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while ((entry = readdir(d)))
		files += entry->d_name[0] != '.';
	closedir(d);
	print_message("%d files of 1500 profiles\n", files);
	assert_in_range(files, 100, 256);
	scratch_close(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_distrust),
		cmocka_unit_test(test_cache_damage),
		cmocka_unit_test(test_cache_bounded),
	};

	return cmocka_run_group_tests_name("runtime/seccomp: cache", tests, NULL, NULL);
}
