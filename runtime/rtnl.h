/* Links, addresses and routes, as requests to rtnetlink. Each rtnl_put_* appends to a batch of runtime/netlink.h. */
#ifndef CARREL_RUNTIME_RTNL_H
#define CARREL_RUNTIME_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/netaddr.h"

struct err;
struct nl_batch;

enum { RTNL_NAME = 16, RTNL_MAC = 6 }; /* IFNAMSIZ */

/* 1 .. 15 bytes of printing ASCII without '/', ':', '%' and blanks; neither "." nor "..". */
bool rtnl_name_ok(const char *name);

struct rtnl_link {
	int index, master;
	unsigned flags; /* IFF_* */
	uint32_t group, mtu;
	char name[RTNL_NAME], kind[RTNL_NAME];
	uint8_t mac[RTNL_MAC];
};
/* 1: there is none of this name. */
int rtnl_find(int fd, const char *name, struct rtnl_link *out, struct err *e);
/* All links whose kind is `kind`, or (master > 0) that are its ports. */
int rtnl_each(int fd, const char *kind, int master,
	      int (*each)(const struct rtnl_link *l, void *ctx, struct err *e), void *ctx,
	      struct err *e);

/* The permanent addresses of global scope. At most max; returns how many, E2BIG when there are more. */
int rtnl_addresses(int fd, int index, struct netaddr *out, size_t max, struct err *e);

struct rtnl_new {
	const char *name;
	uint32_t group, mtu;
	uint8_t mac[RTNL_MAC];
};
/* A bridge, up. EEXIST when the name is taken. */
void rtnl_put_bridge(struct nl_batch *b, const struct rtnl_new *n);
/* A pair of links: n in the socket's namespace, as a port of `master`; peer in that of ns_fd. Both down. */
void rtnl_put_veth(struct nl_batch *b, const struct rtnl_new *n, int master,
		   const struct rtnl_new *peer, int ns_fd);
/* A bridge's port that reaches no other such port. */
void rtnl_put_isolated(struct nl_batch *b, const char *name);
void rtnl_put_flags(struct nl_batch *b, int index, const char *name, bool up);
void rtnl_put_alias(struct nl_batch *b, const char *name, const char *alias);
/* Into the namespace of ns_fd under another name, in one step. */
void rtnl_put_move(struct nl_batch *b, int index, const char *as, int ns_fd);
void rtnl_put_delete(struct nl_batch *b, const char *name);

enum rtnl_addr_flags {
	RTNL_NO_ROUTE = 1 << 0, /* the prefix is not on the link */
	RTNL_NO_DAD = 1 << 1,	/* at once: nobody else can have it */
};
void rtnl_put_address(struct nl_batch *b, int index, const struct netaddr *a, unsigned flags);
/* To the gateway alone, on the link itself; and everything else through it. */
void rtnl_put_routes(struct nl_batch *b, int index, const struct netaddr *gateway);

#endif
