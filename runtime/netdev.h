/*
 * Network devices of the host that a container gets (linux.netDevices), and their way back.
 *
 * A device is moved and renamed in one step, and takes along its permanent addresses of global scope, its MAC and its
 * MTU. Where the container's network namespace is new, it would end with the last process and take virtual devices
 * with it: so it is pinned by a bind mount in the state directory before the first device moves, and delete brings them
 * back from there. A namespace that was joined by path belongs to somebody else, who then owns the devices too.
 */
#ifndef CARREL_RUNTIME_NETDEV_H
#define CARREL_RUNTIME_NETDEV_H

#include <stddef.h>

struct err;

struct netdev_spec {
	const char *name; /* on the host */
	const char *as;	  /* inside; NULL: the same */
};

/* Names that interfaces can have, and no two of the same inside. Errors begin with the device's name. */
int netdev_check(const struct netdev_spec *v, size_t n, struct err *e);

/* Into the namespace, up. Stops at the first error; netdev_return brings back what was moved. */
int netdev_give(const struct netdev_spec *v, size_t n, int ns_fd, struct err *e);
/* Out of it into the caller's; one that is not there (any more) is none of our business. All are tried, the first error
 * is reported. */
int netdev_return(const struct netdev_spec *v, size_t n, int ns_fd, struct err *e);

/* Keeps the namespace alive under the state directory. */
int netdev_pin(int ns_fd, int dir_fd, struct err *e);
/* The pinned namespace, or FD_NONE without an error when there is none. */
int netdev_pinned(int dir_fd, struct err *e);
void netdev_unpin(int dir_fd);

#endif
