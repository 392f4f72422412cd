#include "runtime/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/conntrack.h"
#include "runtime/netlink.h"

/* Who removes a bridge must know that nobody is about to use it: makers hold this shared, removers alone. A file that
 * only root can open, because a lock that anybody could take would let anybody stop the making of sandboxes. */
static const char lock_dir[] = "/run/carrel";
static const char lock_file[] = "/run/carrel/network.lock";

void network_port_name(char out[RTNL_NAME])
{
	uint8_t random[6];
	char hex[13];

	random_bytes(random, sizeof(random));
	str_hex(random, sizeof(random), hex);
	(void) snprintf(out, RTNL_NAME, "crl%s", hex);
}

static int take_lock(int how, struct err *e)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	auto_close int fd = open(lock_file, flags, 0600);

	if (fd < 0 && errno == ENOENT) {
		if (mkdir(lock_dir, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "make %s", lock_dir);
		fd = open(lock_file, flags, 0600);
	}
	if (fd < 0)
		return err_sys(e, "lock %s", lock_file);
	while (flock(fd, how) < 0) {
		if (errno != EINTR)
			return err_sys(e, "lock %s", lock_file);
	}
	return take_fd(&fd);
}

/* ---- forwarding ---- */

static const struct {
	const char *file, *key;
} switches[NET_FAMILIES] = {
	{ "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward" },
	{ "/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding" },
};

static int check_forwarding(const struct network_spec *n, int f, struct err *e)
{
	char value = '0';
	auto_close int fd = open(switches[f].file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &value, 1) != 1)
		return err_sys(e, "%s", switches[f].key);
	if (value != '0')
		return 0;
	if (n->forwarding)
		return fd_write_file(AT_FDCWD, switches[f].file, "1", e);
	return err_set(e, EPERM,
		       "%s is 0, so nothing would leave the bridge; set it, or let the runtime "
		       "set it by \"forwarding\": true",
		       switches[f].key);
}

/* ---- making ---- */

static bool is_ours(const struct rtnl_link *l)
{
	return l->group == NETWORK_GROUP && strcmp(l->kind, "bridge") == 0;
}

static int make_bridge(int rt, const struct network_spec *n, struct err *e)
{
	struct rtnl_new bridge = { .name = n->bridge, .group = NETWORK_GROUP, .mtu = n->mtu };
	auto_nl struct nl_batch b = NL_BATCH;
	struct err why = ERR_NONE;

	/* One of its own: else it has that of some port, and changes when that goes. */
	random_bytes(bridge.mac, sizeof(bridge.mac));
	bridge.mac[0] = (uint8_t) ((bridge.mac[0] & 0xfc) | 0x02);
	nl_label(&b, "make the bridge");
	rtnl_put_bridge(&b, &bridge);
	nl_ack(&b);
	if (nl_talk(rt, &b, NULL, NULL, &why) == 0 || why.code == EEXIST)
		return 0;
	*e = why;
	return -1;
}

/* Every step may have been done by another call, or half of them by one that was killed. */
static int ensure_bridge(int rt, const struct network_spec *n, int *index, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;
	struct rtnl_link l = { 0 };
	int r = rtnl_find(rt, n->bridge, &l, e);

	if (r > 0) {
		if (make_bridge(rt, n, e) < 0)
			return -1;
		r = rtnl_find(rt, n->bridge, &l, e);
	}
	if (r < 0)
		return -1;
	if (r > 0 || !is_ours(&l))
		return err_set(
			e, EEXIST,
			"this link was not made by carrel-runtime; choose another name for "
			"the bridge");
	nl_label(&b, "the gateway's address");
	for (int f = 0; f < NET_FAMILIES; f++) {
		if (n->gateway[f].family)
			rtnl_put_address(&b, l.index, &n->gateway[f], RTNL_NO_DAD);
	}
	nl_ack(&b);
	*index = l.index;
	return nl_talk(rt, &b, NULL, NULL, e);
}

static int make_port(int rt, const struct network_spec *n, const char *port, int bridge,
		     int ns_fd, struct err *e)
{
	struct rtnl_new ours = { .name = port, .group = NETWORK_GROUP, .mtu = n->mtu };
	struct rtnl_new theirs = { .name = n->interface, .mtu = n->mtu };
	auto_nl struct nl_batch b = NL_BATCH;

	random_bytes(ours.mac, sizeof(ours.mac));
	ours.mac[0] = (uint8_t) ((ours.mac[0] & 0xfc) | 0x02);
	network_mac(port, theirs.mac);
	nl_label(&b, "make the pair of links");
	rtnl_put_veth(&b, &ours, bridge, &theirs, ns_fd);
	nl_ack(&b);
	return nl_talk(rt, &b, NULL, NULL, e);
}

/* Up last, when the rules are there. */
static int open_port(int rt, const char *port, const char *alias, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;

	nl_label(&b, "isolate the port");
	rtnl_put_isolated(&b, port);
	nl_label(&b, "name the port");
	rtnl_put_alias(&b, port, alias);
	nl_label(&b, "bring the port up");
	rtnl_put_flags(&b, 0, port, true);
	nl_ack(&b);
	return nl_talk(rt, &b, NULL, NULL, e);
}

/* The sandbox's own network is not on its link: a neighbour is reached through the gateway, or not at all. */
static int configure_inside(const struct network_spec *n, int ns_fd, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;
	auto_close int rt = nl_open_in(ns_fd, NETLINK_ROUTE, e);
	struct rtnl_link l;

	if (rt < 0)
		return -1;
	if (rtnl_find(rt, n->interface, &l, e) != 0)
		return e->code ? -1 : err_set(e, ENODEV, "%s has vanished", n->interface);
	nl_label(&b, "bring it up");
	rtnl_put_flags(&b, l.index, NULL, true);
	for (int f = 0; f < NET_FAMILIES; f++) {
		const struct netaddr *gw = &n->gateway[f];

		if (!gw->family)
			continue;
		nl_label(&b, "address");
		rtnl_put_address(&b, l.index, &n->address[f], RTNL_NO_ROUTE | RTNL_NO_DAD);
		rtnl_put_routes(&b, l.index, gw);
	}
	nl_ack(&b);
	return nl_talk(rt, &b, NULL, NULL, e);
}

static int connect_locked(const struct network_spec *n, const char *port, const char *alias,
			  int ns_fd, struct err *e)
{
	auto_close int rt = nl_open(NETLINK_ROUTE, e), nf = nl_open(NETLINK_NETFILTER, e);
	int bridge;

	if (rt < 0 || nf < 0)
		return -1;
	if (ensure_bridge(rt, n, &bridge, e) < 0 ||
	    make_port(rt, n, port, bridge, ns_fd, e) < 0 ||
	    network_rules_add(nf, n, port, e) < 0 || open_port(rt, port, alias, e) < 0)
		return err_wrap(e, "bridge %s", n->bridge);
	if (configure_inside(n, ns_fd, e) < 0)
		return err_wrap(e, "interface %s", n->interface);
	return 0;
}

int network_connect(const struct network_spec *n, const char *port, const char *alias,
		    int ns_fd, struct err *e)
{
	const bool leaves = !n->deny_all || n->n_allow > 0;

	for (int f = 0; leaves && f < NET_FAMILIES; f++) {
		if (n->address[f].family && check_forwarding(n, f, e) < 0)
			return -1;
	}
	auto_close int lock = take_lock(LOCK_SH, e);
	if (lock >= 0 && connect_locked(n, port, alias, ns_fd, e) == 0)
		return 0;
	if (e->code != EPERM && e->code != EACCES)
		return -1;
	return err_hint(e,
			"it needs root and CAP_NET_ADMIN over the host's network namespace; an "
			"ordinary user can join one by path that pasta or slirp4netns serves");
}

/* ---- removing ---- */

static int delete_link(int rt, const char *name, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;
	struct err why = ERR_NONE;

	nl_label(&b, name);
	rtnl_put_delete(&b, name);
	nl_ack(&b);
	if (nl_talk(rt, &b, NULL, NULL, &why) == 0 || why.code == ENODEV)
		return 0;
	*e = why;
	return -1;
}

static int count_any(const struct rtnl_link *l unused_arg, void *ctx, struct err *e unused_arg)
{
	*(int *) ctx += 1;
	return 0;
}

static int count_ours(const struct rtnl_link *l, void *ctx, struct err *e unused_arg)
{
	*(int *) ctx += is_ours(l);
	return 0;
}

static int remove_bridge(int rt, int nf, const char *name, struct err *e)
{
	struct rtnl_link l;
	int n = 0;
	const int r = rtnl_find(rt, name, &l, e);

	if (r < 0)
		return -1;
	if (r > 0 || !is_ours(&l))
		return network_rules_forget_bridge(nf, name, e);
	if (rtnl_each(rt, NULL, l.index, count_any, &n, e) < 0)
		return -1;
	if (n > 0)
		return 0;
	/* First the link: a rule without a bridge harms nobody, a bridge without rules would let everything through. */
	if (delete_link(rt, name, e) < 0)
		return -1;
	return network_rules_forget_bridge(nf, name, e);
}

static int remove_last(int rt, int nf, const char *bridge, struct err *e)
{
	auto_close int lock = take_lock(LOCK_EX, e);
	int n = 0;

	if (lock < 0 || remove_bridge(rt, nf, bridge, e) < 0 ||
	    rtnl_each(rt, "bridge", 0, count_ours, &n, e) < 0)
		return -1;
	return n > 0 ? 0 : network_rules_drop(nf, e);
}

/* Before the addresses are free for the next sandbox, and after the link, so that no packet makes new ones. */
static int forget_flows(int nf, const struct network_spec *n, struct err *e)
{
	for (int f = 0; f < NET_FAMILIES; f++) {
		if (n->address[f].family && conntrack_forget(nf, &n->address[f], e) < 0)
			return -1;
	}
	return 0;
}

int network_remove(const struct network_spec *n, const char *port, struct err *e)
{
	auto_close int rt = nl_open(NETLINK_ROUTE, e), nf = nl_open(NETLINK_NETFILTER, e);

	if (rt < 0 || nf < 0)
		return -1;
	/* Its processes are gone: the link first, so that the rules are never missing while it is there. */
	if (delete_link(rt, port, e) < 0 || forget_flows(nf, n, e) < 0 ||
	    network_rules_remove(nf, n, port, e) < 0 || remove_last(rt, nf, n->bridge, e) < 0)
		return err_wrap(e, "remove the network (bridge %s)", n->bridge);
	return 0;
}
