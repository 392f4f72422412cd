/*
 * For the tests of the terminal's model: one with a text on it, and what its snapshot says.
 */
#ifndef CARREL_TESTS_UNIT_SCREEN_SHOT_H
#define CARREL_TESTS_UNIT_SCREEN_SHOT_H

#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "shim/screen.h"

/* What every snapshot begins with: everything broken off and reset. */
#define START                                                                                  \
	"\030\033\\\033c\033[20l\033[?25h\033]104\033\\\033]110\033\\\033]111\033\\\033]112\033\\"

static struct buf snapshot = BUF_LIMIT(16 << 20);

static inline const char *snapshot_of(const struct screen *s)
{
	buf_clear(&snapshot);
	assert_ok(screen_snapshot(s, &snapshot, &e));
	return buf_str(&snapshot);
}

static inline struct screen *screen_with(unsigned cols, unsigned rows, const char *text)
{
	struct screen_limits limits = SCREEN_LIMITS;
	struct screen *s = screen_new(cols, rows, &limits);

	assert_non_null(s);
	screen_feed(s, text, strlen(text));
	return s;
}

#endif
