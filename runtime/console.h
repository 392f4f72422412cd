/* The container's terminal: made inside, verified, sent out over the console socket. */
#ifndef CARREL_RUNTIME_CONSOLE_H
#define CARREL_RUNTIME_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

struct err;

/* Opens a pair from the container's own devpts (its /dev/pts/ptmx), verified to be one; the size is set when rows
 * and cols are not 0. relayed: the bytes go to a terminal of the caller's, which adds carriage returns itself, so
 * ONLCR is cleared; whoever gets the master over a console socket decides for himself. The slave is opened
 * from the master (TIOCGPTPEER), so that no name under /dev/pts is trusted. */
int console_open(int root_fd, uint16_t rows, uint16_t cols, bool relayed, int *master,
		 int *slave, struct err *e);
/* Binds the slave onto /dev/console of the root, by descriptor. */
int console_bind(int root_fd, int slave, struct err *e);
/* Sends the master with its name to a connected unix stream socket (OCI/runc console-socket contract). */
int console_send(int sock_fd, int master, struct err *e);
/* setsid, controlling terminal, stdio. */
int console_take(int slave, struct err *e);

#endif
