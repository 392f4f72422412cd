/* Requests to a shim and the watch over it (sessiond/launch.h), with the shim's socket played by this process. */
#include "tests/unit/launch_scene.h"

#include <endian.h>
#include <limits.h>
#include <sys/epoll.h>

#include "base/sock.h"

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
	struct shim_request rq = { .json = "{\"op\":\"info\"}", .fd = -1, .timeout_ms = 60000 };
	struct answer a = { 0 };

	if (!answer)
		rq.timeout_ms = 200;
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

#define T(f) cmocka_unit_test_setup_teardown(f, scene_open, scene_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_call),
		T(test_call_carries),
		T(test_call_refused),
		T(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
