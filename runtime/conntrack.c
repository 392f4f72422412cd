#include "runtime/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/log.h"
#include "base/util.h"
#include "runtime/netaddr.h"
#include "runtime/netlink.h"

/* As many as one message to the kernel and its answers have room for; and how often before something must be wrong. */
enum { ROUND_MAX = 256, ROUNDS_MAX = 4096 };

/* The kernel's: the filter means the tuple's source address. */
enum { FILTER_SOURCE = 1 };

struct hunt {
	const struct netaddr *address;
	uint16_t
		side; /* CTA_TUPLE_ORIG: flows that it began; CTA_TUPLE_REPLY: those that began elsewhere */
	struct nl_batch *out;
	unsigned found;
};

static void begin(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family)
{
	const struct nfgenmsg head = { .nfgen_family = family, .version = NFNETLINK_V0 };

	nl_begin(b, (uint16_t) (NFNL_SUBSYS_CTNETLINK << 8 | type), flags, &head, sizeof(head));
}

static uint16_t source_type(const struct netaddr *a)
{
	return netaddr_len(a) == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
}

/* Kernels before 5.8 do not know the filter and tell everything, so each answer is looked at. */
static bool is_from(const struct nlattr *tuple, const struct netaddr *a)
{
	const struct nlattr *t[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1];
	uint8_t source[16];
	const size_t n = netaddr_len(a);

	nl_parse_nest(tuple, t, CTA_TUPLE_MAX);
	nl_parse_nest(t[CTA_TUPLE_IP], ip, CTA_IP_MAX);
	return nl_get(ip[source_type(a)], source, sizeof(source)) == n &&
	       memcmp(source, a->b, n) == 0;
}

static void copy(struct nl_batch *b, uint16_t type, const struct nlattr *a)
{
	if (a)
		nl_attr(b, type, (const char *) a + NLA_HDRLEN,
			a->nla_len - (size_t) NLA_HDRLEN);
}

static int take_flow(const struct nlmsghdr *m, void *ctx, struct err *e unused_arg)
{
	struct hunt *h = ctx;
	const struct nlattr *a[CTA_MAX + 1];

	if (m->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
	    h->found == ROUND_MAX)
		return 0;
	nl_parse(m, sizeof(struct nfgenmsg), a, CTA_MAX);
	if (!is_from(a[h->side], h->address))
		return 0;
	begin(h->out, IPCTNL_MSG_CT_DELETE, 0, h->address->family);
	copy(h->out, NLA_F_NESTED | CTA_TUPLE_ORIG, a[CTA_TUPLE_ORIG]);
	copy(h->out, CTA_ZONE, a[CTA_ZONE]);
	/* Not another one that has the same tuple by now. */
	copy(h->out, CTA_ID, a[CTA_ID]);
	h->found++;
	return 0;
}

/* Not for IPv6, where the kernel's comparison is the wrong way round (6.18 has it still): it would tell all flows but these. */
static void put_filter(struct nl_batch *b, const struct hunt *h)
{
	nl_nest(b, h->side);
	nl_nest(b, CTA_TUPLE_IP);
	nl_attr(b, source_type(h->address), h->address->b, netaddr_len(h->address));
	nl_unnest(b);
	nl_unnest(b);
	nl_nest(b, CTA_FILTER);
	nl_u32(b, CTA_FILTER_ORIG_FLAGS, h->side == CTA_TUPLE_ORIG ? FILTER_SOURCE : 0);
	nl_u32(b, CTA_FILTER_REPLY_FLAGS, h->side == CTA_TUPLE_REPLY ? FILTER_SOURCE : 0);
	nl_unnest(b);
}

static int find(int fd, struct hunt *h, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;

	nl_label(&b, "list the tracked connections");
	begin(&b, IPCTNL_MSG_CT_GET, NLM_F_DUMP, h->address->family);
	if (h->address->family == AF_INET)
		put_filter(&b, h);
	return nl_talk(fd, &b, take_flow, h, e);
}

/* Returns how many there were. */
static int forget_some(int fd, const struct netaddr *address, uint16_t side, struct err *e)
{
	auto_nl struct nl_batch out = NL_BATCH;
	struct hunt h = { .address = address, .side = side, .out = &out };
	struct err why = ERR_NONE;

	nl_label(&out, "forget a tracked connection");
	if (find(fd, &h, e) < 0)
		return -1;
	if (h.found == 0)
		return 0;
	nl_ack(&out);
	/* One that has ended meanwhile is what we want; any other refusal comes again in the next round. */
	if (nl_talk(fd, &out, NULL, NULL, &why) < 0 && why.code != ENOENT) {
		*e = why;
		return -1;
	}
	return (int) h.found;
}

int conntrack_forget(int fd, const struct netaddr *address, struct err *e)
{
	static const uint16_t sides[] = { CTA_TUPLE_ORIG, CTA_TUPLE_REPLY };
	struct err why = ERR_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
		int n = 1;

		for (int round = 0; n > 0; round++) {
			if (round == ROUNDS_MAX)
				return err_set(e, EBUSY,
					       "tracked connections of %s come faster than "
					       "they can be forgotten",
					       netaddr_print(address, false).s);
			n = forget_some(fd, address, sides[i], &why);
		}
		if (n == 0)
			continue;
		/* What the kernel says to a subsystem that it does not have. */
		if (why.code == EINVAL || why.code == EOPNOTSUPP) {
			log_debug("connections of %s are not forgotten: %s",
				  netaddr_print(address, false).s, why.msg);
			return 0;
		}
		*e = why;
		return -1;
	}
	return 0;
}
