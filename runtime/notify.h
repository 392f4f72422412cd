/*
 * NOTIFY_SOCKET: a container's word that it is ready, passed on to the service manager that started the runtime.
 *
 * The container never sees the manager's socket. It gets a socket of its own, in the directory `notify` of its state that
 * is bound read-only at /run/notify; what comes in there is read by the runtime, which tells the manager two
 * things alone: READY=1, once, and which pid to watch. No other word, number or descriptor of the container's goes further, and after
 * NOTIFY_MESSAGES without the word, or when it has come, nobody listens any more.
 */
#ifndef CARREL_RUNTIME_NOTIFY_H
#define CARREL_RUNTIME_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct spec;

enum { NOTIFY_MESSAGES = 256, NOTIFY_BYTES = 4096 };

struct notify {
	int socket_fd;	/* where the container's word is expected; -1: no more */
	int manager_fd; /* connected */
	unsigned left;	/* messages that are still read */
};
#define NOTIFY_NONE ((struct notify){ .socket_fd = -1, .manager_fd = -1 })
#define auto_notify auto_cleanup(notify_close)

/* Makes the directory in the container's (dir_fd; path is its own) and lets the spec bind it and name the socket in the
 * program's environment. An environment that names one already is the engine's: nothing is done. */
int notify_offer(int dir_fd, const char *path, struct spec *s, struct err *e);
/* Whether a container was offered one. */
bool notify_offered(int dir_fd);
/* The mount alone, for checkpoint and restore; and the file in a checkpoint that says that the container has it. */
#define NOTIFY_IMAGE "notify.offered"
int notify_add_mount(const char *path, struct spec *s, struct err *e);

/* Before the program runs: listens, and connects to the manager, whose address is a path or "@" and an abstract name. */
int notify_open(int dir_fd, const char *manager, struct notify *out, struct err *e);
void notify_close(struct notify *n);

/* One message, when poll says that there is one. 1: it was the word, the manager knows, pid is what it watches now. 0: it was
 * not. -1: the manager cannot be told. In the last case and after the last message n is closed. */
int notify_take(struct notify *n, pid_t pid, struct err *e);
/* Until the word has come and the manager has taken it (at most 5 s), the process has ended or nobody listens any more. */
int notify_wait(struct notify *n, int pidfd, pid_t pid, struct err *e);

/* Whether one of the lines is READY=1. */
bool notify_is_ready(const char *text, size_t n);

#endif
