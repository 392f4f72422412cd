/* images/parents.h and implied.h: the chain-id, what an implied directory is, and which layer describes a directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/digest.h"
#include "images/implied.h"
#include "images/parents.h"
#include "images/parents_look.h"

static void chain(void **state)
{
	struct digest ids[3], got, want;
	struct err e = ERR_NONE;
	char text[320];

	for (int i = 0; i < 3; i++)
		assert_int_equal(digest_of(DIGEST_SHA256, "abc" + i, 1, &ids[i], &e), 0);
	assert_int_equal(parents_name(ids, 0, &got, &e), 0);
	assert_string_equal(got.hex, "");
	assert_int_equal(parents_name(ids, 1, &got, &e), 0);
	assert_true(digest_equal(&got, &ids[0]));
	snprintf(text, sizeof(text), "sha256:%s sha256:%s", ids[0].hex, ids[1].hex);
	assert_int_equal(digest_of(DIGEST_SHA256, text, strlen(text), &want, &e), 0);
	assert_int_equal(parents_name(ids, 2, &got, &e), 0);
	assert_true(digest_equal(&got, &want));
	snprintf(text, sizeof(text), "sha256:%s sha256:%s", want.hex, ids[2].hex);
	assert_int_equal(digest_of(DIGEST_SHA256, text, strlen(text), &want, &e), 0);
	assert_int_equal(parents_name(ids, 3, &got, &e), 0);
	assert_true(digest_equal(&got, &want));
}

static void implied(void **state)
{
	const struct stat good = { .st_mode = S_IFDIR | 0755, .st_mtim = IMPLIED_MTIME };
	struct stat st = good;

	assert_true(implied_is(&st));
	st.st_mode = S_IFREG | 0755;
	assert_false(implied_is(&st));
	st = good;
	st.st_mode = S_IFDIR | 0711;
	assert_false(implied_is(&st));
	st = good;
	st.st_gid = 1;
	assert_false(implied_is(&st));
	st = good;
	st.st_mtim.tv_nsec++;
	assert_false(implied_is(&st));
}

/* ---- three layers; those that describe have mode 0711, the others are as the unpacker leaves them ---- */

struct layers {
	char top[64];
	int roots[3];
};

static void put(const struct layers *l, int layer, const char *path, bool described)
{
	const struct timespec times[2] = { IMPLIED_MTIME, IMPLIED_MTIME };

	assert_int_equal(mkdirat(l->roots[layer], path, 0755), 0);
	assert_int_equal(fchmodat(l->roots[layer], path, described ? 0711 : 0755, 0), 0);
	if (!described)
		assert_int_equal(utimensat(l->roots[layer], path, times, 0), 0);
}

static int setup(void **state)
{
	static struct layers l;
	char name[80];

	snprintf(l.top, sizeof(l.top), "/tmp/carrel-parents-XXXXXX");
	if (!mkdtemp(l.top))
		return -1;
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s/%d", l.top, i);
		if (mkdir(name, 0755) < 0)
			return -1;
		l.roots[i] = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	*state = &l;
	return 0;
}

static int teardown(void **state)
{
	struct layers *l = *state;
	struct err e = ERR_NONE;

	for (int i = 0; i < 3; i++)
		fd_close(&l->roots[i]);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd_remove_tree(tmp, l->top + strlen("/tmp/"), &e);
}

/* Which layer shows the directory, and which one describes it: -1, none. */
static void expect(const struct layers *l, const char *path, int shown, int meant)
{
	struct parents_seen s = PARENTS_SEEN_NONE;
	struct err e = ERR_NONE;
	struct stat want, got;

	assert_int_equal(parents_look(l->roots, 3, path, &s, &e), shown >= 0);
	if (shown >= 0) {
		assert_int_equal(fstatat(l->roots[shown], path, &want, 0), 0);
		assert_int_equal(fstat(s.shown, &got), 0);
		assert_int_equal(got.st_ino, want.st_ino);
	}
	assert_int_equal(s.meant >= 0, meant >= 0);
	if (meant >= 0) {
		assert_int_equal(fstatat(l->roots[meant], path, &want, 0), 0);
		assert_int_equal(fstat(s.meant, &got), 0);
		assert_int_equal(got.st_ino, want.st_ino);
		assert_int_equal(parents_differ(&s, &e), 1);
	}
	parents_seen_fini(&s);
}

static void looks(void **state)
{
	const struct layers *l = *state;

	if (geteuid() != 0) {
		print_message("needs root: implied directories are root's\n");
		skip();
	}
	put(l, 0, "low", true);
	put(l, 1, "low", false);
	put(l, 2, "low", false);
	expect(l, "low", 2, 0);
	put(l, 0, "mid", true);
	put(l, 1, "mid", true);
	put(l, 2, "mid", false);
	expect(l, "mid", 2, 1);
	put(l, 1, "top", true);
	put(l, 2, "top", true);
	expect(l, "top", 2, -1);
	put(l, 2, "alone", false);
	expect(l, "alone", 2, -1);
	/* A file or a link between ends the search, also for what would lie below it. */
	put(l, 0, "cut", true);
	put(l, 0, "cut/in", true);
	assert_int_equal(symlinkat("low", l->roots[1], "cut"), 0);
	put(l, 2, "cut", false);
	put(l, 2, "cut/in", false);
	expect(l, "cut", 2, -1);
	expect(l, "cut/in", 2, -1);
	assert_int_equal(unlinkat(l->roots[2], "cut/in", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(l->roots[2], "cut", AT_REMOVEDIR), 0);
	expect(l, "cut", -1, -1);
	expect(l, "none/at/all", -1, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain),
		cmocka_unit_test(implied),
		cmocka_unit_test_setup_teardown(looks, setup, teardown),
	};

	return cmocka_run_group_tests_name("images_parents", tests, NULL, NULL);
}
