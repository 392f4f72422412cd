/* What comes after a start (sessiond/launch.h): requests to a shim, the watch, collecting, scanning. */
#include "tests/unit/launch_scene.h"

#include <endian.h>
#include <limits.h>
#include <sys/epoll.h>

#include "base/sock.h"

/* ---- a directory without a start ---- */

static int make_sandbox(struct scene *s, const char *id)
{
	auto_free char *path = xasprintf("%s/sandboxes/%s", s->run, id);
	int fd;

	assert_int_equal(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

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
		"\"started_at\":\"S\",\"ended_at\":\"E\",\"error\":null,"
		"\"usage\":{\"cpu_ns\":1,\"memory_peak\":2,\"output_bytes\":3,\"input_bytes\":4}}";
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
	assert_int_equal(h.exit.memory_peak, 2);
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

/* ---- the shim's socket, played by this process ---- */

struct player {
	struct scene *s;
	struct loop_io io, peer_io;
	int listen_fd, peer;
	const char *answer; /* NULL: none; "": hang up */
	char heard[256];
	size_t n_heard;
	bool got_fd;
};

static void on_request(void *arg, uint32_t events)
{
	struct player *p = arg;
	uint8_t block[512];
	int fds[1] = { -1 };
	size_t n_fds = 1;
	struct err why = ERR_NONE;
	ssize_t n = sock_recv(p->peer, block, sizeof(block), fds, &n_fds, &why);

	if (n <= 0) {
		loop_io_del(&p->peer_io);
		return;
	}
	p->n_heard = (size_t) n;
	memcpy(p->heard, block, p->n_heard);
	p->got_fd = n_fds == 1;
	fd_close(&fds[0]);
	if (p->answer && *p->answer) {
		uint32_t length = htole32((uint32_t) strlen(p->answer));

		memcpy(block, &length, 4);
		memcpy(block + 4, p->answer, strlen(p->answer));
		/* Who asked may have gone. */
		(void) sock_send(p->peer, block, 4 + strlen(p->answer), NULL, 0, &why);
	}
	if (p->answer) {
		loop_io_del(&p->peer_io);
		fd_close(&p->peer);
	}
}

static void on_connect(void *arg, uint32_t events)
{
	struct player *p = arg;
	struct err why = ERR_NONE;

	p->peer = sock_accept(p->listen_fd, &why);
	assert_true(p->peer >= 0);
	assert_ok(loop_io_add(p->s->loop, &p->peer_io, p->peer, EPOLLIN, on_request, p, &e));
}

static void play(struct scene *s, struct player *p, const char *id)
{
	auto_close int dir = make_sandbox(s, id);

	*p = (struct player){ .s = s, .peer = -1 };
	p->listen_fd =
		sock_listen_at(dir, "shim.sock", SOCK_SEQPACKET, 0600, &(struct err){ 0 });
	assert_true(p->listen_fd >= 0);
	assert_ok(loop_io_add(s->loop, &p->io, p->listen_fd, EPOLLIN, on_connect, p, &e));
}

static void play_end(struct player *p)
{
	loop_io_del(&p->io);
	loop_io_del(&p->peer_io);
	fd_close(&p->listen_fd);
	fd_close(&p->peer);
}

struct answer {
	int calls;
	struct err err;
	int64_t pid;
};

static void on_answer(void *arg, const struct json *answer, const struct err *err)
{
	struct answer *a = arg;

	assert_true((answer == NULL) != (err == NULL));
	a->calls++;
	a->err = err ? *err : ERR_NONE;
	a->pid = json_int_or(answer, "pid", -1);
}

static struct answer ask(struct scene *s, struct player *p, const char *answer)
{
	struct shim_request rq = { .json = "{\"op\":\"info\"}", .fd = -1, .timeout_ms = 200 };
	struct answer a = { 0 };

	p->answer = answer;
	assert_true(shim_call(s->launch, "x", &rq, on_answer, &a, &(struct err){ 0 }) > 0);
	assert_int_equal(a.calls, 0);
	turn_until(s, &a.calls, 1);
	loop_io_del(&p->peer_io);
	fd_close(&p->peer);
	return a;
}

static void test_call(void **state)
{
	static const struct {
		const char *answer;
		int code;
	} rows[] = {
		{ "{\"ok\":true,\"pid\":7}", 0 },
		{ "{\"ok\":false,\"error\":\"E\",\"code\":\"not_found\"}", ENOENT },
		{ "{\"ok\":false,\"error\":\"E\",\"code\":\"gone\"}", ESRCH },
		{ "{\"ok\":false,\"error\":\"E\",\"code\":\"limit\"}", EUSERS },
		{ "{\"ok\":false,\"error\":\"E\",\"code\":\"invalid\"}", EINVAL },
		{ "{\"ok\":false,\"error\":\"E\"}", EIO },
		{ "{\"ok\":", EINVAL },
		{ "", ECONNRESET },
		{ NULL, ETIMEDOUT },
	};
	struct scene *s = *state;
	struct player p;

	play(s, &p, "x");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct answer a = ask(s, &p, rows[i].answer);

		if (a.err.code != rows[i].code)
			fail_msg("%s: %d: %s", rows[i].answer ? rows[i].answer : "silence",
				 a.err.code, a.err.msg);
		if (!a.err.code)
			assert_int_equal(a.pid, 7);
	}
	play_end(&p);
}

static void test_call_carries(void **state)
{
	struct scene *s = *state;
	struct player p;
	auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct shim_request rq = {
		.json = "{\"op\":\"attach\"}", .tail = "a\0b", .n_tail = 3, .fd = fd
	};
	struct answer a = { 0 }, none = { 0 };
	int64_t call;

	play(s, &p, "x");
	p.answer = "{\"ok\":true}";
	assert_true(shim_call(s->launch, "x", &rq, on_answer, &a, &(struct err){ 0 }) > 0);
	turn_until(s, &a.calls, 1);
	assert_int_equal(p.n_heard, 4 + 15 + 3);
	assert_memory_equal(p.heard, "\x0f\0\0\0{\"op\":\"attach\"}a\0b", 22);
	assert_true(p.got_fd);

	call = shim_call(s->launch, "x", &rq, on_answer, &none, &(struct err){ 0 });
	assert_true(call > 0);
	shim_call_forget(s->launch, call);
	shim_call_forget(s->launch, call);
	turn_for(s, 20);
	assert_int_equal(none.calls, 0);
	/* One that is pending when everything ends. */
	p.answer = NULL;
	rq.timeout_ms = UINT_MAX;
	assert_true(shim_call(s->launch, "x", &rq, on_answer, &none, &(struct err){ 0 }) > 0);
	turn_for(s, 20);
	play_end(&p);
	launch_free(s->launch);
	s->launch = NULL;
	turn_for(s, 20);
	assert_int_equal(none.calls, 0);
}

static void test_call_refused(void **state)
{
	struct scene *s = *state;
	struct shim_request rq = { .json = "{}", .fd = -1 };
	struct answer a = { 0 };
	struct err why = ERR_NONE;
	struct player p;
	int calls = 0;

	assert_err(shim_call(s->launch, "nobody", &rq, on_answer, &a, &e), ENOENT);
	assert_err(shim_call(s->launch, "../x", &rq, on_answer, &a, &e), ENOENT);
	play(s, &p, "x");
	loop_io_del(&p.io);
	/* Nobody accepts: it must say so at some point, and never wait. */
	for (; calls < 20000; calls++)
		if (shim_call(s->launch, "x", &rq, on_answer, &a, &why) < 0)
			break;
	assert_true(why.code == EAGAIN || why.code == EMFILE);
	fd_close(&p.listen_fd);
	play_end(&p);
	assert_err(shim_call(s->launch, "x", &rq, on_answer, &a, &e), ECONNREFUSED);
}

static void gone(void *arg)
{
	++*(int *) arg;
}

static void test_watch(void **state)
{
	struct scene *s = *state;
	struct shim_watch *w = NULL, *other = NULL;
	struct player p;
	int calls = 0, never = 0;

	assert_err(shim_watch_new(s->launch, "x", gone, &calls, &w, &e), ENOENT);
	play(s, &p, "x");
	assert_ok(shim_watch_new(s->launch, "x", gone, &calls, &w, &e));
	turn_for(s, 30);
	assert_int_equal(calls, 0);
	play_end(&p);
	turn_until(s, &calls, 1);
	turn_for(s, 20);
	assert_int_equal(calls, 1);
	shim_watch_free(w);
	shim_watch_free(NULL);
	assert_err(shim_watch_new(s->launch, "x", gone, &never, &other, &e), ECONNREFUSED);
	play(s, &p, "y");
	assert_ok(shim_watch_new(s->launch, "y", gone, &never, &other, &e));
	shim_watch_free(other);
	play_end(&p);
	turn_for(s, 20);
	assert_int_equal(never, 0);
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
		T(test_collect_killed), T(test_collect_record), T(test_collect_sticks),
		T(test_collect_waits),	T(test_scan),		T(test_collect_unfinished),
		T(test_collect_state),	T(test_call),		T(test_call_carries),
		T(test_call_refused),	T(test_watch),		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
