/* Device nodes: made with mknod where allowed, bound from the host in a user namespace. */
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

/* binds: host nodes must be bound instead of made (user namespace). host_dev_fd: the host's /dev, opened by
 * the parent; each node is verified (type, major, minor) before it is used. */
int dev_make(int root_fd, const struct dev_spec *d, bool binds, int host_dev_fd, struct err *e);

#endif
