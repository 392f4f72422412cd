/* Fingerprints: HMAC by its standard's sample, the normalisation, the key's file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "shim/scan/print.h"
#include "shim/scan_key.h"
#include "tests/unit/scratch.h"

static const char *print_of(const void *key, size_t n_key, bool digits, const char *text,
			    char out[PRINT_HEX + 1])
{
	struct print_key k;
	struct print p;

	print_key_set(&k, key, n_key);
	print_begin(&p, &k, digits);
	print_add(&p, (const uint8_t *) text, strlen(text));
	print_end(&p, &k, out);
	return out;
}

/* RFC 4231, case 4, which has no byte that the normalisation takes out: 0xcd fifty times under the key 1 to 25. */
static void hmac_sample(void **state)
{
	uint8_t key[25], text[51] = { 0 };
	char out[PRINT_HEX + 1];

	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t) (i + 1);
	memset(text, 0xcd, 50);
	assert_string_equal(print_of(key, sizeof(key), false, (char *) text, out),
			    "82558a389a443c0e");
}

static void layout_does_not_count(void **state)
{
	char a[PRINT_HEX + 1], b[PRINT_HEX + 1];

	assert_string_equal(print_of("k", 1, true, "4111 1111-1111 1111", a),
			    print_of("k", 1, true, "4111111111111111", b));
	assert_string_equal(print_of("k", 1, false, "ab\ncd\tef", a),
			    print_of("k", 1, false, "abcdef", b));
	assert_string_not_equal(print_of("k", 1, false, "abcdeF", a), b);
	assert_string_not_equal(print_of("K", 1, false, "abcdef", a), b);
}

/* ---- the key's file ---- */

static void read_key_of(const char *path, uint8_t key[SCAN_KEY])
{
	struct err e = ERR_NONE;
	auto_close int fd = scan_key_open(path, &e);

	if (fd < 0 || scan_key_read(fd, key, &e) < 0)
		fail_msg("%s", e.msg);
}

static void a_key_is_made_once(void **state)
{
	auto_free char *path = xasprintf("%s/policy.key", ((struct scratch *) *state)->path);
	uint8_t first[SCAN_KEY], again[SCAN_KEY];
	struct stat st;

	read_key_of(path, first);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	read_key_of(path, again);
	assert_memory_equal(first, again, SCAN_KEY);
	assert_int_equal(unlink(path), 0);
	read_key_of(path, again);
	assert_memory_not_equal(first, again, SCAN_KEY);
}

/* Many that find none at the same moment: all have the same one. */
static void parallel_makers_agree(void **state)
{
	auto_free char *path = xasprintf("%s/policy.key", ((struct scratch *) *state)->path);
	uint8_t key[SCAN_KEY], other[SCAN_KEY];
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			read_key_of(path, key);
			_exit(write(ends[1], key, SCAN_KEY) == SCAN_KEY ? 0 : 1);
		}
	while (wait(&status) > 0)
		assert_int_equal(status, 0);
	read_key_of(path, key);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(read(ends[0], other, SCAN_KEY), SCAN_KEY);
		assert_memory_equal(key, other, SCAN_KEY);
	}
	(void) close(ends[0]);
	(void) close(ends[1]);
}

static void expect_refused(const char *path, const char *words)
{
	struct err e = ERR_NONE;

	assert_int_equal(scan_key_open(path, &e), -1);
	if (!strstr(e.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
}

static void a_key_that_is_none_is_refused(void **state)
{
	auto_free char *path = xasprintf("%s/policy.key", ((struct scratch *) *state)->path);
	uint8_t key[SCAN_KEY];

	read_key_of(path, key);
	assert_int_equal(chmod(path, 0640), 0);
	expect_refused(path, "others may read it");
	assert_int_equal(chmod(path, 0600), 0);
	read_key_of(path, key);
	assert_int_equal(truncate(path, 31), 0);
	expect_refused(path, "has 31 bytes, where 32 belong");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	expect_refused(path, "policy.key");
}

int main(void)
{
#define FILES(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_sample),
		cmocka_unit_test(layout_does_not_count),
		FILES(a_key_is_made_once),
		FILES(parallel_makers_agree),
		FILES(a_key_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
