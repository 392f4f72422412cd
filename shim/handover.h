/*
 * One shim becomes another program while its sandbox runs: nothing that it holds is closed, nothing that it knows is lost.
 *
 * The janitor executes the new program in place (the same process: its children, its lock, its mount namespace and its being
 * a subreaper stay). The front cannot execute anything; what it holds goes through the janitor to a new front, which is the
 * new program's child.
 *
 *   asker        front                         janitor                               new program
 *     │ upgrade ──►│                              │
 *     │            ├────────── UPGRADE ──────────►│ opens it once: root's, nobody else may write it
 *     │            │                              ├─ run --handover-version ───────────►│ reads formats a to b
 *     │            │                              │   (refused; or the same build: nothing to do)
 *     │            │◄───────── HANDOVER ──────────┤
 *     │     (stops: reads and writes nothing)     │
 *     │            ├── STATE, STATE, ... HANDED ─►│ bytes into a memfd that it does not read, descriptors into a list;
 *     │            │  or KEPT: it cannot be now   │ its own state into another; both sealed
 *     │            │                              ├─ run --check-resume: all of it is parsed,
 *     │            │                              │  confined as a front is ───────────►│ yes, or why not
 *     │            │◄───────── LEAVING ───────────┤
 *     │     (waits; the end of the stream is its end)
 *     │                                           │ execveat, --resume ────────────────►│ forks a front, which confines
 *     │                                                                                 │ itself, restores, goes on
 *     │◄────────────────────────────── the answer ──────────────────────────────────────┤ ends the old front
 *
 * Until execveat has succeeded the old front is there with all its state: each failure is one sentence in UPGRADED, and it goes on
 * where it was. What could fail after it is tried before, by the new program, on the very same bytes. A half that is killed at any
 * step leaves what a killed shim leaves (--sweep); a front that is killed while it waits is not missed.
 *
 * Trust: the front's state is the front's word. The janitor does not look into it; it is parsed by a confined process only, with
 * bounds. Descriptors in it go to the new front alone. The janitor's own state is as trusted as its memory was.
 *
 * Under a policy the new janitor starts the scanner anew, too, before the halves part; it takes over while the front is at work
 * already (shim/scan_renew.h).
 *
 * Formats: HANDOVER_FORMAT is written. A change of any X_save makes it one more; a program says which formats it reads.
 * What is read of an older one stands at its place (unpack's `format`), and a state that it wrote is kept for the unit test.
 *   1  the first
 *   2  what the scanner can hand over
 */
#ifndef CARREL_SHIM_HANDOVER_H
#define CARREL_SHIM_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct orders;
struct table;

enum {
	HANDOVER_FORMAT = 2,
	HANDOVER_OLDEST = 1,	 /* that is read */
	HANDOVER_FDS_MAX = 4096, /* of a front; it holds 1,024 at most */
};

/* ---- the front ---- */

/* HANDOVER came: hands over and waits. True: another one has taken over, and this one has nothing to say any more. False: it was
 * refused, or did not come to it; all is as before. */
bool handover_front(struct table *t);

/* ---- the memfds (handover_file.c) ---- */

/* Both states as the new program gets them. The first is the janitor's: a head that names the numbers of all descriptors, then its own
 * words. */
struct handover {
	int own_fd, front_fd;
	int *fds; /* the janitor's */
	size_t n_fds;
	int *front_fds;
	size_t n_front_fds;
	uint32_t format; /* that they were written in */
	size_t body;	 /* where the janitor's words begin */
};
#define HANDOVER_NONE ((struct handover){ .own_fd = -1, .front_fd = -1 })

/* own_fd gets the head and the body; both become read-only. */
int handover_write(struct handover *h, const struct buf *body, struct err *e);
/* own_fd was inherited; the descriptors that it names become close-on-exec and h's. */
int handover_read(int own_fd, struct handover *h, struct err *e);
/* Whether execve leaves them open. */
int handover_keep(const struct handover *h, bool keep, struct err *e);
/* Closes what is left of them. */
void handover_fini(struct handover *h);

/* The bytes of a memfd, mapped; NULL with n 0 when it is empty. */
const uint8_t *handover_map(int fd, size_t *n, struct err *e);
void handover_unmap(const uint8_t *p, size_t n);

/* ---- the new program (handover_program.c) ---- */

/* Which program this one is: the linker's name for its content. */
struct handover_build {
	char s[65];
};
struct handover_build handover_build(void);
/* For --handover-version. */
int handover_print_version(struct buf *out, struct err *e);

/* path: absolute. Refuses what others than root could change. */
int handover_open_program(const char *path, struct err *e);
/* Asks it. *same: it is this very build. */
int handover_ask_program(int fd, const char *path, bool *same, struct err *e);
/* --check-resume. */
int handover_try_program(int fd, const char *path, const char *dir, const struct handover *h,
			 struct err *e);

/* ---- after execveat (handover_resume.c) ---- */

/* The sandbox goes on; returns the program's exit status. */
int handover_resume(const char *dir, int own_fd, bool debug);
/* --check-resume: own_fd and the front's are both given. */
int handover_check(const char *dir, int own_fd, int front_fd, struct err *e);

#endif
