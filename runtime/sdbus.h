/*
 * carrel-sdbus from the runtime's side: found, started, asked with a deadline, ended.
 *
 * The messages are those of runtime/systemd/request.h. Nothing here can hang: an answer that does not come in time is
 * an error, and the program is killed then.
 */
#ifndef CARREL_RUNTIME_SDBUS_H
#define CARREL_RUNTIME_SDBUS_H

#include <stdint.h>

#include "base/child.h"

struct buf;
struct err;

struct sdbus {
	struct child child;
	int fd;
};
#define SDBUS_NONE ((struct sdbus){ CHILD_NONE, -1 })

/* To be called before the runtime executes itself again from a mount without a name (runtime/seal.h): afterwards its
 * own file, beside which the program lies, cannot be told any more. */
void sdbus_remember_program(void);

/* How long systemd may take for one request: $CARREL_SYSTEMD_TIMEOUT in seconds, else 30 s. */
int sdbus_timeout_ms(uint64_t *out, struct err *e);

/* Starts the program when it does not run, and asks. What follows the answer's "ok" goes to *answer (NULL: nowhere). */
int sdbus_ask(struct sdbus *s, const char *request, uint64_t timeout_ms, struct buf *answer,
	      struct err *e);
/* Lets it end and waits until it has. */
void sdbus_end(struct sdbus *s);

#endif
