/*
 * The moving of bytes in a session: program to ring, ring to clients, clients to program. For session*.c alone.
 */
#ifndef CARREL_SHIM_SESSION_IO_H
#define CARREL_SHIM_SESSION_IO_H

#include "shim/session.h"

/* Everything that a change may have made possible is done at the end of this turn, once. */
void session_refresh(struct session *s);

/* Reads output until it ends or the clients hold it up. */
void session_out_start(struct session *s);
void session_out_close(struct session *s);
void session_in_close(struct session *s);

/* Of a session that came from another program: its input's rest and its output. */
void session_io_go_on(struct session *s);

void session_client_ready(void *arg, uint32_t events);
void session_io_hooks(struct session *s);

/* What the scanner passed of the input; and that no more of it comes. */
void session_input_put(struct session *s, const void *p, size_t n);
void session_input_close(struct session *s);
/* Looks whether all output has been read, and has come back where it is scanned. */
void session_out_drained(struct session *s);

/* session.c's, called when the output has ended. */
void session_out_ended(struct session *s);

#endif
