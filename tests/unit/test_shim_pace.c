/* When output is read: a stream of small pieces after rests, never while somebody may wait for an answer. */
#include "tests/unit/scratch.h"

#include "base/clock.h"
#include "base/loop.h"
#include "base/util.h"
#include "shim/pace.h"

static struct loop *loop;
static unsigned rested;
static struct pace p; /* outlives a test that fails, as its timer does */

static void over(void *arg)
{
	rested++;
}

static int start(void **state)
{
	struct err e = ERR_NONE;

	rested = 0;
	p = (struct pace){ 0 };
	return loop_new(&loop, &e);
}

static int stop(void **state)
{
	loop_free(loop);
	return 0;
}

/* Turns of reading, one a millisecond from `from` on; whether there is a rest behind the last. */
static bool turns(uint64_t from, unsigned n, uint64_t apart, bool emptied)
{
	for (unsigned i = 0; i < n; i++)
		pace_read(&p, loop, emptied, 10, from + i * apart, over, NULL);
	return pace_rests(&p);
}

static void test_a_stream_rests(void **state)
{
	assert_false(turns(1000, 4, 1, true));
	assert_true(turns(1004, 1, 1, true));
	while (rested == 0)
		assert_ok(loop_turn(loop, 1000, &e));
	assert_false(pace_rests(&p));
	/* It was empty behind the rest: the stream is over. */
	pace_read(&p, loop, true, 0, 1006, over, NULL);
	assert_false(pace_rests(&p));
	assert_false(turns(1007, 3, 1, true));
	pace_stop(&p);
}

static unsigned rest_after(uint64_t n, bool emptied, uint64_t now_ms)
{
	pace_read(&p, loop, emptied, n, now_ms, over, NULL);
	assert_true(pace_rests(&p) || !emptied || p.rest_us == 0);
	return p.rest_us;
}

/* The less comes the longer it rests, so long as the kernel has room for what comes meanwhile. */
static void test_length_of_a_rest(void **state)
{
	assert_true(turns(1000, 5, 1, true));
	assert_int_equal(p.rest_us, 125);
	assert_int_equal(rest_after(10, true, 1005), 250);
	assert_int_equal(rest_after(12000, true, 1006), 250);
	assert_true(turns(1007, 20, 1, true));
	assert_int_equal(p.rest_us, 4000);
	assert_int_equal(rest_after(12000, true, 1027), 4000);
	assert_int_equal(rest_after(20000, true, 1028), 2000);
	/* More than one turn's: the program is quicker than we are. */
	assert_int_equal(rest_after(8000, false, 1029), 1000);
	for (unsigned i = 0; i < 3; i++)
		(void) rest_after(32768, false, 1030 + i);
	assert_int_equal(p.rest_us, 125);
	assert_int_equal(rest_after(20000, true, 1034), 0);
	pace_stop(&p);
}

/* It is over as soon as it is due, not up to a millisecond later. */
static void test_a_rest_is_short(void **state)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < 50; i++) {
		uint64_t began = clock_mono_ns();

		p = (struct pace){ .turns = 100, .read_ms = 1000 };
		pace_read(&p, loop, true, 10, 1001, over, NULL);
		assert_ok(loop_turn(loop, 1000, &e));
		least = MIN(least, clock_mono_ns() - began);
	}
	assert_int_equal(rested, 50);
	assert_in_range(least, 125000, 900000);
}

static void test_no_rest(void **state)
{
	assert_false(turns(1000, 50, 20, true));
	assert_false(turns(3000, 50, 1, false));
}

static void test_who_types_waits_for_nothing(void **state)
{
	assert_true(turns(1000, 10, 1, true));
	assert_true(pace_typed(&p, 1010));
	assert_false(pace_rests(&p));
	assert_false(pace_typed(&p, 1011));
	assert_false(turns(1011, 40, 1, true));
	assert_true(turns(1100, 10, 1, true));
	pace_stop(&p);
	assert_false(pace_rests(&p));
	assert_int_equal(rested, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_stream_rests, start, stop),
		cmocka_unit_test_setup_teardown(test_length_of_a_rest, start, stop),
		cmocka_unit_test_setup_teardown(test_a_rest_is_short, start, stop),
		cmocka_unit_test_setup_teardown(test_no_rest, start, stop),
		cmocka_unit_test_setup_teardown(test_who_types_waits_for_nothing, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
