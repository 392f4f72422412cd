/* What a client of the terminal sends: input that waits, floods, errors, a socket that is lost. */
#include "tests/unit/client_desk.h"

static void test_input(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	say(d, "\x10ls\n", 4);
	say(d, "", 0);	   /* tolerated */
	say(d, "\x10", 1); /* no bytes: no input */
	say(d, "\x14", 1);
	say(d, "\x11\x00\x64\x00\x1e", 5);
	assert_string_equal(buf_str(&d->input), "ls\n");
	assert_int_equal(d->ends, 1);
	assert_int_equal(d->cols, 100);
	assert_int_equal(d->rows, 30);
	desk_free(d);

	d = desk_new();
	attach(d, (struct how){ .viewer = true });
	say(d, "\x10ls\n", 4);
	say(d, "\x14", 1);
	say(d, "\x11\x00\x64\x00\x1e", 5);
	settle(d);
	assert_int_equal(buf_len(&d->input), 0);
	assert_int_equal(d->ends, 0);
	assert_int_equal(d->cols, 0);
	assert_int_equal(d->code, 0);
	desk_free(d);
}

/* Anyone may ask for the pen; who writes is the session's to say, and the client is told. */
static void test_pen(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ .viewer = true });
	settle(d);
	buf_clear(&d->notes);
	say(d, "\x15\x01", 2);
	assert_int_equal(d->pen, 'y');
	say(d, "\x10no", 3);
	assert_int_equal(buf_len(&d->input), 0);
	client_set_role(d->c, CLIENT_WRITER);
	assert_true(client_wants(d->c) & EPOLLOUT);
	say(d, "\x10yes", 4);
	assert_string_equal(buf_str(&d->input), "yes");
	say(d, "\x15\x00", 2);
	assert_int_equal(d->pen, 'n');
	settle(d);
	assert_string_equal(buf_str(&d->notes), "R");
	desk_free(d);
}

/* The round trip is from the last ping to its own pong. */
static void test_round_trip(void **state)
{
	struct desk *d = desk_new();
	uint64_t sent = d->now;

	attach(d, (struct how){ 0 });
	settle(d);
	client_ping(d->c, d->now);
	settle(d);
	d->now += 70;
	peer_send(d, 0x8a, "\1\2\3\4\5\6\7\10", 8); /* another's */
	client_read(d->c, d->now);
	assert_int_equal(d->c->rtt_ms, UINT32_MAX);
	peer_send(d, 0x8a, &sent, sizeof(sent));
	client_read(d->c, d->now);
	assert_int_equal(d->c->rtt_ms, 70);
	desk_free(d);
}

/* While the program's input is full nothing is decoded, the socket is left alone, and output is not
 * bound to acknowledgements that cannot be read; then it goes on where it stopped. */
static void test_full_input_pauses(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	settle(d);
	peer_send(d, 0x82, "\x10one", 4);
	peer_send(d, 0x82, "\x10two", 4);
	d->full = true;
	client_read(d->c, d->now);
	assert_int_equal(buf_len(&d->input), 0);
	assert_int_equal(client_wants(d->c), 0);
	assert_false(client_has_pending(d->c));
	fill(d, 40000);
	settle(d);
	assert_int_equal(buf_len(&d->output), 40000); /* more than a window */
	d->full = false;
	assert_true(client_has_pending(d->c));
	client_read(d->c, d->now);
	assert_string_equal(buf_str(&d->input), "onetwo");
	assert_true(client_wants(d->c) & EPOLLIN);
	desk_free(d);
}

static void test_preloaded_bytes_come_first(void **state)
{
	struct desk *d = desk_new();
	uint8_t wire[64];
	size_t n = masked(wire, 0x82,
			  "\x10"
			  "first",
			  6);

	attach(d, (struct how){ 0 });
	/* Half of a frame was read with the request head, the rest comes by the socket. */
	assert_ok(client_preload(d->c, wire, 5, &e));
	assert_int_equal(send(d->peer, wire + 5, n - 5, 0), n - 5);
	assert_true(client_has_pending(d->c));
	client_read(d->c, d->now);
	assert_string_equal(buf_str(&d->input), "first");
	desk_free(d);
}

static void test_floods_cost_nothing(void **state)
{
	struct desk *d = desk_new();
	size_t answers;

	attach(d, (struct how){ 0 });
	settle(d);
	buf_clear(&d->notes);
	for (int i = 0; i < 20000; i++) {
		peer_send(d, 0x89, "ping", 4);
		peer_send(d, 0x82,
			  "\x13"
			  "app-level ping of some length...",
			  33);
		client_read(d->c, d->now);
		client_size(d->c, (uint16_t) (i % 1000 + 1), 24);
		client_write(d->c, SIZE_MAX, d->now);
		assert_true(d->c->ctl.cap <= 16384);
	}
	assert_int_equal(d->c->state, CLIENT_OPEN);
	settle(d);
	answers = buf_len(&d->notes);
	assert_true(answers > 2 && answers < 1000);
	assert_non_null(strchr(buf_str(&d->notes), 'o'));
	assert_non_null(strchr(buf_str(&d->notes), 'P'));
	assert_non_null(strchr(buf_str(&d->notes), 'S'));
	desk_free(d);
}

static void test_errors_close(void **state)
{
	static const struct {
		uint8_t first;
		const char *bytes;
		size_t n;
		uint16_t code;
	} rows[] = {
		{ 0x81, "hello", 5, 4400 },    { 0x82, "\x77", 1, 4400 },
		{ 0x82, "\x11\x00", 2, 4400 }, { 0xc2, "\x10", 1, 1002 },
		{ 0x88, "\x03\xe8", 2, 1000 }, { 0x88, "", 0, 1000 },
		{ 0x88, "\x0f\xa0", 2, 4000 }, { 0x88, "\x03\xee", 2, 1002 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct desk *d = desk_new();

		attach(d, (struct how){ 0 });
		settle(d);
		peer_send(d, rows[i].first, rows[i].bytes, rows[i].n);
		client_read(d->c, d->now);
		fill(d, 100); /* not sent any more */
		settle(d);
		assert_int_equal(d->code, rows[i].code);
		assert_int_equal(buf_len(&d->output), 0);
		/* A close that the peer began is over with our answer; after an error we wait for its own. */
		assert_int_equal(d->c->state, rows[i].first == 0x88 && rows[i].code != 1002
						      ? CLIENT_GONE
						      : CLIENT_LINGER);
		desk_free(d);
	}
}

static void test_lost_socket(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	settle(d);
	fd_close(&d->peer);
	client_read(d->c, d->now);
	assert_int_equal(d->c->state, CLIENT_GONE);
	client_write(d->c, SIZE_MAX, d->now); /* and no SIGPIPE */
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_pen),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_full_input_pauses),
		cmocka_unit_test(test_preloaded_bytes_come_first),
		cmocka_unit_test(test_floods_cost_nothing),
		cmocka_unit_test(test_errors_close),
		cmocka_unit_test(test_lost_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
