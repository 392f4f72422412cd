/* Any bytes as an answer of criu: what is accepted is whole, printable and within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "runtime/criu_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(const char *s, size_t size)
{
	const size_t n = strnlen(s, size);

	if (n == size)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (s[i] < ' ' || s[i] > '~')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct criu_reply r = { .pid = 77 };
	struct err e = ERR_NONE;

	if (criu_decode(data, n, &r, &e) < 0) {
		if (r.pid != 77 || !strstr(e.msg, "criu's answer"))
			abort();
		return 0;
	}
	check_text(r.script, sizeof(r.script));
	check_text(r.message, sizeof(r.message));
	return 0;
}
