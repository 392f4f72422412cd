/*
 * Volumes whose removal the last daemon had begun, and was stopped over.
 */
#ifndef CARREL_SESSIOND_VOLUME_SWEEP_H
#define CARREL_SESSIOND_VOLUME_SWEEP_H

struct err;
struct server;

/* Begins to remove them; what becomes of it is in the log. */
int volume_sweep(struct server *server, struct err *e);

#endif
