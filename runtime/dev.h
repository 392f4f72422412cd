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

/* Where nodes are made: inside a root. binds: the host's node of the same path is bound instead (user namespace, and wherever
 * mknod is not permitted). */
struct dev_place {
	int root_fd;
	bool binds;
	int dev_fd; /* what "/dev" is in the root, for the many that are made right there; FD_NONE: it is looked for */
};

/* Makes the node; one that is there already must be that device. A bound one is verified (type, major, minor) on the
 * descriptor that is attached. Called before the container's root is entered, with umask 0. */
int dev_make(const struct dev_place *where, const struct dev_spec *d, struct err *e);

#endif
