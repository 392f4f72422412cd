/* What a volume and a workspace may be called, be and measure. */
#include "scratch.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/volume.h"
#include "base/workspace.h"

static void names(void **state)
{
	static const char *const good[] = { "a", "0", "A-b_c.d", "x..y" };
	static const char *const bad[] = { "",	 ".",	"..",  ".a",	   "-a",
					   "_a", "a/b", "a b", "\xc3\xa4", "a\n" };
	char longest[VOLUME_NAME_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(volume_name_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(volume_name_valid(bad[i]));
	memset(longest, 'n', sizeof(longest));
	longest[VOLUME_NAME_MAX + 1] = '\0';
	assert_false(volume_name_valid(longest));
	longest[VOLUME_NAME_MAX] = '\0';
	assert_true(volume_name_valid(longest));
}

static const struct volume_info sample = { .name = "v",
					   .kind = VOLUME_QUOTA,
					   .size = 8 << 20,
					   .inodes = 77,
					   .project = 5,
					   .growing = true,
					   .created = "2026-01-02T03:04:05.678Z" };

static void written_and_read(void **state)
{
	auto_buf struct buf text = BUF_LIMIT(4096);
	struct volume_info v;

	assert_ok(volume_info_print(&sample, &text, &e));
	assert_ok(volume_info_parse(buf_str(&text), buf_len(&text), &v, &e));
	assert_string_equal(v.name, sample.name);
	assert_int_equal(v.kind, sample.kind);
	assert_int_equal(v.size, sample.size);
	assert_int_equal(v.inodes, sample.inodes);
	assert_int_equal(v.project, sample.project);
	assert_true(v.growing);
	assert_string_equal(v.created, sample.created);
}

static void refused(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} rows[] = {
		{ "\"version\":1", "\"version\":2", "version" },
		{ "\"quota\"", "\"disk\"", "none of loop, quota" },
		{ "\"name\":\"v\"", "\"name\":\"../v\"", "no name of a volume" },
		{ "8388608", "8388609", "no size of a volume" },
		{ "8388608", "4096", "no size of a volume" },
		{ "\"project\":5", "\"project\":0", "project" },
		{ "\"growing\":true", "\"growing\":1", "growing" },
		{ ",\"inodes\":77", "", "inodes" },
		{ "\"growing\"", "\"more\":1,\"growing\"", "more" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf text = BUF_LIMIT(4096);
		struct volume_info v;
		struct err why = ERR_NONE;
		const char *at;

		assert_ok(volume_info_print(&sample, &text, &e));
		at = strstr(buf_str(&text), rows[i].from);
		assert_non_null(at);
		auto_free char *bad =
			xasprintf("%.*s%s%s", (int) (at - buf_str(&text)), buf_str(&text),
				  rows[i].to, at + strlen(rows[i].from));
		assert_int_equal(volume_info_parse(bad, strlen(bad), &v, &why), -1);
		says(&why, rows[i].says);
	}
}

/* A volume's directory, as carrel-image makes it, with an empty image. */
static void make_volume(int dirfd, const char *name)
{
	auto_buf struct buf text = BUF_LIMIT(4096);
	struct volume_info v = sample;

	(void) snprintf(v.name, sizeof(v.name), "%s", name);
	v.kind = VOLUME_LOOP;
	v.growing = false;
	assert_int_equal(mkdirat(dirfd, name, 0700), 0);
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(volume_info_print(&v, &text, &e));
	put_file(fd, "volume.json", buf_str(&text));
	put_file(fd, VOLUME_DISK, "");
}

static void one_at_a_time(void **state)
{
	struct scratch *s = *state;
	struct volume a = VOLUME_NONE, b = VOLUME_NONE;
	struct err why = ERR_NONE;

	make_volume(s->fd, "v");
	assert_ok(volume_open(s->fd, "v", VOLUME_TO_USE, &a, &e));
	assert_ok(volume_open(s->fd, "v", VOLUME_TO_USE, &b, &e));
	assert_false(volume_in_use(&a));
	assert_ok(volume_claim(&a, "sandbox one", &e));
	assert_true(volume_in_use(&b));
	assert_int_equal(volume_claim(&b, "sandbox two", &why), -1);
	assert_int_equal(why.code, ETXTBSY);
	says(&why, "volume v: sandbox one uses it");
	/* The directory's lock is given back, the claim is not. */
	volume_settle(&a);
	assert_err(volume_claim(&b, "sandbox two", &e), ETXTBSY);
	volume_close(&a);
	assert_ok(volume_claim(&b, "sandbox two", &e));
	volume_close(&b);
}

static void not_a_volume(void **state)
{
	struct scratch *s = *state;
	struct volume v = VOLUME_NONE;
	const int fds = count_fds();

	assert_err(volume_open(s->fd, "absent", VOLUME_TO_USE, &v, &e), ENOENT);
	assert_err(volume_open(s->fd, "../etc/.x", VOLUME_TO_USE, &v, &e), EINVAL);
	assert_int_equal(symlinkat("/etc", s->fd, "link"), 0);
	assert_int_equal(mkdirat(s->fd, "empty", 0700), 0);
	assert_err(volume_open(s->fd, "link", VOLUME_TO_USE, &v, &e), ENOTDIR);
	assert_err(volume_open(s->fd, "empty", VOLUME_TO_USE, &v, &e), ENOENT);
	make_volume(s->fd, "named");
	assert_int_equal(renameat(s->fd, "named", s->fd, "other"), 0);
	assert_err(volume_open(s->fd, "other", VOLUME_TO_USE, &v, &e), EINVAL);
	assert_int_equal(count_fds(), fds);
}

static int decode(const char *text, struct workspace *out, struct err *why)
{
	auto_json struct json_doc *doc = NULL;

	assert_ok(json_parse(text, strlen(text), NULL, &doc, &e));
	return workspace_decode(json_root(doc), NULL, out, why);
}

static void workspaces(void **state)
{
	struct workspace w = WORKSPACE_DEFAULT;

	assert_ok(decode("{\"kind\":\"tmpfs\"}", &w, &e));
	assert_int_equal(w.kind, WORKSPACE_TMPFS);
	assert_int_equal(w.size, 0);
	assert_ok(decode("{\"kind\":\"persistent\",\"size\":\"1Gi\"}", &w, &e));
	assert_int_equal(w.kind, WORKSPACE_PERSISTENT);
	assert_int_equal(w.size, 1 << 30);
	assert_string_equal(w.path, "/workspace");
	assert_int_equal(w.volumes, 1);
	assert_string_equal(w.volume, "auto");
	assert_ok(decode("{\"kind\":\"persistent\",\"size\":8388608,\"path\":\"/home/user\","
			 "\"volumes\":3,\"volume\":\"loop\"}",
			 &w, &e));
	assert_string_equal(w.path, "/home/user");
	assert_int_equal(w.volumes, 3);
	assert_string_equal(w.volume, "loop");
}

static void bad_workspaces(void **state)
{
	static const char *const rows[][2] = {
		{ "{}", "kind" },
		{ "{\"kind\":\"disk\"}", "neither tmpfs nor persistent" },
		{ "{\"kind\":\"persistent\"}", "size: required" },
		{ "{\"kind\":\"persistent\",\"size\":\"1Ki\"}", "4Mi" },
		{ "{\"kind\":\"persistent\",\"size\":4194305}", "4Ki" },
		{ "{\"kind\":\"persistent\",\"size\":-1}", "size" },
		{ "{\"kind\":\"persistent\",\"size\":\"4Mi\",\"path\":\"/\"}", "path" },
		{ "{\"kind\":\"persistent\",\"size\":\"4Mi\",\"path\":\"/a/../b\"}", "path" },
		{ "{\"kind\":\"persistent\",\"size\":\"4Mi\",\"volumes\":0}", "volumes" },
		{ "{\"kind\":\"persistent\",\"size\":\"4Mi\",\"volume\":\"nfs\"}",
		  "auto, quota, loop" },
		{ "{\"kind\":\"tmpfs\",\"path\":\"/x\"}", "for the kind persistent" },
		{ "{\"kind\":\"tmpfs\",\"more\":1}", "more" },
		{ "7", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct workspace w = WORKSPACE_DEFAULT;
		struct err why = ERR_NONE;

		assert_int_equal(decode(rows[i][0], &w, &why), -1);
		says(&why, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(refused),
		cmocka_unit_test_setup_teardown(one_at_a_time, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(not_a_volume, scratch_setup, scratch_teardown),
		cmocka_unit_test(workspaces),
		cmocka_unit_test(bad_workspaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
