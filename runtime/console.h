/* The container's terminal: made inside, verified, sent out over the console socket. */
#ifndef CARREL_RUNTIME_CONSOLE_H
#define CARREL_RUNTIME_CONSOLE_H

#include <stdint.h>

struct err;

/* Opens a pair from the container's own devpts (its /dev/pts/ptmx), verified to be one; ONLCR is cleared as runc
 * does, the size set when rows and cols are not 0. The slave is opened from the master (TIOCGPTPEER), so that
 * no name under /dev/pts is trusted. */
int console_open(int root_fd, uint16_t rows, uint16_t cols, int *master, int *slave,
		 struct err *e);
/* Binds the slave onto /dev/console of the root, by descriptor. */
int console_bind(int root_fd, int slave, struct err *e);
/* Sends the master with its name to a connected unix stream socket (OCI/runc console-socket contract). */
int console_send(int sock_fd, int master, struct err *e);
/* setsid, controlling terminal, stdio. */
int console_take(int slave, struct err *e);

#endif
