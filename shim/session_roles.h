/*
 * Who of a process's clients writes, and whose size its terminal has.
 *
 * Pen: free at first, and every client that attached as a writer writes. One that takes the pen is the only writer
 * until it gives it back or is gone; the others watch meanwhile, those that come too, and write again then. A
 * client that attached as a viewer may take the pen as well, and watches again after it; one that attached read-only never has it.
 *
 * Size: that of the writer that last set one or typed, among those that have said theirs. When that one goes, or loses the
 * pen, it is that of the most recent of the other writers. A size that was set through shim.sock stays until a client sets
 * one. Every change is told to all clients (SIZE).
 */
#ifndef CARREL_SHIM_SESSION_ROLES_H
#define CARREL_SHIM_SESSION_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/client.h"

struct attach;
struct session;

/* What a client that comes is allowed now. */
enum client_role session_role_for(const struct session *s, const struct attach *a);
/* It is in the list. */
void session_role_came(struct session *s, struct client *c, const struct attach *a);
/* It is out of the list. */
void session_role_went(struct session *s, const struct client *c);

/* take: the pen; else it is given back, which only its holder can do. */
void session_take_pen(struct session *s, struct client *c, bool take);

void session_typed(struct session *s, struct client *c);
void session_size_wanted(struct session *s, struct client *c);

#endif
