/*
 * The connections that the kernel remembers of an address, forgotten: whoever has the address next gets no packet of them.
 *
 * By ctnetlink: the table is asked for the flows whose one end has the address, and each is deleted by its own tuple.
 */
#ifndef CARREL_RUNTIME_CONNTRACK_H
#define CARREL_RUNTIME_CONNTRACK_H

struct err;
struct netaddr;

/* fd: a socket of NETLINK_NETFILTER. The address must not send any more. A kernel without connection tracking has nothing to
 * forget; one without ctnetlink cannot: success as well. */
int conntrack_forget(int fd, const struct netaddr *address, struct err *e);

#endif
