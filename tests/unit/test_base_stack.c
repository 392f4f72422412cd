/* What a start used of the stack is given back, and comes again. */
#include "tests/unit/scratch.h"

#include "base/stack.h"

enum { DEEP = 96 * 1024, PAGE = 4096 };

/* How many pages below the caller are resident. */
static size_t resident(uintptr_t below)
{
	unsigned char seen[DEEP / PAGE];
	uintptr_t from = (below - DEEP) / PAGE * PAGE;
	size_t n = 0;

	/* A stack that never was so deep has no pages there. */
	if (mincore((void *) from, DEEP, seen) < 0)
		return 0;
	for (size_t i = 0; i < DEEP / PAGE; i++)
		n += seen[i] & 1;
	return n;
}

__attribute__((noinline)) static unsigned go_deep(unsigned char what)
{
	volatile unsigned char v[DEEP];
	unsigned sum = 0;

	for (size_t i = 0; i < DEEP; i += PAGE / 2)
		v[i] = what;
	for (size_t i = 0; i < DEEP; i += PAGE / 2)
		sum += v[i];
	return sum;
}

static void test_given_back(void **state)
{
	uintptr_t here = (uintptr_t) __builtin_frame_address(0) - (size_t) 2 * PAGE;

	assert_int_equal(go_deep(1), DEEP / PAGE * 2);
	assert_true(resident(here) > DEEP / PAGE / 2);
	stack_give_back();
	assert_true(resident(here) < 4);
	assert_int_equal(go_deep(3), DEEP / PAGE * 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_given_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
