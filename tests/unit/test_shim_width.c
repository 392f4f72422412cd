/* How many cells a character takes. */
#include "tests/unit/scratch.h"

#include "base/util.h"
#include "shim/width.h"

static void test_widths(void **state)
{
	static const struct {
		uint32_t code;
		unsigned width;
	} widths[] = { { 0xa0, 1 },   { 0xe9, 1 },    { 0x301, 0 },   { 0x1100, 2 },
		       { 0x200d, 0 }, { 0x2500, 1 },  { 0x6f22, 2 },  { 0xff21, 2 },
		       { 0xfe0f, 0 }, { 0x1f600, 2 }, { 0x20000, 2 }, { 0x10ffff, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++)
		assert_int_equal(width_of(widths[i].code), widths[i].width);
}

/* FNV-1a over the widths of all characters, as the ranges alone give them. */
static void test_all_widths(void **state)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (uint32_t c = 0xa0; c < 0x110000; c++)
		sum = (sum ^ width_of(c)) * 0x100000001b3;
	assert_int_equal(sum, 0xfcd7c1587309f0db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_all_widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
