/*
 * Starting one more process: `carrel-runtime exec --detach`, begun here and finished when the runtime has ended,
 * so that nobody waits for it.
 *
 * What is run is the bundle's own process with other arguments, environment, directory and size: its
 * capabilities, filter and limits are the sandbox's. It travels in a memfd, not on the command line, which
 * every user of the host can read.
 */
#ifndef CARREL_SHIM_LAUNCH_EXEC_H
#define CARREL_SHIM_LAUNCH_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/child.h"
#include "shim/launch_io.h"

struct exec_order;
struct orders;

struct launch_exec {
	struct child runtime; /* to be waited for by its owner */
	struct launch_names names;
	struct launch_io io;
	bool terminal;
	uint16_t cols, rows;
};
#define LAUNCH_EXEC_NONE ((struct launch_exec){ .runtime = CHILD_NONE, .io = LAUNCH_IO_NONE })

/* dir: the sandbox's directory, absolute; bundle_fd: DIR/bundle. */
int launch_exec_begin(const struct orders *o, const char *dir, int bundle_fd, uint32_t process,
		      const struct exec_order *x, struct launch_exec *out, struct err *e);
/* The runtime ended so: the process, our child, and its descriptors as io.ours has them. The files of the
 * start are gone afterwards, also after an error. */
int launch_exec_finish(struct launch_exec *x, int bundle_fd, const struct child_status *st,
		       struct child *process, struct err *e);
/* Kills the runtime if it runs. Accepts LAUNCH_EXEC_NONE. */
void launch_exec_fini(struct launch_exec *x);

/* config.json's process, changed by x, as JSON. */
struct buf;
int launch_exec_print(int bundle_fd, const struct exec_order *x, struct buf *out,
		      struct err *e);

#endif
