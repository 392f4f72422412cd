/* What comes after a sandbox (sessiond/launch.h): collecting, scanning, reasons. */
#include "tests/unit/launch_scene.h"

static void test_collect_killed(void **state)
{
	struct scene *s = *state;
	struct heard h;

	assert_int_equal(start_image(s, "x", "ok").err.code, 0);
	scene_kill(s);
	h = collect_one(s, "x");
	assert_int_equal(h.err.code, 0);
	assert_true(h.had_exit);
	assert_int_equal(h.exit.reason, LAUNCH_ERROR);
	assert_true(strlen(h.exit.error) > 0);
	assert_true(strlen(h.exit.ended_at) > 0);
	assert_int_equal(lines_of(s, "shim.log"), 2);
	assert_no_trace(s);
	/* Again: there is nothing. */
	h = collect_one(s, "x");
	assert_int_equal(h.err.code, 0);
	assert_false(h.had_exit);
	assert_err(launch_collect(s->launch, "../x", hear_exit, &h, &e), ENOENT);
}

/* A shim that came to its end by itself: nothing is to be swept, its record is passed on. */
static void test_collect_record(void **state)
{
	static const char record[] =
		"{\"version\":1,\"id\":\"x\",\"reason\":\"oom\",\"code\":3,\"signal\":9,\"oom_kills\":2,"
		"\"oom\":{\"kills\":2,\"cgroup\":\"/c\",\"limit\":8,\"own_limit\":true},"
		"\"started_at\":\"S\",\"ended_at\":\"E\",\"error\":null,"
		"\"usage\":{\"cpu_ns\":1,\"memory_peak\":2,\"io_read_bytes\":5,"
		"\"output_bytes\":3,\"input_bytes\":4}}";
	struct scene *s = *state;
	int fd = make_sandbox(s, "x");
	struct launch_exit left;
	struct heard h;

	assert_int_equal(launch_exit_read(s->launch, "x", &left, &(struct err){ 0 }), 0);
	put_file(fd, "exit.json", record);
	assert_int_equal(launch_exit_read(s->launch, "x", &left, &(struct err){ 0 }), 1);
	fd_close(&fd);
	h = collect_one(s, "x");
	assert_int_equal(h.err.code, 0);
	assert_int_equal(h.exit.reason, LAUNCH_OOM);
	assert_int_equal(h.exit.code, 3);
	assert_int_equal(h.exit.signal, 9);
	assert_int_equal(h.exit.oom_kills, 2);
	assert_int_equal(h.exit.oom_limit, 8);
	assert_true(h.exit.oom_own_limit);
	assert_int_equal(h.exit.memory_peak, 2);
	assert_int_equal(h.exit.io_read_bytes, 5);
	assert_int_equal(h.exit.input_bytes, 4);
	assert_string_equal(h.exit.started_at, "S");
	assert_string_equal(h.exit.error, "");
	assert_int_equal(lines_of(s, "shim.log"), 0);

	fd = make_sandbox(s, "y");
	put_file(fd, "exit.json", "{\"reason\":\"bored\"}");
	fd_close(&fd);
	assert_err(launch_exit_read(s->launch, "y", &left, &e), EINVAL);
	h = collect_one(s, "y");
	assert_int_equal(h.exit.reason, LAUNCH_ERROR);
	assert_non_null(strstr(h.exit.error, "bored"));
	assert_no_trace(s);
}

static void test_collect_sticks(void **state)
{
	struct scene *s = *state;
	struct heard h;

	assert_int_equal(start_image(s, "x", "nosweep").err.code, 0);
	scene_kill(s);
	h = collect_one(s, "x");
	assert_int_equal(h.err.code, EIO);
	assert_non_null(strstr(h.err.msg, "it sticks"));
	assert_int_equal(count_in(s, "sandboxes"), 1);
	assert_int_equal(count_in(s, "uids"), 1);

	assert_int_equal(start_image(s, "y", "busysweep").err.code, 0);
	scene_kill(s);
	h = collect_one(s, "y");
	assert_int_equal(h.err.code, 0);
	assert_int_equal(count_in(s, "sandboxes"), 1);
	assert_int_equal(count_in(s, "uids"), 1);
}

/* It waits for the shim, and two collectors of one sandbox do not disturb each other. */
static void test_collect_waits(void **state)
{
	struct scene *s = *state;
	struct heard a = { 0 }, b = { 0 };

	assert_int_equal(start_image(s, "x", "ok").err.code, 0);
	assert_ok(launch_collect(s->launch, "x", hear_exit, &a, &e));
	assert_ok(launch_collect(s->launch, "x", hear_exit, &b, &e));
	turn_for(s, 50);
	assert_int_equal(a.calls + b.calls, 0);
	scene_kill(s);
	turn_until(s, &a.calls, 1);
	turn_until(s, &b.calls, 1);
	assert_int_equal(a.err.code, 0);
	assert_int_equal(b.err.code, 0);
	assert_int_equal(a.had_exit + b.had_exit, 1);
	assert_int_equal(lines_of(s, "shim.log"), 2);
	assert_no_trace(s);
}

struct seen {
	int n;
	enum launch_found what[8];
	char id[8][65];
};

static void see(void *arg, const char *id, enum launch_found what)
{
	struct seen *seen = arg;

	(void) snprintf(seen->id[seen->n], 65, "%s", id);
	seen->what[seen->n++] = what;
}

static enum launch_found find(const struct seen *seen, const char *id)
{
	for (int i = 0; i < seen->n; i++)
		if (strcmp(seen->id[i], id) == 0)
			return seen->what[i];
	fail_msg("%s was not found", id);
	return LAUNCH_DEAD;
}

static void test_scan(void **state)
{
	struct scene *s = *state;
	struct seen seen = { 0 };
	int starting = make_sandbox(s, "starting"), dead = make_sandbox(s, "dead");
	int stray = make_sandbox(s, "_stray"), fd;

	assert_int_equal(start_image(s, "alive", "ok").err.code, 0);
	assert_int_equal(flock(starting, LOCK_EX | LOCK_NB), 0);
	put_file(dead, "lock", "");
	/* Slots: of a live one (0, from the start), of nobody, of one that is there; a claim cut short; not ours. */
	fd = openat(s->dir.fd, "run/uids", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_file(fd, "1", "gone");
	put_file(fd, "2", "starting");
	put_file(fd, ".gone", "");
	put_file(fd, "note", "no sandbox's name");
	fd_close(&fd);
	/* Templates: one that somebody works on, one of a dead process. */
	fd = openat(s->dir.fd, "run/templates", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fd, "tmp.mine", 0700), 0);
	assert_int_equal(mkdirat(fd, "tmp.theirs", 0700), 0);
	fd_close(&fd);
	fd = openat(s->dir.fd, "run/templates/tmp.mine", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);

	assert_ok(launch_scan(s->launch, see, &seen, &e));
	assert_int_equal(seen.n, 3);
	assert_int_equal(find(&seen, "alive"), LAUNCH_ALIVE);
	assert_int_equal(find(&seen, "starting"), LAUNCH_STARTING);
	assert_int_equal(find(&seen, "dead"), LAUNCH_DEAD);
	assert_int_equal(count_in(s, "templates"), 1);
	assert_int_equal(count_in(s, "uids"), 3);
	assert_int_equal(faccessat(s->dir.fd, "run/uids/0", F_OK, 0), 0);
	assert_int_equal(faccessat(s->dir.fd, "run/uids/2", F_OK, 0), 0);
	assert_int_equal(faccessat(s->dir.fd, "run/uids/note", F_OK, 0), 0);
	fd_close(&fd);
	fd_close(&starting);
	fd_close(&dead);
	fd_close(&stray);
}

/* A sandbox without orders: its slot is found by its name. */
static void test_collect_unfinished(void **state)
{
	struct scene *s = *state;
	int fd = make_sandbox(s, "x"), uids;

	assert_int_equal(mkdirat(fd, "bundle", 0700), 0);
	uids = openat(s->dir.fd, "run/uids", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_file(uids, "1", "x");
	put_file(uids, "2", "xx");
	assert_int_equal(collect_one(s, "x").err.code, 0);
	assert_int_equal(count_in(s, "uids"), 1);
	assert_int_equal(unlinkat(uids, "2", 0), 0);
	assert_int_equal(lines_of(s, "shim.log"), 0);
	assert_no_trace(s);
	fd_close(&uids);
	fd_close(&fd);
}

/* The runtime's memory of a sandbox whose directory is gone already, or whose shim thought that it was deleted. */
static void test_collect_state(void **state)
{
	struct scene *s = *state;
	struct seen seen = { 0 };
	struct heard h;
	int fd = openat(s->dir.fd, "run/runtime", O_RDONLY | O_DIRECTORY | O_CLOEXEC), box;

	put_script(
		s, "carrel-runtime",
		"#!/bin/sh\nW=%s\n[ \"$3 $4\" = 'delete --force' ] && rm -r $2/$5 || exit 1\n");
	assert_int_equal(mkdirat(fd, "lone", 0700), 0);
	assert_int_equal(mkdirat(fd, "both", 0700), 0);
	assert_int_equal(mkdirat(fd, "@seccomp", 0700), 0);
	box = make_sandbox(s, "both");
	put_file(box, "exit.json", "{\"reason\":\"exited\",\"code\":4}");
	fd_close(&box);
	assert_ok(launch_scan(s->launch, see, &seen, &e));
	assert_int_equal(seen.n, 2);
	assert_int_equal(find(&seen, "lone"), LAUNCH_DEAD);
	assert_int_equal(find(&seen, "both"), LAUNCH_DEAD);
	h = collect_one(s, "lone");
	assert_int_equal(h.err.code, 0);
	assert_false(h.had_exit);
	h = collect_one(s, "both");
	assert_int_equal(h.err.code, 0);
	assert_int_equal(h.exit.code, 4);
	assert_int_equal(count_in(s, "runtime"), 1);
	assert_no_trace(s);

	/* What cannot be deleted stays, with its directory and the reason. */
	put_script(s, "carrel-runtime", "#!/bin/sh\nW=%s; echo busy >&2; exit 1\n");
	assert_int_equal(mkdirat(fd, "x", 0700), 0);
	box = make_sandbox(s, "x");
	fd_close(&box);
	h = collect_one(s, "x");
	assert_int_equal(h.err.code, EIO);
	assert_non_null(strstr(h.err.msg, "busy"));
	assert_int_equal(count_in(s, "sandboxes"), 1);
	fd_close(&fd);
}

static void test_reasons(void **state)
{
	enum launch_reason r;

	for (int i = LAUNCH_EXITED; i <= LAUNCH_ERROR; i++) {
		assert_ok(launch_reason_parse(launch_reason_name((enum launch_reason) i), &r,
					      &e));
		assert_int_equal(r, i);
	}
	assert_err(launch_reason_parse("", &r, &e), EINVAL);
	assert_string_equal(launch_reason_name((enum launch_reason) 99), "error");
	(void) state;
}

#define T(f) cmocka_unit_test_setup_teardown(f, scene_open, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_collect_killed), T(test_collect_record),
		T(test_collect_sticks), T(test_collect_waits),
		T(test_scan),		T(test_collect_unfinished),
		T(test_collect_state),	cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
