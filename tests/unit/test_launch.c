/* Starting sandboxes (sessiond/launch.h): with carrel-image and carrel-shim played by scripts. */
#include "tests/unit/launch_scene.h"

static void check_config(struct scene *s, const char *id, int64_t base)
{
	auto_free char *path = xasprintf("sandboxes/%s/bundle/config.json", id);
	auto_json struct json_doc *doc = read_json(s, path);
	auto_free char *cgroup = xasprintf("/carrel-unit/%s", id);
	const struct json *root = json_root(doc);
	const struct json *map =
		json_at_index(json_find(root, "linux", "uidMappings", NULL), 0);

	assert_int_equal(json_int_or(map, "hostID", 0), base);
	assert_int_equal(json_int_or(map, "size", 0), 1000);
	map = json_at_index(json_find(root, "linux", "gidMappings", NULL), 0);
	assert_int_equal(json_int_or(map, "hostID", 0), base);
	assert_string_equal(json_str_or(json_get(root, "linux"), "cgroupsPath", ""), cgroup);
	assert_string_equal(json_str_or(root, "hostname", ""), "sandbox");
}

static void check_words(const struct json *array, const char *const *wanted)
{
	size_t i = 0;

	json_each (v, array) {
		assert_non_null(wanted[i]);
		assert_string_equal(v->str.s, wanted[i++]);
	}
	assert_null(wanted[i]);
}

static void check_orders(struct scene *s, const char *id, int64_t base)
{
	auto_free char *path = xasprintf("sandboxes/%s/sandbox.json", id);
	auto_json struct json_doc *doc = read_json(s, path);
	const struct json *root = json_root(doc);
	const char *slot = json_str_or(root, "uid_slot", "");
	auto_buf struct buf owner = BUF_LIMIT(100);

	assert_string_equal(json_str_or(root, "id", ""), id);
	assert_string_equal(json_str_or(root, "runtime", ""), s->runtime);
	assert_int_equal(json_int_or(root, "version", 0), 1);
	assert_int_equal(json_int_or(root, "cols", 0), 100);
	assert_int_equal(json_int_or(root, "idle_ms", 0), 5000);
	assert_int_equal(json_int_or(root, "warn_ms", 0), 60000);
	assert_int_equal(json_int_or(json_get(root, "idmap"), "base", 0), base);
	check_words(json_find(root, "rootfs", "layers", NULL),
		    (const char *[]){ "/layers/1", "/layers/2", NULL });
	assert_ok(fd_read_file(AT_FDCWD, slot, 100, &owner, &e));
	assert_string_equal(buf_str(&owner), id);
}

static void test_start(void **state)
{
	struct scene *s = *state;
	char *command[] = { (char *) "vi", (char *) "a b", NULL };
	char *env[] = { (char *) "A=request", (char *) "B=2", NULL };
	struct launch_spec spec = { .id = "one",
				    .image = "ok",
				    .tier = "free",
				    .command = command,
				    .env = env,
				    .cwd = "/tmp",
				    .cols = 100,
				    .idle_ms = 5000 };
	struct heard h = start_one(s, &spec);
	const struct json *process;
	struct json_doc *doc;

	assert_int_equal(h.err.code, 0);
	check_config(s, "one", 500000);
	check_orders(s, "one", 500000);
	doc = read_json(s, "sandboxes/one/bundle/config.json");
	check_words(json_find(json_root(doc), "process", "args", NULL),
		    (const char *[]){ "/carrel-init", "--", "vi", "a b", NULL });
	check_words(json_find(json_root(doc), "process", "env", NULL),
		    (const char *[]){ "PATH=/bin", "A=request", "B=2", NULL });
	process = json_get(json_root(doc), "process");
	assert_string_equal(json_str_or(process, "cwd", ""), "/tmp");
	assert_true(json_bool_or(process, "terminal", false));
	assert_int_equal(json_int_or(json_get(process, "consoleSize"), "width", 0), 100);
	assert_int_equal(json_int_or(json_get(process, "consoleSize"), "height", 0), 24);
	json_doc_free(doc);

	/* The second has other ids, and the image's own command, for the template was not touched. */
	spec = (struct launch_spec){ .id = "two",
				     .image = "ok",
				     .tier = "free",
				     .hostname = "box",
				     .no_terminal = true };
	assert_int_equal(start_one(s, &spec).err.code, 0);
	doc = read_json(s, "sandboxes/two/bundle/config.json");
	check_words(json_find(json_root(doc), "process", "args", NULL),
		    (const char *[]){ "/carrel-init", "--", "ok", NULL });
	check_words(json_find(json_root(doc), "process", "env", NULL),
		    (const char *[]){ "A=image", "PATH=/bin", NULL });
	assert_string_equal(json_str_or(json_root(doc), "hostname", ""), "box");
	assert_false(json_bool_or(json_get(json_root(doc), "process"), "terminal", true));
	assert_null(json_find(json_root(doc), "process", "consoleSize", NULL));
	json_doc_free(doc);
	assert_int_equal(lines_of(s, "image.log"), 1);
}

/* Each kind of failure: its code, its words, and no trace of it. */
static void test_failures(void **state)
{
	static const struct {
		const char *image;
		int code;
		const char *words;
	} rows[] = {
		{ "missing", ENOENT, "image missing: not in the store" },
		{ "bad", EINVAL, "image bad: carrel-image: user 7: no such user" },
		{ "half", EINVAL, "config.json" },
		{ "killed", EIO, "signal 9" },
		{ "die", EIO, "the shim ended before the sandbox ran" },
		{ "refuse", EIO, "no such command" },
		{ "garbage", EINVAL, "the shim's answer" },
		{ "orphan", EIO, "exit code 5" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct heard h = start_image(s, "x", rows[i].image);

		if (h.err.code != rows[i].code || !strstr(h.err.msg, rows[i].words))
			fail_msg("%s: %d: %s", rows[i].image, h.err.code, h.err.msg);
		assert_no_trace(s);
	}
	assert_int_equal(start_image(s, "x", "ok").err.code, 0);
}

static void test_refusals(void **state)
{
	struct scene *s = *state;
	struct launch_spec spec = { .id = "../x", .image = "ok" };
	struct heard h = { 0 };

	assert_err(launch_start(s->launch, &spec, hear, &h, &e), EINVAL);
	spec.id = "";
	assert_err(launch_start(s->launch, &spec, hear, &h, &e), EINVAL);
	spec = (struct launch_spec){ .id = "x", .image = "" };
	assert_err(launch_start(s->launch, &spec, hear, &h, &e), EINVAL);
	assert_int_equal(start_image(s, "x", "ok").err.code, 0);
	spec.image = "ok";
	assert_err(launch_start(s->launch, &spec, hear, &h, &e), EEXIST);
	turn_for(s, 20);
	assert_int_equal(h.calls, 0);
	assert_int_equal(count_in(s, "sandboxes"), 1);
	assert_int_equal(count_in(s, "uids"), 1);
}

static void test_slots(void **state)
{
	struct scene *s = *state;
	struct heard h;

	assert_int_equal(start_image(s, "a", "ok").err.code, 0);
	assert_int_equal(start_image(s, "b", "ok").err.code, 0);
	assert_int_equal(start_image(s, "c", "ok").err.code, 0);
	check_config(s, "a", 500000);
	h = start_image(s, "d", "ok");
	assert_int_equal(h.err.code, ENOSPC);
	assert_int_equal(count_in(s, "sandboxes"), 3);
	assert_int_equal(count_in(s, "uids"), 3);
	/* What one gives back, the next one has. */
	scene_kill(s);
	assert_int_equal(collect_one(s, "b").err.code, 0);
	assert_int_equal(start_image(s, "d", "ok").err.code, 0);
	check_config(s, "d", 501000);
}

static void test_timeout(void **state)
{
	struct scene *s = *state;
	struct heard h;

	launch_free(s->launch);
	s->config.ready_ms = 100;
	assert_ok(launch_new(s->loop, &s->config, &s->launch, &e));
	h = start_image(s, "x", "hang");
	assert_int_equal(h.err.code, ETIMEDOUT);
	/* On a busy machine it was carrel-image that took too long: it goes on for whoever asks next. */
	assert_no_trace(s);
	h = start_image(s, "x", "slow-image");
	assert_int_equal(h.err.code, ETIMEDOUT);
	assert_no_trace(s);
}

/* Before it began, while carrel-image works, while the shim works: 0, 20, 300 ms. */
static void test_cancel(void **state)
{
	static const struct {
		const char *image;
		unsigned after_ms;
	} rows[] = { { "ok", 0 }, { "slow-image", 20 }, { "late", 20 }, { "hang", 300 } };
	struct scene *s = *state;

	assert_false(launch_cancel(s->launch, "x"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct launch_spec spec = { .id = "x", .image = rows[i].image };
		struct heard h = { 0 };

		assert_ok(launch_start(s->launch, &spec, hear, &h, &e));
		if (rows[i].after_ms)
			turn_for(s, rows[i].after_ms);
		assert_int_equal(h.calls, 0);
		assert_true(launch_cancel(s->launch, "x"));
		assert_true(launch_cancel(s->launch, "x"));
		assert_int_equal(h.calls, 0);
		turn_until(s, &h.calls, 1);
		assert_int_equal(h.err.code, ECANCELED);
		assert_false(launch_cancel(s->launch, "x"));
		turn_for(s, 50);
		assert_int_equal(h.calls, 1);
		assert_no_trace(s);
	}
}

static void touch(struct scene *s, const char *name)
{
	put_file(s->dir.fd, "new", "changed");
	assert_int_equal(renameat(s->dir.fd, "new", s->dir.fd, name), 0);
}

static void once(struct scene *s, const struct launch_spec *spec, int runs)
{
	assert_int_equal(start_one(s, spec).err.code, 0);
	assert_int_equal(lines_of(s, "image.log"), runs);
	scene_kill(s);
	assert_int_equal(collect_one(s, spec->id).err.code, 0);
}

static void test_template_cache(void **state)
{
	struct scene *s = *state;
	struct launch_spec spec = { .id = "x", .image = "ok", .tier = "free" };

	once(s, &spec, 1);
	once(s, &spec, 1);
	spec.tier = "pro";
	once(s, &spec, 2);
	spec.user = "7";
	once(s, &spec, 3);
	spec.user = NULL;
	once(s, &spec, 3);
	touch(s, "store/index.json");
	once(s, &spec, 4);
	once(s, &spec, 4);
	touch(s, "tiers.yaml");
	once(s, &spec, 5);
	touch(s, "seccomp.json");
	once(s, &spec, 6);
	/* Strangers' users do not make it grow for ever; what was used last stays. */
	for (int i = 0; i < 64; i++) {
		auto_free char *user = xasprintf("u%d", i);

		spec.user = user;
		once(s, &spec, 7 + i);
	}
	spec.user = "u63";
	once(s, &spec, 70);
	spec.user = NULL;
	once(s, &spec, 71);
	assert_no_trace(s);
}

static void test_template_shared(void **state)
{
	struct scene *s = *state;
	struct launch_spec spec = { .image = "late", .tier = "free" };
	const char *ids[] = { "a", "b", "c" };
	struct heard h[3] = { 0 };

	for (size_t i = 0; i < 3; i++) {
		spec.id = ids[i];
		assert_ok(launch_start(s->launch, &spec, hear, &h[i], &e));
	}
	turn_for(s, 10);
	assert_int_equal(h[0].calls + h[1].calls + h[2].calls, 0);
	/* One of those that wait goes away: the others still get theirs. */
	assert_true(launch_cancel(s->launch, "b"));
	put_file(s->dir.fd, "go", "");
	for (size_t i = 0; i < 3; i++)
		turn_until(s, &h[i].calls, 1);
	assert_int_equal(h[0].err.code, 0);
	assert_int_equal(h[1].err.code, ECANCELED);
	assert_int_equal(h[2].err.code, 0);
	assert_int_equal(lines_of(s, "image.log"), 1);

	/* All go away: the next one does not wait for the run that was killed. */
	memset(h, 0, sizeof(h));
	spec = (struct launch_spec){ .id = "d", .image = "slow-image" };
	assert_ok(launch_start(s->launch, &spec, hear, &h[0], &e));
	turn_for(s, 20);
	assert_true(launch_cancel(s->launch, "d"));
	turn_until(s, &h[0].calls, 1);
	assert_int_equal(start_image(s, "d", "ok").err.code, 0);
	turn_until_empty(s, "templates");
}

/* launch_free at every stage of a start: nothing is called, nothing leaks, and the next one clears up. */
static void found(void *arg, const char *id, enum launch_found f)
{
	char *seen = arg;

	seen[f]++;
	(void) id;
}

static void test_free_pending(void **state)
{
	static const struct {
		const char *image;
		unsigned after_ms;
		bool ends;
	} rows[] = { { "ok", 0, false },
		     { "slow-image", 30, false },
		     { "hang", 200, false },
		     { "ok", 0, true } };
	struct scene *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct launch_spec spec = { .id = "x", .image = rows[i].image };
		struct heard h = { 0 }, collected = { 0 };
		char seen[3] = { 0 };

		assert_ok(launch_start(s->launch, &spec, hear, &h, &e));
		if (rows[i].after_ms)
			turn_for(s, rows[i].after_ms);
		if (rows[i].ends)
			turn_until(s, &h.calls, 1);
		assert_ok(launch_collect(s->launch, "x", hear_exit, &collected, &e));
		launch_free(s->launch);
		loop_free(s->loop);
		assert_int_equal(h.calls, rows[i].ends);
		assert_int_equal(collected.calls, 0);
		scene_kill(s);
		while (waitpid(-1, NULL, 0) > 0)
			;
		scene_launch(s);
		assert_ok(launch_scan(s->launch, found, seen, &e));
		assert_int_equal(seen[LAUNCH_DEAD], 1);
		assert_int_equal(collect_one(s, "x").err.code, 0);
		assert_no_trace(s);
	}
}

static void refused_config(struct scene *s, int code)
{
	struct launch *l = NULL;

	assert_err(launch_new(s->loop, &s->config, &l, &e), code);
}

static void test_config(void **state)
{
	struct scene *s = *state;
	const struct launch_config good = s->config;

	s->config.uid_base = 0;
	refused_config(s, EINVAL);
	s->config = good;
	s->config.uid_slots = UINT32_MAX / 1000;
	refused_config(s, EINVAL);
	s->config = good;
	s->config.shim = "/nowhere/carrel-shim";
	refused_config(s, ENOENT);
	s->config = good;
	assert_int_equal(fchmodat(s->dir.fd, "run/uids", 0777, 0), 0);
	refused_config(s, EPERM);
	assert_int_equal(fchmodat(s->dir.fd, "run/uids", 0700, 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(s->dir.fd, "run/sandboxes", 12345, 0, 0), 0);
		refused_config(s, EPERM);
	}
}

static void test_ids(void **state)
{
	static const char *const good[] = { "a", "A9", "x_.-", "abcdefghijklmnopqrstuvwxyz" };
	static const char *const bad[] = {
		"", ".", "..", "-a", "_a", "a/b", "a b", "\xc3\xa4"
	};
	char longest[66];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(launch_id_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(launch_id_valid(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[65] = 0;
	assert_false(launch_id_valid(longest));
	longest[64] = 0;
	assert_true(launch_id_valid(longest));
	(void) state;
}

#define T(f) cmocka_unit_test_setup_teardown(f, scene_open, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_start),
		T(test_failures),
		T(test_refusals),
		T(test_slots),
		T(test_timeout),
		T(test_cancel),
		T(test_template_cache),
		T(test_template_shared),
		T(test_free_pending),
		T(test_config),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
