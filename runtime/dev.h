/* Device nodes: made with mknod where that is allowed, cloned from the host in a user namespace. */
#ifndef CARREL_RUNTIME_DEV_H
#define CARREL_RUNTIME_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct dev_spec {
	const char *path;
	char type; /* 'c', 'b', 'u' (= c), 'p' */
	int64_t major, minor;
	mode_t mode; /* default 0666 */
	uint32_t uid, gid;
};

/* The six that every container has: null, zero, full, random, urandom, tty. */
extern const struct dev_spec dev_defaults[];
extern const size_t dev_defaults_n;

/* Makes the node inside the root; one that is there already must be that device. binds: the host's node of the
 * same path is bound instead (user namespace, and wherever mknod is not permitted); it is verified (type, major, minor) on the descriptor that is
 * attached. Called before the container's root is entered, with umask 0. */
int dev_make(int root_fd, const struct dev_spec *d, bool binds, struct err *e);

#endif
