/* Any bytes as output of a program: bounded memory, the same screen however it is cut, any snapshot taken as output, any
 * resize, in bulk or not. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "shim/screen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
	MOST_MEMORY = (1 << 16) + (1 << 20)
}; /* cells, and what is bounded in number: links, clusters, palette */

static const struct screen_limits limits = { .cell_bytes = 1 << 16, .scrollback_bytes = 4096 };

struct size {
	unsigned cols, rows;
};

static struct screen *run(const uint8_t *p, size_t n, size_t step, const struct size *size,
			  struct buf *snapshot)
{
	struct screen *s = screen_new(size->cols, size->rows, &limits);
	struct err e = ERR_NONE;

	if (!s)
		abort();
	for (size_t done = 0; done < n; done += MIN(step, n - done))
		screen_feed(s, p + done, MIN(step, n - done));
	if (screen_memory(s) > MOST_MEMORY || screen_partial(s) > 3 ||
	    screen_snapshot(s, snapshot, &e) < 0)
		abort();
	return s;
}

static void same(const struct buf *a, const struct buf *b)
{
	if (buf_len(a) != buf_len(b) || memcmp(buf_bytes(a), buf_bytes(b), buf_len(a)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_buf struct buf whole = BUF_LIMIT(64 << 20), cut = BUF_LIMIT(64 << 20);
	auto_buf struct buf again = BUF_LIMIT(64 << 20);
	struct err e = ERR_NONE;
	struct screen *s;
	struct size size;

	if (n < 4)
		return 0;
	size = (struct size){ .cols = data[0] % 140U + 1, .rows = data[1] % 50U + 1 };
	s = run(data + 3, n - 3, SIZE_MAX / 2, &size, &whole);
	screen_free(run(data + 3, n - 3, data[2] % 7U + 2, &size, &cut));
	same(&whole, &cut);
	/* A terminal takes any snapshot, whatever it is in the middle of. */
	screen_feed(s, buf_bytes(&whole), buf_len(&whole));
	if (screen_snapshot(s, &again, &e) < 0)
		abort();
	screen_resize(s, data[1] % 140U + 1, data[2] % 50U + 1);
	screen_feed_bulk(s, data + 3, n - 3);
	buf_clear(&again);
	if (screen_snapshot(s, &again, &e) < 0 || screen_memory(s) > MOST_MEMORY)
		abort();
	screen_free(s);
	return 0;
}
