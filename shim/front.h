/*
 * The front: the half of the shim that talks to clients, without any right but what it holds.
 */
#ifndef CARREL_SHIM_FRONT_H
#define CARREL_SHIM_FRONT_H

struct err;
struct handover;
struct orders;

struct front_spec {
	const struct orders *orders;
	int talk_fd, listen_fd;
	int lock_fd, log_fd;	  /* only kept open */
	int recording_fd;	  /* -1: nothing is recorded */
	int scan_fd, scan_log_fd; /* 0 or -1: under no policy */
	/* Of a front of another program (shim/handover.h), whose descriptors the others are then. NULL: a new sandbox. */
	const struct handover *resume;
};

/* Drops the rights, says READY, serves until the sandbox and its clients are gone. */
int front_run(const struct front_spec *spec, struct err *e);

/* For a trial: drops the rights, and looks whether spec->resume is a state to go on from. Nothing goes on. */
int front_check(const struct front_spec *spec, struct err *e);

#endif
