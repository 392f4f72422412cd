/*
 * The model of a terminal as a filter: commands on standard input, snapshots on standard output.
 *
 *   N cols rows        a new screen             (u16, u16)
 *   F n bytes          feed                     (u32)
 *   B n bytes          feed in bulk             (u32)
 *   R cols rows        resize                   (u16, u16)
 *   S                  snapshot: u32 length, u8 bytes of an unfinished character, u32 bytes of memory, the snapshot
 *
 * All integers are little-endian.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "shim/screen.h"

static unsigned get(unsigned bytes)
{
	unsigned v = 0;

	for (unsigned i = 0; i < bytes; i++) {
		int c = getchar();

		if (c == EOF)
			exit(1);
		v |= (unsigned) c << (8 * i);
	}
	return v;
}

static void put(size_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		putchar((int) (v >> (8 * i) & 255));
}

static void feed(struct screen *s, void (*call)(struct screen *, const void *, size_t))
{
	size_t n = get(4);
	char *p = malloc(n + 1);

	if (!p || fread(p, 1, n, stdin) != n)
		exit(1);
	call(s, p, n);
	free(p);
}

static void snapshot(const struct screen *s)
{
	auto_buf struct buf b = BUF_LIMIT(64 << 20);
	struct err e = ERR_NONE;

	if (screen_snapshot(s, &b, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	put(buf_len(&b), 4);
	put(screen_partial(s), 1);
	put(screen_memory(s), 4);
	if (fwrite(buf_bytes(&b), 1, buf_len(&b), stdout) != buf_len(&b) || fflush(stdout) != 0)
		exit(1);
}

int main(void)
{
	struct screen_limits limits = { .cell_bytes = 4 << 20, .scrollback_bytes = 1 << 20 };
	struct screen *s = NULL;
	unsigned cols, rows;
	int c;

	while ((c = getchar()) != EOF) {
		switch (c) {
		case 'L':
			limits.scrollback_bytes = get(4);
			break;
		case 'N':
		case 'R':
			cols = get(2);
			rows = get(2);
			if (c == 'R')
				screen_resize(s, cols, rows);
			else {
				screen_free(s);
				s = screen_new(cols, rows, &limits);
			}
			if (!s)
				return 1;
			break;
		case 'F':
			feed(s, screen_feed);
			break;
		case 'B':
			feed(s, screen_feed_bulk);
			break;
		case 'S':
			snapshot(s);
			break;
		default:
			fprintf(stderr, "unknown command %d\n", c);
			return 1;
		}
	}
	screen_free(s);
	return 0;
}
