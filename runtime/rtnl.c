#include "runtime/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/util.h"
#include "runtime/netlink.h"

bool rtnl_name_ok(const char *name)
{
	const size_t n = strlen(name);

	if (n == 0 || n >= RTNL_NAME || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (name[i] <= ' ' || name[i] > '~' || strchr("/:%\\\"", name[i]))
			return false;
	}
	return true;
}

/* ---- asking ---- */

static void decode_link(const struct nlmsghdr *m, struct rtnl_link *out)
{
	const struct ifinfomsg *i = NLMSG_DATA(m);
	const struct nlattr *tb[IFLA_GROUP + 1], *info[IFLA_INFO_KIND + 1];

	nl_parse(m, sizeof(*i), tb, IFLA_GROUP);
	nl_parse_nest(tb[IFLA_LINKINFO], info, IFLA_INFO_KIND);
	*out = (struct rtnl_link){ .index = i->ifi_index, .flags = i->ifi_flags };
	out->master = (int) nl_get_u32(tb[IFLA_MASTER]);
	out->group = nl_get_u32(tb[IFLA_GROUP]);
	out->mtu = nl_get_u32(tb[IFLA_MTU]);
	(void) nl_get(tb[IFLA_IFNAME], out->name, sizeof(out->name) - 1);
	(void) nl_get(info[IFLA_INFO_KIND], out->kind, sizeof(out->kind) - 1);
	(void) nl_get(tb[IFLA_ADDRESS], out->mac, sizeof(out->mac));
}

static int one_link(const struct nlmsghdr *m, void *ctx, struct err *e unused_arg)
{
	if (m->nlmsg_type == RTM_NEWLINK)
		decode_link(m, ctx);
	return 0;
}

int rtnl_find(int fd, const char *name, struct rtnl_link *out, struct err *e)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	auto_nl struct nl_batch b = NL_BATCH;
	struct rtnl_link l = { 0 };
	struct err why = ERR_NONE;

	nl_label(&b, name);
	nl_begin(&b, RTM_GETLINK, 0, &head, sizeof(head));
	nl_str(&b, IFLA_IFNAME, name);
	nl_ack(&b);
	if (nl_talk(fd, &b, one_link, &l, &why) < 0) {
		if (why.code == ENODEV)
			return 1;
		*e = why;
		return -1;
	}
	*out = l;
	return 0;
}

struct links {
	int master;
	int (*each)(const struct rtnl_link *l, void *ctx, struct err *e);
	void *ctx;
};

static int many_links(const struct nlmsghdr *m, void *ctx, struct err *e)
{
	const struct links *w = ctx;
	struct rtnl_link l;

	if (m->nlmsg_type != RTM_NEWLINK)
		return 0;
	decode_link(m, &l);
	/* Old kernels do not filter. */
	return w->master > 0 && l.master != w->master ? 0 : w->each(&l, w->ctx, e);
}

int rtnl_each(int fd, const char *kind, int master,
	      int (*each)(const struct rtnl_link *l, void *ctx, struct err *e), void *ctx,
	      struct err *e)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct links w = { .master = master, .each = each, .ctx = ctx };
	auto_nl struct nl_batch b = NL_BATCH;

	nl_label(&b, "list the links");
	nl_begin(&b, RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head));
	if (master > 0)
		nl_u32(&b, IFLA_MASTER, (uint32_t) master);
	if (kind) {
		nl_nest(&b, IFLA_LINKINFO);
		nl_str(&b, IFLA_INFO_KIND, kind);
		nl_unnest(&b);
	}
	return nl_talk(fd, &b, many_links, &w, e);
}

struct addresses {
	struct netaddr *out;
	size_t n, max;
	unsigned index;
};

static int one_address(const struct nlmsghdr *m, void *ctx, struct err *e)
{
	const struct ifaddrmsg *i = NLMSG_DATA(m);
	struct addresses *w = ctx;
	const struct nlattr *tb[IFA_FLAGS + 1];

	if (m->nlmsg_type != RTM_NEWADDR || i->ifa_index != w->index)
		return 0;
	nl_parse(m, sizeof(*i), tb, IFA_FLAGS);
	const uint32_t flags = tb[IFA_FLAGS] ? nl_get_u32(tb[IFA_FLAGS]) : i->ifa_flags;
	if (!(flags & IFA_F_PERMANENT) || i->ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	if (w->n == w->max)
		return err_set(e, E2BIG, "it has more than %zu addresses", w->max);
	struct netaddr *a = &w->out[w->n++];
	*a = (struct netaddr){ .family = i->ifa_family, .prefix = i->ifa_prefixlen };
	/* IFA_ADDRESS is the other end's on a point-to-point link. */
	(void) nl_get(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], a->b, netaddr_len(a));
	return 0;
}

int rtnl_addresses(int fd, int index, struct netaddr *out, size_t max, struct err *e)
{
	const struct ifaddrmsg head = { .ifa_family = AF_UNSPEC };
	struct addresses w = { .out = out, .max = max, .index = (unsigned) index };
	auto_nl struct nl_batch b = NL_BATCH;

	nl_label(&b, "list the addresses");
	nl_begin(&b, RTM_GETADDR, NLM_F_DUMP, &head, sizeof(head));
	return nl_talk(fd, &b, one_address, &w, e) < 0 ? -1 : (int) w.n;
}

/* ---- links ---- */

static void link_message(struct nl_batch *b, uint16_t flags, int index, unsigned up)
{
	const struct ifinfomsg head = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = up,
		.ifi_change = up,
	};

	nl_begin(b, RTM_NEWLINK, flags, &head, sizeof(head));
}

static void put_new(struct nl_batch *b, const struct rtnl_new *n)
{
	nl_str(b, IFLA_IFNAME, n->name);
	nl_u32(b, IFLA_MTU, n->mtu);
	nl_attr(b, IFLA_ADDRESS, n->mac, sizeof(n->mac));
	if (n->group)
		nl_u32(b, IFLA_GROUP, n->group);
}

void rtnl_put_bridge(struct nl_batch *b, const struct rtnl_new *n)
{
	link_message(b, NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
	put_new(b, n);
	nl_nest(b, IFLA_LINKINFO);
	nl_str(b, IFLA_INFO_KIND, "bridge");
	nl_nest(b, IFLA_INFO_DATA);
	/* Without a querier on the link snooping only loses neighbour solicitations. */
	nl_u8(b, IFLA_BR_MCAST_SNOOPING, 0);
	nl_unnest(b);
	nl_unnest(b);
}

void rtnl_put_veth(struct nl_batch *b, const struct rtnl_new *n, int master,
		   const struct rtnl_new *peer, int ns_fd)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };

	link_message(b, NLM_F_CREATE | NLM_F_EXCL, 0, 0);
	put_new(b, n);
	nl_u32(b, IFLA_MASTER, (uint32_t) master);
	nl_nest(b, IFLA_LINKINFO);
	nl_str(b, IFLA_INFO_KIND, "veth");
	nl_nest(b, IFLA_INFO_DATA);
	nl_nest_with(b, VETH_INFO_PEER, &head, sizeof(head));
	put_new(b, peer);
	nl_u32(b, IFLA_NET_NS_FD, (uint32_t) ns_fd);
	nl_unnest(b);
	nl_unnest(b);
	nl_unnest(b);
}

void rtnl_put_isolated(struct nl_batch *b, const char *name)
{
	link_message(b, 0, 0, 0);
	nl_str(b, IFLA_IFNAME, name);
	nl_nest(b, IFLA_LINKINFO);
	nl_str(b, IFLA_INFO_SLAVE_KIND, "bridge");
	nl_nest(b, IFLA_INFO_SLAVE_DATA);
	nl_u8(b, IFLA_BRPORT_ISOLATED, 1);
	nl_unnest(b);
	nl_unnest(b);
}

void rtnl_put_flags(struct nl_batch *b, int index, const char *name, bool up)
{
	const struct ifinfomsg head = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP,
	};

	nl_begin(b, RTM_NEWLINK, 0, &head, sizeof(head));
	if (index == 0)
		nl_str(b, IFLA_IFNAME, name);
}

void rtnl_put_alias(struct nl_batch *b, const char *name, const char *alias)
{
	link_message(b, 0, 0, 0);
	nl_str(b, IFLA_IFNAME, name);
	nl_attr(b, IFLA_IFALIAS, alias, strlen(alias));
}

void rtnl_put_move(struct nl_batch *b, int index, const char *as, int ns_fd)
{
	link_message(b, 0, index, 0);
	nl_str(b, IFLA_IFNAME, as);
	nl_u32(b, IFLA_NET_NS_FD, (uint32_t) ns_fd);
}

void rtnl_put_delete(struct nl_batch *b, const char *name)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };

	nl_begin(b, RTM_DELLINK, 0, &head, sizeof(head));
	nl_str(b, IFLA_IFNAME, name);
}

/* ---- addresses and routes ---- */

void rtnl_put_address(struct nl_batch *b, int index, const struct netaddr *a, unsigned flags)
{
	const struct ifaddrmsg head = {
		.ifa_family = a->family,
		.ifa_prefixlen = a->prefix,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (unsigned) index,
	};
	uint32_t kernel_flags = 0;

	if (flags & RTNL_NO_ROUTE)
		kernel_flags |= IFA_F_NOPREFIXROUTE;
	if (flags & RTNL_NO_DAD && a->family == AF_INET6)
		kernel_flags |= IFA_F_NODAD;
	nl_begin(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
	nl_attr(b, IFA_LOCAL, a->b, netaddr_len(a));
	nl_attr(b, IFA_ADDRESS, a->b, netaddr_len(a));
	if (kernel_flags)
		nl_u32(b, IFA_FLAGS, kernel_flags);
}

static void put_route(struct nl_batch *b, int index, const struct netaddr *gateway, bool all)
{
	const size_t n = netaddr_len(gateway);
	const struct rtmsg head = {
		.rtm_family = gateway->family,
		.rtm_dst_len = all ? 0 : (unsigned char) (8 * n),
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = all ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};

	nl_begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	nl_attr(b, all ? RTA_GATEWAY : RTA_DST, gateway->b, n);
	nl_u32(b, RTA_OIF, (uint32_t) index);
}

void rtnl_put_routes(struct nl_batch *b, int index, const struct netaddr *gateway)
{
	nl_label(b, "route to the gateway");
	put_route(b, index, gateway, false);
	nl_label(b, "default route");
	put_route(b, index, gateway, true);
}
