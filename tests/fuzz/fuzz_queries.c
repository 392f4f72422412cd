/* Any bytes as old output: what passes is the same however they are cut, and no more than there was but for what ends a sequence. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "shim/queries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first `before` bytes went to the terminal long ago. */
static void run(const uint8_t *p, size_t n, size_t before, size_t step, struct buf *out)
{
	struct queries *q = queries_new();
	struct err e = ERR_NONE;

	queries_preface(q, p, before);
	for (size_t at = before, k; at < n; at += k) {
		k = MIN(step, n - at);
		if (queries_filter(q, p + at, k, out, &e) < 0)
			abort();
	}
	if (queries_end(q, out, &e) < 0)
		abort();
	queries_free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_buf struct buf whole = BUF_LIMIT(64 << 20), cut = BUF_LIMIT(64 << 20);
	size_t before;

	if (n < 3)
		return 0;
	before = MIN(n - 2, (size_t) data[0] % 32);
	run(data + 2, n - 2, before, SIZE_MAX / 2, &whole);
	run(data + 2, n - 2, before, data[1] % 7U + 1, &cut);
	if (buf_len(&whole) != buf_len(&cut) || buf_len(&whole) > 2 * n ||
	    (buf_len(&cut) > 0 &&
	     memcmp(buf_bytes(&whole), buf_bytes(&cut), buf_len(&cut)) != 0))
		abort();
	return 0;
}
