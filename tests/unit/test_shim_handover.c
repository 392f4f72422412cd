/* A front's state on its way to another program: all of it comes back, and what is no state is refused. */
#include "tests/unit/scratch.h"

#include "tests/unit/handover_format1.h"
#include "tests/unit/handover_scene.h"

#include "base/clock.h"
#include "shim/handover.h"
#include "shim/screen.h"
#include "shim/talk.h"

/* ---- a sandbox in the middle of things ---- */

struct ends {
	int out, in, listen, clients[4], peer;
};

static const char *const protocols[4] = { "carrel.v1", "terminado", "tty", "raw" };

static void attach_all(struct scene *s, struct ends *ends)
{
	for (int i = 0; i < 4; i++) {
		int pair[2], small = 4096;
		uint32_t number;
		const char *code;
		struct attach a = { .framing = i == 3 ? CLIENT_PACKET : CLIENT_WS,
				    .dialect =
					    dialect_find(i == 3 ? "carrel.v1" : protocols[i]),
				    .role = i == 1 ? CLIENT_VIEWER : CLIENT_WRITER,
				    .early = "\x82\x88xxxxyyy", /* half of a frame */
				    .n_early = i == 3 ? 3 : 9 };

		assert_ok(sock_pair(SOCK_STREAM, pair, &e));
		/* So that frames are cut. */
		assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small,
					    sizeof(small)),
				 0);
		a.fd = pair[0];
		ends->clients[i] = pair[1];
		assert_ok(session_attach(table_first(&s->table), &a, &number, &code, &e));
	}
}

static void turns(struct scene *s)
{
	for (int i = 0; i < 8; i++)
		assert_ok(loop_turn(s->loop, 0, &e));
}

static void print(struct scene *s, struct ends *ends, size_t n)
{
	static const char line[] = "\033[1;32mgr\xc3\xbcn\033[m and \xe6\xbc\xa2 again\r\n";

	for (size_t i = 0; i < n; i++)
		assert_true(write(ends->out, line, sizeof(line) - 1) > 0);
	turns(s);
}

static void scene_open(struct scene *s, struct ends *ends, int recording_fd)
{
	int out[2], in[2], listen[2];

	*s = (struct scene){ 0 };
	assert_ok(loop_new(&s->loop, &e));
	assert_ok(sock_pair(SOCK_SEQPACKET, s->talk, &e));
	assert_ok(sock_pair(SOCK_SEQPACKET, listen, &e));
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_ok(sock_pair(SOCK_STREAM, in, &e));
	const struct table_spec spec = { .loop = s->loop,
					 .orders = &scene_orders,
					 .talk_fd = s->talk[0],
					 .listen_fd = listen[0],
					 .recording_fd = recording_fd,
					 .pid = 10,
					 .fds = { out[0], in[1] } };

	assert_ok(table_init(&s->table, &spec, &e));
	ends->out = out[1];
	ends->in = in[0];
	ends->listen = listen[1];
}

static void ends_close(struct ends *ends)
{
	fd_close(&ends->out);
	fd_close(&ends->in);
	fd_close(&ends->listen);
	for (int i = 0; i < 4; i++)
		fd_close(&ends->clients[i]);
}

static int recording_file(void)
{
	char name[] = "/tmp/carrel-unit-cast.XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unlink(name), 0);
	return fd;
}

/* terminal: the scene's own orders say so, but a pipe is not resized. */
static void busy(struct scene *s, struct ends *ends)
{
	scene_open(s, ends, 0);
	recording_fini(&table_first(&s->table)->recording);
	const struct recording_spec cast = {
		.fd = recording_file(), .max_bytes = 1 << 20, .cols = 80, .rows = 24
	};
	assert_ok(recording_init(&table_first(&s->table)->recording, &cast, &e));
	print(s, ends, 100);
	attach_all(s, ends);
	print(s, ends, 300);
	assert_true(write(ends->out, "cut \xe2\x82", 6) == 6);
	table_first(&s->table)->clients->want_cols = 7;
	turns(s);
}

/* ---- the state ---- */

static void test_all_comes_back(void **state)
{
	auto_buf struct buf first = BUF_LIMIT(SCENE_BYTES), second = BUF_LIMIT(SCENE_BYTES);
	struct scene s, t;
	struct ends ends;
	int *fds = NULL, *again = NULL;
	size_t n, m;

	busy(&s, &ends);
	n = scene_save(&s, &first, &fds);
	assert_true(n >= 2 + 1 + 1 + 4);
	assert_ok(scene_restore(&t, buf_bytes(&first), buf_len(&first), fds, n, &e));
	m = scene_save(&t, &second, &again);
	assert_int_equal(n, m);
	assert_int_equal(buf_len(&first), buf_len(&second));
	assert_memory_equal(buf_bytes(&first), buf_bytes(&second), buf_len(&first));
	for (size_t i = 0; i < m; i++) {
		assert_int_equal(fds[i], -1); /* taken */
		fd_close(&again[i]);
	}
	free(fds);
	free(again);
	scene_close(&t);
	scene_close(&s);
	ends_close(&ends);
}

/* Of format 1: all of it, and its scanner hands nothing over. */
static void test_format_1_is_read(void **state)
{
	struct orders orders = scene_orders;
	struct unpack u = {
		.p = format1, .n = sizeof(format1), .n_fds = FORMAT1_FDS, .format = 1
	};
	struct table_spec spec = { .orders = &orders };
	struct scene s = { .talk = { -1, -1 } };
	struct pack p = PACK(SCENE_BYTES);

	orders.policy.program = "/scan";
	assert_ok(loop_new(&s.loop, &e));
	spec.loop = s.loop;
	(void) table_restore(&s.table, &spec, &u);
	assert_ok(unpack_end(&u, &e));
	assert_true(s.table.scan.on);
	assert_int_equal(s.table.scan.format, 0);
	assert_int_equal(table_first(&s.table)->n_clients, 4);
	assert_true(table_first(&s.table)->scan.flight[SCAN_OUT] > 0);
	/* Written today it has the scanner's format more; read as if it were of the other format it is refused. */
	table_save(&s.table, &p);
	assert_ok(pack_end(&p, &e));
	assert_int_equal(buf_len(&p.out), sizeof(format1) + sizeof(uint32_t));
	pack_fini(&p);
	s.table.scan.broken = true; /* there is none to be told of the end */
	scene_close(&s);
	assert_err(scene_restore(&s, format1, sizeof(format1), NULL, FORMAT1_FDS, &e), EPROTO);
	scene_close(&s);
}

static size_t drain(int fd, struct buf *into)
{
	uint8_t bytes[4096];
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		assert_ok(buf_append(into, bytes, (size_t) n, &e));
		got += (size_t) n;
	}
	return got;
}

/* All that the clients are sent until nothing moves, without acknowledgements. */
static void take_all(struct scene *s, struct ends *ends, struct buf got[4])
{
	size_t moved;

	do {
		turns(s);
		moved = 0;
		for (int i = 0; i < 4; i++)
			moved += drain(ends->clients[i], &got[i]);
	} while (moved > 0);
}

/* What goes out after the half of a frame that had gone out is what goes out without a hand-over. */
static void test_frames_go_on(void **state)
{
	struct buf got[2][4];

	for (int handed = 0; handed < 2; handed++) {
		auto_buf struct buf bytes = BUF_LIMIT(SCENE_BYTES);
		struct scene s, t;
		struct ends ends;
		int *fds = NULL;
		size_t n;

		for (int i = 0; i < 4; i++)
			got[handed][i] = BUF_LIMIT(1 << 22);
		busy(&s, &ends);
		if (handed) {
			n = scene_save(&s, &bytes, &fds);
			scene_close(&s);
			assert_ok(scene_restore(&t, buf_bytes(&bytes), buf_len(&bytes), fds, n,
						&e));
			free(fds);
			assert_ok(table_go_on(&t.table, &e));
		}
		take_all(handed ? &t : &s, &ends, got[handed]);
		scene_close(handed ? &t : &s);
		ends_close(&ends);
	}
	for (int i = 0; i < 4; i++) {
		assert_true(buf_len(&got[0][i]) > 2000);
		assert_int_equal(buf_len(&got[0][i]), buf_len(&got[1][i]));
		assert_memory_equal(buf_bytes(&got[0][i]), buf_bytes(&got[1][i]),
				    buf_len(&got[0][i]));
		buf_fini(&got[0][i]);
		buf_fini(&got[1][i]);
	}
}

static void test_cut_states_are_refused(void **state)
{
	auto_buf struct buf bytes = BUF_LIMIT(SCENE_BYTES);
	struct scene s, t;
	struct ends ends;
	int *fds = NULL;
	size_t n;

	busy(&s, &ends);
	n = scene_save(&s, &bytes, &fds);
	for (size_t len = 0; len < buf_len(&bytes); len += len < 300 ? 1 : 97) {
		struct err why = ERR_NONE;
		auto_free uint8_t *copy = xalloc(MAX(len, (size_t) 1));

		memcpy(copy, buf_bytes(&bytes), len);
		assert_int_equal(scene_restore(&t, copy, len, NULL, n, &why), -1);
		assert_true(strlen(why.msg) > 0);
		scene_close(&t);
	}
	/* The control; and one descriptor too few, or too many. */
	assert_ok(scene_restore(&t, buf_bytes(&bytes), buf_len(&bytes), NULL, n, &e));
	scene_close(&t);
	for (int d = -1; d <= 1; d += 2) {
		assert_err(scene_restore(&t, buf_bytes(&bytes), buf_len(&bytes), NULL,
					 n + (size_t) d, &e),
			   EPROTO);
		scene_close(&t);
	}
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[i]);
	free(fds);
	scene_close(&s);
	ends_close(&ends);
}

/* ---- the screen ---- */

static void take_screen(struct scene *s, struct client_screen *out)
{
	*out = (struct client_screen){ .bytes = BUF_LIMIT(SCENE_BYTES) };
	assert_true(session_screen_take(table_first(&s->table), true, out));
}

static void same_screen(struct scene *s, const struct buf *wanted)
{
	struct client_screen now;

	take_screen(s, &now);
	assert_int_equal(buf_len(&now.bytes), buf_len(wanted));
	assert_memory_equal(buf_bytes(&now.bytes), buf_bytes(wanted), buf_len(wanted));
	buf_fini(&now.bytes);
}

/* A stream is not read at every turn. */
static void print_all(struct scene *s, struct ends *ends, size_t n)
{
	const struct ring *r = &table_first(&s->table)->ring;
	uint64_t before = r->next;

	print(s, ends, n);
	while (r->next < before + n * 31)
		assert_ok(loop_turn(s->loop, 100, &e));
}

/* While nothing moves a model is a few bytes; it wakes as it was, here and in another program. */
static void test_screens_sleep(void **state)
{
	auto_buf struct buf bytes = BUF_LIMIT(SCENE_BYTES);
	struct pack awake = PACK(SCENE_BYTES), asleep = PACK(SCENE_BYTES);
	const struct session_screen *screen;
	struct client_screen shown;
	struct scene s, t;
	struct ends ends;
	int *fds = NULL;
	size_t n;

	for (int i = 0; i < 4; i++)
		ends.clients[i] = FD_NONE;
	scene_open(&s, &ends, 0);
	for (int i = 0; i < 40; i++)
		print_all(&s, &ends, 100);
	screen = &table_first(&s.table)->screen;
	assert_non_null(screen->model);
	take_screen(&s, &shown);
	session_screen_save(table_first(&s.table), &awake);
	for (int i = 0; i < 1000 && screen->model; i++)
		assert_ok(loop_turn(s.loop, 1000, &e));
	assert_null(screen->model);
	assert_true(buf_len(&screen->asleep) < 24 << 10);
	session_screen_save(table_first(&s.table), &asleep);
	assert_int_equal(buf_len(&awake.out), buf_len(&asleep.out));
	assert_memory_equal(buf_bytes(&awake.out), buf_bytes(&asleep.out), buf_len(&awake.out));
	n = scene_save(&s, &bytes, &fds);
	assert_ok(scene_restore(&t, buf_bytes(&bytes), buf_len(&bytes), fds, n, &e));
	free(fds);
	same_screen(&t, &shown.bytes);
	same_screen(&s, &shown.bytes);
	assert_non_null(screen->model);
	/* What comes next is drawn where it belongs. */
	print_all(&s, &ends, 1);
	buf_fini(&shown.bytes);
	take_screen(&s, &shown);
	assert_non_null(strstr(buf_str(&shown.bytes), "again\r\n\033[24;1H"));
	buf_fini(&shown.bytes);
	pack_fini(&awake);
	pack_fini(&asleep);
	scene_close(&t);
	scene_close(&s);
	ends_close(&ends);
}

/* ---- the files ---- */

static void test_files_travel(void **state)
{
	struct handover h = HANDOVER_NONE, back;
	auto_buf struct buf body = BUF_LIMIT(64);
	struct err why = ERR_NONE;
	const uint8_t *p;
	size_t n;

	h.own_fd = memfd_create("own", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	h.front_fd = memfd_create("front", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	h.n_fds = 1;
	h.fds = xalloc(sizeof(int));
	h.fds[0] = h.own_fd;
	h.front_fds = xalloc(sizeof(int));
	assert_ok(buf_puts(&body, "words", &e));
	assert_int_equal(write(h.front_fd, "state", 5), 5);
	assert_ok(handover_write(&h, &body, &e));
	/* Nobody changes them any more. */
	assert_int_equal(write(h.front_fd, "x", 1), -1);
	assert_int_equal(ftruncate(h.own_fd, 0), -1);
	assert_ok(handover_read(h.own_fd, &back, &e));
	assert_int_equal(back.front_fd, h.front_fd);
	assert_int_equal(back.n_fds, 1);
	assert_int_equal(back.fds[0], h.own_fd);
	p = handover_map(h.own_fd, &n, &why);
	assert_non_null(p);
	assert_int_equal(n - back.body, 5);
	assert_memory_equal(p + back.body, "words", 5);
	handover_unmap(p, n);
	assert_ok(handover_keep(&back, true, &e));
	assert_int_equal(fcntl(h.front_fd, F_GETFD), 0);
	assert_ok(handover_keep(&back, false, &e));
	assert_int_equal(fcntl(h.front_fd, F_GETFD), FD_CLOEXEC);
	free(back.fds);
	free(back.front_fds);
	h.n_fds = 0;
	handover_fini(&h);
	/* Another format, no state at all. */
	h.own_fd = memfd_create("own", MFD_CLOEXEC);
	assert_int_equal(write(h.own_fd, "crls\x63\0\0\0", 8), 8);
	assert_err(handover_read(h.own_fd, &back, &e), EPROTO);
	handover_fini(&back);
	h.own_fd = memfd_create("own", MFD_CLOEXEC);
	assert_err(handover_read(h.own_fd, &back, &e), EPROTO);
	fd_close(&h.own_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_comes_back),
					    cmocka_unit_test(test_format_1_is_read),
					    cmocka_unit_test(test_frames_go_on),
					    cmocka_unit_test(test_cut_states_are_refused),
					    cmocka_unit_test(test_screens_sleep),
					    cmocka_unit_test(test_files_travel) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
