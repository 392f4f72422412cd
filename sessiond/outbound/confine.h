/*
 * What a program at the network gives up once it has read its files and bound its sockets.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_CONFINE_H
#define CARREL_SESSIOND_OUTBOUND_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct confine {
	const char *user; /* whom to become; NULL: who it is already */
	const char *const *
		readable; /* files and directories that stay readable; those that are not there are skipped */
	size_t n_readable;
	const uint16_t *ports; /* TCP ports that it may connect to */
	size_t n_ports;
	bool forks; /* child_clone, and ending such a child */
	bool quiet; /* another process of the program says what cannot be taken away */
};

/* Afterwards it has no capability, cannot get one, writes and executes no file, reads the named ones only, binds no TCP port,
 * connects to the named ones, and makes the system calls of a network client. What this kernel cannot take away, and that
 * it runs as root, is logged. */
int confine(const struct confine *c, struct err *e);

#endif
