/*
 * The janitor: the half of the shim that keeps the rights, reads nothing that a client sent, and leaves
 * nothing behind.
 */
#ifndef CARREL_SHIM_JANITOR_H
#define CARREL_SHIM_JANITOR_H

#include "base/child.h"

struct err;
struct orders;

struct janitor_spec {
	const struct orders *orders;
	const char *dir; /* absolute */
	int dir_fd;
	int talk_fd;
	int ready_fd; /* closed after the one line */
	struct child front;
	pid_t scanner; /* to be placed beside the sandbox; 0: there is none, or it is there */
	/* For an upgrade (shim/handover.h): what stays open, and what to become by default. */
	int lock_fd, log_fd;
	const char *program; /* absolute; NULL: unknown */
};

/* From the root filesystem to the last removal. -1 when the sandbox never ran: what there was of it is
 * removed, and the ready line has said why. */
int janitor_run(struct janitor_spec *spec, struct err *e);

/* The ready line for a failure before there is a janitor. */
void janitor_report_failure(int ready_fd, const struct err *why);

#endif
