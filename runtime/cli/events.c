/* events. */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/cli/cli.h"

enum { DEFAULT_INTERVAL_MS = 5000 };

/* clang-format off */
const struct opt cli_events_opts[] = {
	{ "interval", 0, OPT_STRING, offsetof(struct opts_events, interval), "TIME", "time between two statistics, like 100ms or 5s (the default)" },
	{ "stats", 0, OPT_SWITCH, offsetof(struct opts_events, stats), NULL, "print statistics once and end" },
	{ 0 },
};
/* clang-format on */

/* A line a write: who reads a pipe sees whole ones. */
static int print_line(void *arg, struct buf *line, struct err *e)
{
	return fd_write_all(STDOUT_FILENO, buf_bytes(line), buf_len(line), e);
}

int cli_events(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_events *o = opts;
	struct err e = ERR_NONE;
	struct events_args a = { .once = o->stats,
				 .interval_ms = DEFAULT_INTERVAL_MS,
				 .emit = print_line };

	if (o->interval && str_to_ms(o->interval, "--interval", &a.interval_ms, &e) < 0)
		return cli_fail(c, "events", &e, 1);
	if (a.interval_ms == 0) {
		err_set(&e, EINVAL, "--interval %s: must be greater than 0", o->interval);
		return cli_fail(c, "events", &e, 1);
	}
	if (container_events(&c->env, operands[0], &a, &e) < 0)
		return cli_fail(c, "events", &e, 1);
	return 0;
}
