/* What a client of the terminal is sent: replay, window, gaps, a socket that takes little, the end. */
#include "tests/unit/client_desk.h"

static void test_hello_and_replay(void **state)
{
	struct desk *d = desk_new();

	ring_put(&d->ring, "hello\n", 6);
	attach(d, (struct how){ 0 });
	settle(d);
	assert_string_equal(buf_str(&d->notes), "HBE");
	assert_string_equal(buf_str(&d->output), "hello\n");
	assert_non_null(strstr(d->text, "\"next\":6"));
	ring_put(&d->ring, "more", 4);
	settle(d);
	assert_string_equal(buf_str(&d->output), "hello\nmore");
	assert_string_equal(buf_str(&d->notes), "HBE");
	desk_free(d);
}

static void test_since(void **state)
{
	struct desk *d = desk_new();

	fill(d, 1000);
	attach(d, (struct how){ .has_since = true, .since = 400 });
	settle(d);
	assert_int_equal(buf_len(&d->output), 600);
	check_output(d, 400);
	assert_string_equal(buf_str(&d->notes), "HBE");
	desk_free(d);

	d = desk_new();
	fill(d, 10);
	attach(d, (struct how){ .has_since = true, .since = 11, .expect = -1 });
	desk_free(d);
}

static void test_since_too_old_is_a_gap_first(void **state)
{
	struct desk *d = desk_new();

	fill(d, RING + 5000);
	attach(d, (struct how){ .has_since = true, .since = 100 });
	client_write(d->c, SIZE_MAX, d->now);
	(void) peer_read(d, SIZE_MAX);
	assert_string_equal(buf_str(&d->notes), "HGB");
	assert_int_equal(d->gap_from, 100);
	assert_true(d->gap_to >= 5000 && d->gap_to < 5000 + 4096);
	check_output(d, d->gap_to);
	desk_free(d);
}

/* What a message ends with is whole, where the rest of it is there or comes soon. */
static void test_characters_are_whole(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	d->ring.more = true;
	ring_put(&d->ring, "a\xe2\x80", 3);
	settle(d);
	assert_string_equal(buf_str(&d->output), "a");
	assert_int_equal(client_wants(d->c) & EPOLLOUT, 0);
	ring_put(&d->ring, "\x95\xe2", 2);
	settle(d);
	assert_string_equal(buf_str(&d->output), "a\xe2\x80\x95");
	d->ring.more = false;
	assert_int_equal(client_wants(d->c) & EPOLLOUT, EPOLLOUT);
	settle(d);
	assert_string_equal(buf_str(&d->output), "a\xe2\x80\x95\xe2");
	desk_free(d);
}

/* A replay ends where it ends. */
static void test_replay_ends_in_a_character(void **state)
{
	struct desk *d = desk_new();

	ring_put(&d->ring, "a\xe2\x80", 3);
	d->ring.more = true;
	attach(d, (struct how){ 0 });
	ring_put(&d->ring, "\x95z", 2);
	settle(d);
	assert_string_equal(buf_str(&d->output), "a\xe2\x80\x95z");
	assert_string_equal(buf_str(&d->notes), "HBE");
	desk_free(d);
}

/* The server never has more than a window unacknowledged, and goes on exactly when it is acknowledged. */
static void test_window(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	settle(d);
	fill(d, 40000);
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW);
	assert_int_equal(client_wants(d->c), EPOLLIN);
	ack(d, 1000);
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW + 1000);
	ack(d, 500); /* older: no effect */
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW + 1000);
	ack(d, WINDOW + 1000);
	settle(d);
	ack(d, 2 * WINDOW + 1000);
	settle(d);
	assert_int_equal(buf_len(&d->output), 40000);
	check_output(d, 0);
	desk_free(d);
}

static void test_ack_of_the_future_is_an_error(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	fill(d, 10);
	settle(d);
	ack(d, 11);
	settle(d);
	assert_int_equal(d->code, 4400);
	desk_free(d);
}

/* A reader that takes a few bytes at a time while the ring is overwritten many times: every frame stays
 * whole, offsets jump by GAP alone, and no memory is held but one frame. */
static void test_slow_reader_sees_whole_frames_and_gaps(void **state)
{
	struct desk *d = desk_new();
	size_t gaps = 0;

	attach(d, (struct how){ 0 });
	settle(d);
	for (int i = 0; i < 400; i++) {
		fill(d, 3000);
		client_write(d->c, SIZE_MAX, d->now);
		(void) peer_read(d, 700);
		assert_true(d->c->spill.cap <= 40000);
		assert_true(d->c->ctl.cap <= 16384);
		if (d->next > d->c->acked)
			ack(d, d->next);
		if (d->gap_to) {
			gaps++;
			buf_clear(&d->output);
			d->gap_to = 0;
		}
	}
	assert_true(gaps > 0);
	settle(d);
	assert_int_equal(d->c->state, CLIENT_OPEN);
	desk_free(d);
}

static void test_exit_comes_after_all_output(void **state)
{
	struct desk *d = desk_new();

	attach(d, (struct how){ 0 });
	fill(d, 30000);
	client_exit(d->c, &(struct dialect_exit){ "exited", 3, 0 }, 1000);
	settle(d);
	assert_int_equal(buf_len(&d->output), WINDOW);
	assert_int_equal(d->code, 0);
	ack(d, WINDOW);
	settle(d);
	assert_int_equal(buf_len(&d->output), 30000);
	check_output(d, 0);
	assert_string_equal(buf_str(&d->notes), "HBEXC");
	assert_int_equal(d->code, 1000);
	assert_int_equal(d->c->state, CLIENT_LINGER);
	/* The peer's close ends it; what it sent before that means nothing. */
	peer_send(d, 0x82, "\x10late", 5);
	peer_send(d, 0x88, "\x03\xe8", 2);
	client_read(d->c, d->now);
	assert_int_equal(d->c->state, CLIENT_GONE);
	assert_int_equal(buf_len(&d->input), 0);
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_and_replay),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_since_too_old_is_a_gap_first),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_characters_are_whole),
		cmocka_unit_test(test_replay_ends_in_a_character),
		cmocka_unit_test(test_ack_of_the_future_is_an_error),
		cmocka_unit_test(test_slow_reader_sees_whole_frames_and_gaps),
		cmocka_unit_test(test_exit_comes_after_all_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
