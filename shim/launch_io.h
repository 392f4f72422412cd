/*
 * What starting process 1 and starting another one share: names in the bundle, descriptors, the runtime's
 * words. For launch.c and launch_exec.c alone.
 */
#ifndef CARREL_SHIM_LAUNCH_IO_H
#define CARREL_SHIM_LAUNCH_IO_H

#include <stdbool.h>
#include <stdint.h>

struct child;
struct child_status;
struct err;

enum { LAUNCH_LOG_BYTES = 65536 };

extern char *const launch_env[]; /* the runtime's */

/* Names in the bundle, which is the runtime's working directory: no path of ours is too long for a unix
 * socket then, whatever the runtime does with it. Process 1's are plain, others have their number in them. */
struct launch_names {
	char console[32], pid[32], log[32];
};
struct launch_names launch_names(uint32_t process);
void launch_names_remove(const struct launch_names *n, int bundle_fd);

/* What the program is given and what we keep of it. */
struct launch_io {
	int theirs[3];
	int ours[3]; /* a terminal and its other side; or output, input and, when apart, errors */
	int console; /* listening */
};
#define LAUNCH_IO_NONE                                                                         \
	((struct launch_io){ .theirs = { -1, -1, -1 }, .ours = { -1, -1, -1 }, .console = -1 })

int launch_io_open(struct launch_io *s, bool terminal, bool errors_apart, int bundle_fd,
		   const struct launch_names *names, struct err *e);
void launch_io_close(struct launch_io *s);

/* After the runtime has ended: the terminal and its other side, of this size. */
int launch_io_terminal(struct launch_io *s, uint16_t cols, uint16_t rows, struct err *e);
/* The process that the runtime's pid file names. It is our child and not reaped yet. */
int launch_open_process(int bundle_fd, const struct launch_names *names, struct child *out,
			struct err *e);

/* Why the runtime failed, in its own words: its log first, else what it said on stderr_fd (-1: unknown). */
int launch_runtime_error(int bundle_fd, const char *log, int stderr_fd,
			 const struct child_status *st, struct err *e);
/* The last "msg" of a JSON log, or the last line of a text. */
struct buf;
struct json_doc;
const char *launch_last_words(struct buf *text, struct json_doc **doc);

#endif
