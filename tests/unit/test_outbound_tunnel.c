/* Two tunnels over a socket pair, in one loop: streams, credit, fairness, ends; and a peer that breaks the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/sock.h"
#include "sessiond/outbound/carrier.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/outbound/transport.h"
#include "sessiond/outbound/tunnel.h"

enum { DEADLINE_MS = 60000, MANY = 4, WINDOW = MUX_WINDOW_MIN };

struct side {
	struct tunnel *tunnel;
	bool greeted, closed, refuse;
	int daemon[MANY]; /* a dialer's: our ends of the sockets that it was given */
	size_t n;
	uint16_t unanswered;
	char why[160];
};

struct scene {
	struct loop *loop;
	struct side relay, dialer;
};

static int on_greeted(void *arg, const struct mux_frame *hello, struct err *e)
{
	struct side *s = arg;

	s->greeted = true;
	return 0;
}

static int on_connect(void *arg, const uint8_t *meta, size_t n, struct transport *out,
		      struct err *e)
{
	struct side *s = arg;
	int pair[2];

	if (s->refuse || s->n == MANY)
		return err_set(e, ECONNREFUSED, "no");
	assert_int_equal(sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, e), 0);
	transport_plain(out, pair[0]);
	s->daemon[s->n++] = pair[1];
	return 0;
}

static void on_unanswered(void *arg, struct transport *t, uint16_t code)
{
	((struct side *) arg)->unanswered = code;
	transport_close(t);
}

static void on_closed(void *arg, uint16_t code, const char *why)
{
	struct side *s = arg;

	s->closed = true;
	(void) strncpy(s->why, why, sizeof(s->why) - 1);
	tunnel_free(s->tunnel);
	s->tunnel = NULL;
}

static const struct tunnel_ops ops = { on_greeted, on_connect, on_unanswered, on_closed };

static struct tunnel *new_tunnel(struct scene *s, struct side *side, int fd, uint64_t dead_ms)
{
	const struct tunnel_config config = { .relay = side == &s->relay,
					      .host = side == &s->relay ? NULL : "h1",
					      .streams = MANY,
					      .window = WINDOW,
					      .ping_ms = dead_ms / 3,
					      .dead_ms = dead_ms };
	struct transport t;
	struct err e = ERR_NONE;

	transport_plain(&t, fd);
	if (tunnel_new(s->loop, &t, NULL, 0, &config, &ops, side, &side->tunnel, &e) < 0)
		fail_msg("%s", e.msg);
	return side->tunnel;
}

static void turn(struct scene *s)
{
	struct err e = ERR_NONE;

	assert_int_equal(loop_turn(s->loop, 20, &e), 0);
}

#define until(scene, condition)                                                                \
	do {                                                                                   \
		uint64_t end_ = clock_mono_ms() + DEADLINE_MS;                                 \
		while (!(condition) && clock_mono_ms() < end_)                                 \
			turn(scene);                                                           \
		assert_true(condition);                                                        \
	} while (0)

static void scene_init(struct scene *s)
{
	struct err e = ERR_NONE;
	int pair[2];

	*s = (struct scene){ 0 };
	assert_int_equal(loop_new(&s->loop, &e), 0);
	assert_int_equal(sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, &e), 0);
	(void) new_tunnel(s, &s->relay, pair[0], 60000);
	(void) new_tunnel(s, &s->dialer, pair[1], 60000);
	until(s, s->relay.greeted && s->dialer.greeted);
}

static void scene_fini(struct scene *s)
{
	for (size_t i = 0; i < s->dialer.n; i++)
		fd_close(&s->dialer.daemon[i]);
	if (s->dialer.tunnel)
		tunnel_close(s->dialer.tunnel, 1001, "over");
	until(s, s->dialer.tunnel == NULL && s->relay.tunnel == NULL);
	loop_free(s->loop);
}

/* Our end of a new client's socket; its number is the dialer's as well. */
static int open_stream(struct scene *s, const char *first, uint64_t limit)
{
	size_t before = s->dialer.n;
	struct transport t;
	struct err e = ERR_NONE;
	int pair[2];

	assert_int_equal(sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, &e), 0);
	transport_plain(&t, pair[0]);
	if (tunnel_open(s->relay.tunnel, &t, "{\"peer\":\"test\"}", first, strlen(first), limit,
			&e) < 0)
		fail_msg("%s", e.msg);
	if (!s->dialer.refuse)
		until(s, s->dialer.n == before + 1);
	return pair[1];
}

static void expect(struct scene *s, int fd, const char *text)
{
	char got[256] = "";
	size_t n = 0;

	for (uint64_t end = clock_mono_ms() + DEADLINE_MS; n < strlen(text);) {
		ssize_t r = read(fd, got + n, sizeof(got) - 1 - n);

		n += r > 0 ? (size_t) r : 0;
		assert_true(clock_mono_ms() < end);
		turn(s);
	}
	assert_string_equal(got, text);
}

static bool at_end(int fd)
{
	char c;

	return read(fd, &c, 1) == 0;
}

static void bytes_go_both_ways(void **state)
{
	struct scene s;
	int client;

	scene_init(&s);
	client = open_stream(&s, "first,", UINT64_MAX);
	assert_int_equal(write(client, "then", 4), 4);
	expect(&s, s.dialer.daemon[0], "first,then");
	assert_int_equal(write(s.dialer.daemon[0], "back", 4), 4);
	expect(&s, client, "back");
	/* One direction ends, then the other. */
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	until(&s, at_end(s.dialer.daemon[0]));
	assert_int_equal(write(s.dialer.daemon[0], "late", 4), 4);
	expect(&s, client, "late");
	fd_close(&s.dialer.daemon[0]);
	until(&s, at_end(client));
	until(&s, tunnel_streams(s.relay.tunnel) == 0 && tunnel_streams(s.dialer.tunnel) == 0);
	fd_close(&client);
	scene_fini(&s);
}

static void a_body_has_its_length(void **state)
{
	struct scene s;
	int client;

	scene_init(&s);
	client = open_stream(&s, "head:", 3);
	assert_int_equal(write(client, "abcGET /", 8), 8);
	expect(&s, s.dialer.daemon[0], "head:abc");
	for (int i = 0; i < 20; i++)
		turn(&s);
	errno = 0;
	assert_false(at_end(s.dialer.daemon[0]));
	assert_int_equal(errno, EAGAIN);
	/* The client's end is seen all the same. */
	fd_close(&client);
	until(&s, at_end(s.dialer.daemon[0]));
	scene_fini(&s);
}

/* As much as fits on the way; nothing is read at the other end. */
static size_t stuff(struct scene *s, int fd)
{
	static const uint8_t block[4096];
	size_t total = 0;

	for (int quiet = 0; quiet < 50;) {
		ssize_t n = write(fd, block, sizeof(block));

		quiet = n > 0 ? 0 : quiet + 1;
		total += n > 0 ? (size_t) n : 0;
		turn(s);
	}
	return total;
}

static void who_does_not_read_stalls_nobody(void **state)
{
	struct scene s;
	int slow, quick, tiny = 4096;
	size_t total;

	scene_init(&s);
	slow = open_stream(&s, "a", UINT64_MAX);
	assert_int_equal(setsockopt(s.dialer.daemon[0], SOL_SOCKET, SO_SNDBUF, &tiny,
				    sizeof(tiny)),
			 0);
	quick = open_stream(&s, "b", UINT64_MAX);
	total = stuff(&s, s.dialer.daemon[0]);
	/* Two sockets' buffers and a window; not more. */
	assert_true(total >= WINDOW && total < WINDOW + (4 << 20));
	assert_int_equal(write(s.dialer.daemon[1], "on", 2), 2);
	expect(&s, quick, "on");
	assert_int_equal(write(quick, "and on", 6), 6);
	expect(&s, s.dialer.daemon[1], "band on");
	/* And when it reads, everything is there. */
	for (uint64_t end = clock_mono_ms() + DEADLINE_MS;
	     total > 0 && clock_mono_ms() < end;) {
		static uint8_t block[65536];
		ssize_t n = read(slow, block, sizeof(block));

		total -= n > 0 ? (size_t) n : 0;
		turn(&s);
	}
	assert_int_equal(total, 0);
	fd_close(&slow);
	fd_close(&quick);
	scene_fini(&s);
}

static void a_daemon_that_is_away(void **state)
{
	struct scene s;
	int client;

	scene_init(&s);
	s.dialer.refuse = true;
	client = open_stream(&s, "x", UINT64_MAX);
	until(&s, s.relay.unanswered == MUX_CODE_UNAVAILABLE);
	assert_int_equal(tunnel_streams(s.relay.tunnel), 0);
	fd_close(&client);
	/* One that closes without a word is one that gave no answer. */
	s.dialer.refuse = false;
	s.relay.unanswered = 0;
	client = open_stream(&s, "x", UINT64_MAX);
	fd_close(&s.dialer.daemon[0]);
	until(&s, s.relay.unanswered == MUX_CODE_UNAVAILABLE);
	fd_close(&client);
	scene_fini(&s);
}

static void no_more_streams_than_agreed(void **state)
{
	struct scene s;
	struct transport t;
	struct err e = ERR_NONE;
	int clients[MANY], pair[2];

	scene_init(&s);
	for (size_t i = 0; i < MANY; i++)
		clients[i] = open_stream(&s, "x", UINT64_MAX);
	assert_int_equal(sock_pair(SOCK_STREAM, pair, &e), 0);
	transport_plain(&t, pair[0]);
	assert_int_equal(tunnel_open(s.relay.tunnel, &t, "{}", "x", 1, 0, &e), -1);
	assert_int_equal(e.code, EAGAIN);
	transport_close(&t);
	fd_close(&pair[1]);
	for (size_t i = 0; i < MANY; i++)
		fd_close(&clients[i]);
	scene_fini(&s);
}

static void streams_end_with_the_connection(void **state)
{
	struct scene s;
	int client;

	scene_init(&s);
	client = open_stream(&s, "x", UINT64_MAX);
	assert_int_equal(write(s.dialer.daemon[0], "y", 1), 1);
	expect(&s, client, "y");
	tunnel_close(s.relay.tunnel, 1001, "the end");
	until(&s, s.relay.closed && s.dialer.closed);
	assert_string_equal(s.dialer.why, "the end");
	expect(&s, s.dialer.daemon[0], "x");
	assert_true(at_end(s.dialer.daemon[0]));
	assert_true(at_end(client));
	fd_close(&client);
	scene_fini(&s);
}

static void silence_is_an_end(void **state)
{
	struct scene s = { 0 };
	struct err e = ERR_NONE;
	int pair[2];

	assert_int_equal(loop_new(&s.loop, &e), 0);
	assert_int_equal(sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, &e), 0);
	(void) new_tunnel(&s, &s.dialer, pair[0], 60);
	until(&s, s.dialer.closed);
	assert_non_null(strstr(s.dialer.why, "nothing was heard"));
	fd_close(&pair[1]);
	loop_free(s.loop);
}

/* ---- a relay that breaks the rules; the dialer must leave it, and says why ---- */

struct evil {
	struct carrier *carrier;
	bool closed;
};

static void evil_message(void *arg, const uint8_t *p, size_t n) {}
static void evil_drained(void *arg) {}
static void evil_closed(void *arg, uint16_t code, const char *why)
{
	struct evil *v = arg;

	v->closed = true;
	carrier_free(v->carrier);
	v->carrier = NULL;
}

static void say(struct evil *v, const char *p, size_t n)
{
	carrier_send(v->carrier, p, n);
}
#define SAY(v, text) say(v, text, sizeof(text) - 1)
#define HELLO	     "\1\0\0\0\0\1\0\0\1\0\0\1\0\0"

static void rules(void **state)
{
	/* clang-format off */
	static const struct { const char *p[4]; size_t n[4]; const char *why; } rows[] = {
		{ { HELLO, "\2\0\0\0\1{}", "\2\0\0\0\1{}" }, { 14, 7, 7 }, "was there already" },
		{ { HELLO, "\2\0\0\0\5{}", "\2\0\0\0\4{}" }, { 14, 7, 7 }, "was there already" },
		{ { HELLO, "\3\0\0\0\1x" }, { 14, 6 }, "was never opened" },
		{ { "\2\0\0\0\1{}" }, { 7 }, "before HELLO" },
		{ { HELLO, HELLO }, { 14, 14 }, "a second one" },
		{ { HELLO, "\2\0\0\0\1{}", "\4\0\0\0\1\xff\xff\xff\xff" }, { 14, 7, 9 }, "too much" },
		{ { HELLO, "\2\0\0\0\1{}", "\5\0\0\0\1", "\3\0\0\0\1x" }, { 14, 7, 5, 6 }, "behind END" },
		{ { HELLO, "\11\0\0\0\1" }, { 14, 5 }, "unknown type" },
		{ { "\1\0\0\0\0\1\0\0\1\0\0\1\0\0h" }, { 15 }, "a relay that names a host" },
		{ { HELLO, "\2\0\0\0\1{}", "\2\0\0\0\2{}", NULL }, { 14, 7, 7 }, NULL }, /* the control: nothing is wrong */
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static const struct carrier_ops carrier = { evil_message, evil_drained,
							    evil_closed };
		struct scene s = { 0 };
		struct evil v = { 0 };
		struct transport t;
		struct err e = ERR_NONE;
		int pair[2];

		assert_int_equal(loop_new(&s.loop, &e), 0);
		assert_int_equal(sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, &e), 0);
		(void) new_tunnel(&s, &s.dialer, pair[0], 60000);
		transport_plain(&t, pair[1]);
		assert_int_equal(carrier_new(s.loop, &t, true, NULL, 0, &carrier, &v,
					     &v.carrier, &e),
				 0);
		for (size_t k = 0; k < 4 && rows[i].p[k]; k++)
			say(&v, rows[i].p[k], rows[i].n[k]);
		if (rows[i].why) {
			until(&s, s.dialer.closed);
			if (!strstr(s.dialer.why, rows[i].why))
				fail_msg("\"%s\" instead of \"%s\"", s.dialer.why, rows[i].why);
		} else {
			until(&s, s.dialer.n == 2);
			assert_false(s.dialer.closed);
			tunnel_close(s.dialer.tunnel, 1001, "over");
		}
		until(&s, v.closed && s.dialer.closed);
		for (size_t k = 0; k < s.dialer.n; k++)
			fd_close(&s.dialer.daemon[k]);
		loop_free(s.loop);
	}
}

/* More DATA than the window, to a daemon that reads nothing. */
static void more_than_the_window(void **state)
{
	static const struct carrier_ops carrier = { evil_message, evil_drained, evil_closed };
	static char block[MUX_HEAD + MUX_DATA_MAX] = "\3\0\0\0\1";
	struct scene s = { 0 };
	struct evil v = { 0 };
	struct transport t;
	struct err e = ERR_NONE;
	int pair[2];

	assert_int_equal(loop_new(&s.loop, &e), 0);
	assert_int_equal(sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, &e), 0);
	(void) new_tunnel(&s, &s.dialer, pair[0], 60000);
	transport_plain(&t, pair[1]);
	assert_int_equal(carrier_new(s.loop, &t, true, NULL, 0, &carrier, &v, &v.carrier, &e),
			 0);
	SAY(&v, HELLO);
	SAY(&v, "\2\0\0\0\1{}");
	for (uint64_t end = clock_mono_ms() + DEADLINE_MS; !s.dialer.closed;) {
		assert_true(clock_mono_ms() < end);
		if (v.carrier && !carrier_congested(v.carrier))
			say(&v, block, sizeof(block));
		turn(&s);
	}
	assert_non_null(strstr(s.dialer.why, "were allowed"));
	until(&s, v.closed);
	fd_close(&s.dialer.daemon[0]);
	loop_free(s.loop);
}

/* Pings without end, of WebSocket's own kind and without a byte in them, from a peer that reads no answer. */
static void pings_without_end(void **state)
{
	static uint8_t pings[65536];
	struct scene s = { 0 };
	struct err e = ERR_NONE;
	int pair[2];

	for (size_t i = 0; i < sizeof(pings); i += 2)
		pings[i] = 0x89;
	assert_int_equal(loop_new(&s.loop, &e), 0);
	assert_int_equal(sock_pair(SOCK_STREAM | SOCK_NONBLOCK, pair, &e), 0);
	(void) new_tunnel(&s, &s.dialer, pair[0], 60000);
	for (uint64_t end = clock_mono_ms() + DEADLINE_MS; !s.dialer.closed;) {
		assert_true(clock_mono_ms() < end);
		(void) send(pair[1], pings, sizeof(pings), MSG_NOSIGNAL);
		turn(&s);
	}
	assert_non_null(strstr(s.dialer.why, "does not read"));
	fd_close(&pair[1]);
	loop_free(s.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(a_body_has_its_length),
		cmocka_unit_test(who_does_not_read_stalls_nobody),
		cmocka_unit_test(a_daemon_that_is_away),
		cmocka_unit_test(no_more_streams_than_agreed),
		cmocka_unit_test(streams_end_with_the_connection),
		cmocka_unit_test(silence_is_an_end),
		cmocka_unit_test(rules),
		cmocka_unit_test(more_than_the_window),
		cmocka_unit_test(pings_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
