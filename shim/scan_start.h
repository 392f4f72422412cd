/*
 * The start of a sandbox's scanner, by the half of the shim that has the rights: before the halves part.
 */
#ifndef CARREL_SHIM_SCAN_START_H
#define CARREL_SHIM_SCAN_START_H

#include <sys/types.h>

struct err;
struct orders;

/* For the front: its end of the scanner's socket, and policy.jsonl. */
struct scan_ends {
	int fd, log_fd;
	pid_t pid; /* 0: there is none. For the janitor */
};
#define SCAN_ENDS_NONE ((struct scan_ends){ .fd = -1, .log_fd = -1 })

/* Nothing when the orders name no policy. The scanner dies with this thread, or when the front's end is closed; as every stranger
 * it is reaped by the janitor. */
int scan_start(const struct orders *o, int dir_fd, struct scan_ends *out, struct err *e);
/* The same for an upgrade: the program may be another one by now, and has to be root's alone; policy.jsonl is open already. */
int scan_start_anew(const struct orders *o, struct scan_ends *out, struct err *e);
void scan_ends_close(struct scan_ends *s);

#endif
