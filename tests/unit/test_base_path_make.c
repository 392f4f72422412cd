/*
 * Making what is missing inside a root, the parent of a name, lexical cleaning; and all of it against
 * somebody who swaps directories and links meanwhile.
 */
#include "tests/unit/path_tree.h"

#include "base/child.h"
#include "base/clock.h"

/* { what is asked for, what there is afterwards, error } for both makers; every row in a fresh tree. */
static const struct made {
	const char *path;
	const char *is;
	int error;
} dirs_made[] = {
	{ "m1/m2/m3", "m1/m2/m3", 0 },
	{ "/m1//m2/./m3/", "m1/m2/m3", 0 },
	{ "rel/new/er", "a/b/new/er", 0 },
	{ "abs/../new", "a/new", 0 },
	{ "a/back/new", "etc/new", 0 },
	{ "a/b", "a/b", 0 },
	{ "/", "", 0 },
	{ "new/..", "", 0 },
	{ "dangling", "nowhere/x", 0 },
	{ "dangling/y", "nowhere/x/y", 0 },
	{ "upout/inner", "outside/inner", 0 },
	{ "../outside/inner", "outside/inner", 0 },
	{ "a/b/file", NULL, ENOTDIR },
	{ "a/b/file/x", NULL, ENOTDIR },
	{ "tofile/x", NULL, ENOTDIR },
	{ "fifo/x", NULL, ENOTDIR },
	{ "loop1/x", NULL, ELOOP },
	{ "", NULL, ENOENT },
}, files_made[] = {
	{ "m1/m2/f", "m1/m2/f", 0 },
	{ "rel/f", "a/b/f", 0 },
	{ "abs/f", "a/b/f", 0 },
	{ "tofile", "a/b/file", 0 },
	{ "dangling", "nowhere/x", 0 },
	{ "upout", "outside", 0 },
	{ "a/upout", "outside/secret", 0 },
	{ "up", "etc/passwd", 0 },
	{ "fifo", "fifo", 0 },
	{ "tofifo", "fifo", 0 },
	{ "a/b", "a/b", 0 },
	{ "a/b/", "a/b", 0 },
	{ "m1/", NULL, EISDIR },
	{ "loop1", NULL, ELOOP },
	{ "a/b/file/x", NULL, ENOTDIR },
};

static void check_outside_untouched(const struct place *p)
{
	auto_close int dir = openat(p->s.fd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(take_fd(&dir));
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void) closedir(d);
	assert_int_equal(n, 3); /* ".", "..", "secret" */
}

static void check_made(const struct made *row, bool file)
{
	void *state;
	int (*make)(int, const char *, mode_t, struct err *) =
		file ? path_touch_in : path_mkdirs_in;

	(void) place_setup(&state);
	const struct place *p = state;
	struct err e = ERR_NONE;
	auto_close int fd = make(p->root, row->path, file ? 0640 : 0750, &e);

	if (fd < 0 && e.code != row->error)
		fail_msg("%s: %s", row->path, e.msg);
	if (fd >= 0) {
		assert_int_equal(row->error, 0);
		if (!same_file(fd, p->root, row->is))
			fail_msg("%s: not %s", row->path, row->is);
		assert_true(fcntl(fd, F_GETFL) & O_PATH);
	}
	check_outside_untouched(p);
	(void) place_teardown(&state);
}

static void test_make(void **unused_arg state)
{
	for (int walk = 0; walk < 2; walk++) {
		for (size_t i = 0; i < ARRAY_SIZE(dirs_made); i++) {
			path_force_walk(walk);
			check_made(&dirs_made[i], false);
		}
		for (size_t i = 0; i < ARRAY_SIZE(files_made); i++) {
			path_force_walk(walk);
			check_made(&files_made[i], true);
		}
	}
}

static void test_make_modes_and_content(void **state)
{
	const struct place *p = *state;
	mode_t before = umask(0);
	struct stat st;
	char text[16] = "";

	auto_close int dir = -1, file = -1, again = -1, real = -1;
	assert_ok(dir = path_mkdirs_in(p->root, "n/o", 02711, &e));
	assert_int_equal(fstatat(p->root, "n", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0711);
	assert_ok(file = path_touch_in(p->root, "q/r", 0604, &e));
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0604);
	assert_int_equal(fstatat(p->root, "q", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_ok(again = path_touch_in(p->root, "rel/file", 0600, &e));
	assert_int_equal(fstat(again, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644 & ~before);
	real = open(fd_path(again).s, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(real, text, sizeof(text)), 6);
	assert_string_equal(text, "inside");
	(void) umask(before);
}

static void test_parent(void **state)
{
	static const struct {
		const char *path, *parent, *name;
		int error;
	} cases[] = {
		{ "a/b/file", "a/b", "file", 0 },
		{ "/a", "", "a", 0 },
		{ "a", "", "a", 0 },
		{ "/", "", ".", 0 },
		{ "///", "", ".", 0 },
		{ ".", "", ".", 0 },
		{ "/./", "", ".", 0 },
		{ "rel/x/", "a/b", "x", 0 },
		{ "rel/x/././", "a/b", "x", 0 },
		{ "abs/.x.", "a/b", ".x.", 0 },
		{ "up", "", "up", 0 },
		{ "../../x", "", "x", 0 },
		{ "a/..", NULL, NULL, EINVAL },
		{ "a/../", NULL, NULL, EINVAL },
		{ "..", NULL, NULL, EINVAL },
		{ "", NULL, NULL, ENOENT },
		{ "none/x", NULL, NULL, ENOENT },
		{ "tofile/x", NULL, NULL, ENOTDIR },
		{ "a/...", "a", "...", 0 },
	};
	const struct place *p = *state;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		size_t at = i / 2;
		char name[NAME_MAX + 1] = "";
		struct err e = ERR_NONE;

		path_force_walk(i % 2);
		auto_close int fd = path_parent_in(p->root, cases[at].path, false, name, &e);
		if (e.code != cases[at].error)
			fail_msg("\"%s\": %d %s", cases[at].path, e.code, e.msg);
		if (fd < 0)
			continue;
		assert_string_equal(name, cases[at].name);
		assert_true(same_file(fd, p->root, cases[at].parent));
	}
	char name[NAME_MAX + 1];
	auto_close int made =
		path_parent_in(p->root, "dangling/deep/er", true, name, &(struct err){ 0 });
	assert_true(made >= 0 && same_file(made, p->root, "nowhere/x/deep"));
}

static void test_clean(void **unused_arg state)
{
	static const char *const cases[][2] = {
		{ "/a//b/../c/", "/a/c" },
		{ "/", "/" },
		{ "", "." },
		{ "///", "/" },
		{ "/..", "/" },
		{ "/../../a", "/a" },
		{ "a/..", "." },
		{ "a/../..", ".." },
		{ "../a/../../b", "../../b" },
		{ "./a/./b", "a/b" },
		{ "/a/b/../../..", "/" },
		{ "/a/b/..", "/a" },
		{ "a/b/..", "a" },
		{ "/...", "/..." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *got = path_clean(cases[i][0]);

		assert_string_equal(got, cases[i][1]);
	}
	assert_true(path_is_clean_absolute("/"));
	assert_true(path_is_clean_absolute("/a/.b/..c/..."));
	static const char *const unclean[] = { "",   "a",      "/a/", "//",   "/a//b",
					       "/.", "/a/./b", "/..", "/a/.." };
	for (size_t i = 0; i < ARRAY_SIZE(unclean); i++)
		if (path_is_clean_absolute(unclean[i]))
			fail_msg("\"%s\" is not clean", unclean[i]);
}

/* The attacker: "swap" is by turns a directory and a link outwards, "x/y" is by turns in and out. */
static void __attribute__((noreturn)) swap_for_ever(const struct place *p)
{
	for (;;) {
		(void) renameat2(p->root, "swap", p->root, "evil", RENAME_EXCHANGE);
		(void) renameat(p->root, "x/y", p->s.fd, "outside/y");
		(void) renameat2(p->root, "swap", p->root, "evil", RENAME_EXCHANGE);
		(void) renameat(p->s.fd, "outside/y", p->root, "x/y");
	}
}

struct race {
	dev_t dev;
	ino_t ino; /* the secret */
	unsigned long tries, found, escaped, naive;
};

static void note_result(struct race *r, int fd)
{
	struct stat st;

	r->tries++;
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (st.st_dev == r->dev && st.st_ino == r->ino)
		r->escaped++;
	else
		r->found++;
	(void) close(fd);
}

static void race_round(const struct place *p, struct race *r)
{
	static const char up[] = "x/y/z/../../../../outside/secret";
	struct err ignored = ERR_NONE;
	struct stat st;

	note_result(r, path_open_in(p->root, "swap/secret", O_RDONLY, 0, &ignored));
	note_result(r, path_open_in(p->root, "evil/secret", O_PATH, 0, &ignored));
	note_result(r, path_open_in(p->root, up, O_PATH, 0, &ignored));
	note_result(r, path_mkdirs_in(p->root, "swap/made", 0755, &ignored));
	note_result(r, path_touch_in(p->root, "swap/touched", 0644, &ignored));
	/* The control: resolved by plain open, the same names do lead out. */
	if (fstatat(p->root, "swap/secret", &st, 0) == 0 && st.st_ino == r->ino)
		r->naive++;
	if (fstatat(p->root, up, &st, 0) == 0 && st.st_ino == r->ino)
		r->naive++;
}

static void check_race(const struct place *p, bool walk)
{
	struct race r = { 0 };
	struct child c = CHILD_NONE;
	struct stat st;
	uint64_t start = clock_mono_ms(), now = start;
	struct err why = ERR_NONE;
	int in_parent;

	assert_int_equal(fstatat(p->s.fd, "outside/secret", &st, 0), 0);
	r.dev = st.st_dev;
	r.ino = st.st_ino;
	path_force_walk(walk);
	in_parent = child_clone(0, -1, &c, &why);
	assert_true(in_parent >= 0);
	if (in_parent == 0)
		swap_for_ever(p);
	/* as long as it takes to have met both, on a busy machine too */
	for (; now < start + 1000 || (now < start + 60000 && !(r.found && r.naive));
	     now = clock_mono_ms())
		race_round(p, &r);
	child_end(&c);
	print_message("%s: %lu tries, %lu found, %lu escaped, %lu by plain open\n",
		      walk ? "walk" : "openat2", r.tries, r.found, r.escaped, r.naive);
	assert_int_equal(r.escaped, 0);
	assert_true(r.found > 0);
	assert_true(r.naive > 0);
	(void) renameat(p->s.fd, "outside/y", p->root,
			"x/y"); /* where the attacker was stopped */
	check_outside_untouched(p);
}

static void test_race(void **state)
{
	const struct place *p = *state;

	assert_int_equal(mkdirat(p->root, "swap", 0755), 0);
	put_file(p->root, "swap/secret", "not it");
	assert_int_equal(symlinkat("../outside", p->root, "evil"), 0);
	assert_int_equal(mkdirat(p->root, "x", 0755), 0);
	assert_int_equal(mkdirat(p->root, "x/y", 0755), 0);
	assert_int_equal(mkdirat(p->root, "x/y/z", 0755), 0);
	check_race(p, false);
	check_race(p, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test_setup_teardown(test_make_modes_and_content, place_setup,
						place_teardown),
		cmocka_unit_test_setup_teardown(test_parent, place_setup, place_teardown),
		cmocka_unit_test(test_clean),
		cmocka_unit_test_setup_teardown(test_race, place_setup, place_teardown),
	};

	return cmocka_run_group_tests_name("base/path: making", tests, NULL, NULL);
}
