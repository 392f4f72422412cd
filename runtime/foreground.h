/*
 * Waiting for a container's process in the foreground: signals are forwarded to it, its terminal is relayed to
 * ours, its end becomes our exit code.
 */
#ifndef CARREL_RUNTIME_FOREGROUND_H
#define CARREL_RUNTIME_FOREGROUND_H

#include <signal.h>

struct child;
struct notify;
struct err;

/* Before the clone, so that none is lost: blocks what will be forwarded. The child resets its own mask. */
int foreground_block_signals(struct err *e);
/* Takes the terminal's master from the socket that the child sent it to. Returns it. */
int foreground_receive_console(int socket_fd, struct err *e);
/* master_fd: the terminal's, or -1 (borrowed). n: passed on while we wait, for ourselves; or NULL. *code: the exit code, or 128 + the signal. */
int foreground_wait(struct child *c, int master_fd, struct notify *n, int *code, struct err *e);

#endif
