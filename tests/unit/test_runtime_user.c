/* Users and groups of a root, environments and programs. */
#include "tests/unit/scratch.h"

#include "base/util.h"
#include "runtime/process.h"

/* ---- users ---- */

static void write_in(const struct scratch *s, const char *name, const char *text)
{
	const int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
	assert_int_equal(close(fd), 0);
}

static struct scratch accounts(void)
{
	struct scratch s = scratch_open();

	assert_int_equal(mkdirat(s.fd, "etc", 0755), 0);
	write_in(&s, "etc/passwd",
		 "root:x:0:0:root:/root:/bin/sh\n"
		 "# comment\n"
		 "1000:x:0:0:a number as name:/evil:/bin/sh\n"
		 "broken:x:4294967296:0::/:/bin/sh\n"
		 "negative:x:-1:0::/:/bin/sh\n"
		 "octal:x:0x10:0::/:/bin/sh\n"
		 "short:x:7\n"
		 "web:x:33:34:web:/srv/web:/bin/sh\n"
		 "web:x:0:0:second of the name:/root:/bin/sh\n"
		 "last:x:99:98:no newline:/last:/bin/sh");
	write_in(&s, "etc/group",
		 "root:x:0:\n"
		 "34:x:0:\n"
		 "www:x:34:web\n"
		 "a:x:50:web,root\n"
		 "b:x:51:other,web\n"
		 "c:x:52:webmaster\n"
		 "huge:x:4294967295:web\n");
	return s;
}

static void test_user_grammar(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t uid, gid;
		size_t groups;
	} cases[] = {
		/* A number keeps the gid that was there (77). */
		{ "0", true, 0, 77, 0 },
		{ "1", true, 1, 77, 0 },
		{ "1:2", true, 1, 2, 0 },
		{ "01", true, 1, 77, 0 },
		{ "1000", true, 1000, 77, 0 },
		{ "4294967294:4294967294", true, 4294967294, 4294967294, 0 },
		{ "33:www", true, 33, 34, 0 },
		{ "web", true, 33, 34, 3 },
		{ "web:a", true, 33, 50, 3 },
		{ "web:34", true, 33, 34, 3 },
		{ "last", true, 99, 98, 0 },
		{ "last:0", true, 99, 0, 0 },
		{ "", false, 0, 0, 0 },
		{ ":", false, 0, 0, 0 },
		{ ":2", false, 0, 0, 0 },
		{ "1:", false, 0, 0, 0 },
		{ "-1", false, 0, 0, 0 },
		{ "+1", false, 0, 0, 0 },
		{ " 1", false, 0, 0, 0 },
		{ "1 ", false, 0, 0, 0 },
		{ "0x1", false, 0, 0, 0 },
		{ "1:2:3", false, 0, 0, 0 },
		{ "4294967295", false, 0, 0, 0 },
		{ "4294967296", false, 0, 0, 0 },
		{ "18446744073709551616", false, 0, 0, 0 },
		{ "1:4294967296", false, 0, 0, 0 },
		{ "abc", false, 0, 0, 0 },
		{ "web:nogroup", false, 0, 0, 0 },
		{ "web:-1", false, 0, 0, 0 },
		{ "web:huge", false, 0, 0, 0 },
		{ "broken", false, 0, 0, 0 },
		{ "negative", false, 0, 0, 0 },
		{ "octal", false, 0, 0, 0 },
		{ "short", false, 0, 0, 0 },
		{ "# comment", false, 0, 0, 0 },
	};
	struct scratch s = accounts();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process_user u = { .uid = 66, .gid = 77 };
		struct err e = ERR_NONE;
		const int r = process_user_parse(cases[i].text, s.fd, &u, &e);

		if ((r == 0) != cases[i].good)
			fail_msg("\"%s\": %s", cases[i].text, r == 0 ? "accepted" : e.msg);
		if (r < 0) {
			assert_int_equal(
				u.uid,
				66); /* untouched: nobody runs as what was not understood */
			assert_int_equal(u.gid, 77);
			assert_non_null(strstr(e.msg, "user"));
			continue;
		}
		assert_int_equal(u.uid, cases[i].uid);
		assert_int_equal(u.gid, cases[i].gid);
		assert_int_equal(u.n_groups, cases[i].groups);
		process_user_fini(&u);
	}
	scratch_close(&s);
}

static void test_user_groups(void **state)
{
	struct scratch s = accounts();
	struct process_user u = { 0 };

	assert_ok(process_user_parse("web", s.fd, &u, &e));
	assert_int_equal(u.n_groups, 3);
	assert_int_equal(u.groups[0], 34);
	assert_int_equal(u.groups[1], 50);
	assert_int_equal(u.groups[2], 51);
	process_user_fini(&u);
	/* Without a group file an account has its own group only; a group by name cannot be found. */
	assert_int_equal(unlinkat(s.fd, "etc/group", 0), 0);
	assert_ok(process_user_parse("web", s.fd, &u, &e));
	assert_int_equal(u.n_groups, 0);
	process_user_fini(&u);
	assert_err(process_user_parse("web:www", s.fd, &u, &e), ENOENT);
	scratch_close(&s);
}

static void test_account_files_that_are_traps(void **state)
{
	struct scratch s = accounts();
	struct process_user u = { .gid = 77 };
	char *home = NULL;

	assert_int_equal(unlinkat(s.fd, "etc/passwd", 0), 0);
	assert_int_equal(mkfifoat(s.fd, "etc/passwd", 0644), 0);
	assert_err(process_user_parse("web", s.fd, &u, &e), EINVAL);
	assert_ok(process_user_parse("1000", s.fd, &u, &e)); /* a number needs no file */
	assert_ok(process_home(0, s.fd, &home, &e));
	assert_string_equal(home, "/");
	free(home);
	assert_int_equal(unlinkat(s.fd, "etc/passwd", 0), 0);
	assert_int_equal(mkdirat(s.fd, "etc/passwd", 0755), 0);
	assert_err(process_user_parse("web", s.fd, &u, &e), EINVAL);
	assert_int_equal(unlinkat(s.fd, "etc/passwd", AT_REMOVEDIR), 0);
	/* An absolute link is the container's own, not the host's. */
	assert_int_equal(symlinkat("/etc/passwd.real", s.fd, "etc/passwd"), 0);
	assert_err(process_user_parse("root", s.fd, &u, &e), ENOENT);
	write_in(&s, "etc/passwd.real", "root:x:5:6::/five:/bin/sh\n");
	assert_ok(process_user_parse("root", s.fd, &u, &e));
	assert_int_equal(u.uid, 5);
	process_user_fini(&u);
	scratch_close(&s);
}

static void test_account_files_that_are_endless(void **state)
{
	struct scratch s = accounts();
	struct process_user u = { 0 };
	char *home = NULL;
	int fd = openat(s.fd, "etc/group", O_WRONLY | O_CLOEXEC);

	/* A gibibyte of nothing: one line without end. */
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	assert_int_equal(close(fd), 0);
	assert_err(process_user_parse("web", s.fd, &u, &e), EFBIG);
	assert_err(process_user_parse("33:nosuch", s.fd, &u, &e), EFBIG);
	assert_ok(process_user_parse("33:www", s.fd, &u, &e)); /* found before the limit */
	fd = openat(s.fd, "etc/passwd", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	assert_int_equal(close(fd), 0);
	assert_ok(process_home(12345, s.fd, &home, &e));
	assert_string_equal(home, "/");
	free(home);
	scratch_close(&s);
}

static void test_account_lines_too_long(void **state)
{
	struct scratch s = accounts();
	char *home = NULL, *text = malloc(200000);

	/* A line longer than the reader's buffer, that holds what looks like an account in its middle, and one after it. */
	memset(text, 'x', 100000);
	strcpy(text + 100000, "\nafter:x:7:7::/after:/bin/sh\n");
	memcpy(text + 40000, "\revil:x:8:8::/evil:/bin/sh", 26);
	write_in(&s, "etc/passwd", text);
	free(text);
	assert_ok(process_home(7, s.fd, &home, &e));
	assert_string_equal(home, "/after");
	free(home);
	assert_ok(process_home(8, s.fd, &home, &e));
	assert_string_equal(home, "/");
	free(home);
	scratch_close(&s);
}

static void test_home(void **state)
{
	static const struct {
		uint32_t uid;
		const char *home;
	} cases[] = { { 0, "/root" },
		      { 33, "/srv/web" },
		      { 99, "/last" },
		      { 1000, "/" },
		      { 4294967294, "/" } };
	struct scratch s = accounts();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *home = NULL;

		assert_ok(process_home(cases[i].uid, s.fd, &home, &e));
		assert_string_equal(home, cases[i].home);
		free(home);
	}
	scratch_close(&s);
}

/* ---- environment and program ---- */

static void test_environment(void **state)
{
	const char *env[] = { "A=1", "HOME=", "B=2", "A=3", "AB=4", "A", "B=5", NULL };
	const char *const want[] = { "A=3", "AB=4", "B=5", "HOME=/root" };
	struct process_spec p = { .env = env };
	struct scratch s = accounts();
	char **out = NULL;

	assert_ok(process_environment(&p, s.fd, &out, &e));
	/* "A" alone has the name A as well and is the last of them. */
	assert_string_equal(out[0], want[1]);
	assert_string_equal(out[1], "A");
	assert_string_equal(out[2], want[2]);
	assert_string_equal(out[3], want[3]);
	assert_null(out[4]);
	util_free_strv(&out);
	p.env = NULL;
	assert_ok(process_environment(&p, s.fd, &out, &e));
	assert_string_equal(out[0], "HOME=/root");
	assert_null(out[1]);
	util_free_strv(&out);
	scratch_close(&s);
}

static void test_program(void **state)
{
	const char *env[] = { "PATH=/nowhere::/bin:/usr/bin", NULL };
	const char *args[] = { "sh", NULL };
	struct process_spec p = { .env = env, .args = args };
	char *found = NULL;

	assert_ok(process_find_program(&p, &found, &e));
	assert_string_equal(found, "/bin/sh");
	free(found);
	args[0] = "no-such-program";
	assert_err(process_find_program(&p, &found, &e), ENOENT);
	args[0] = "/";
	assert_err(process_find_program(&p, &found, &e), EISDIR);
	args[0] = "/etc/passwd";
	assert_err(process_find_program(&p, &found, &e), EACCES);
	args[0] = "/etc/passwd/x";
	assert_err(process_find_program(&p, &found, &e), ENOTDIR);
	args[0] = "";
	assert_err(process_find_program(&p, &found, &e), EINVAL);
	args[0] = "sh";
	p.env = NULL;
	assert_err(process_find_program(&p, &found, &e), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_user_grammar),
		cmocka_unit_test(test_user_groups),
		cmocka_unit_test(test_account_files_that_are_traps),
		cmocka_unit_test(test_account_files_that_are_endless),
		cmocka_unit_test(test_account_lines_too_long),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
