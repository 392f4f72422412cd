/* The rules of one sandbox: its chain of exceptions, its elements in the maps, the chain of its port (network_table.c). */
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/netlink.h"
#include "runtime/network_impl.h"

void network_mac(const char *port, uint8_t out[RTNL_MAC])
{
	if (str_unhex(port + 3, out, RTNL_MAC) < 0)
		memset(out, 0, RTNL_MAC);
	out[0] = (uint8_t) ((out[0] & 0xfc) | 0x02); /* one machine's, given by hand */
}

static void exceptions(struct nl_batch *b, const struct network_spec *n, const char *port)
{
	static const struct {
		uint8_t proto, type;
	} echo[NET_FAMILIES] = { { IPPROTO_ICMP, ICMP_ECHO },
				 { IPPROTO_ICMPV6, ICMPV6_ECHO_REQUEST } };

	/* Is the gateway there? */
	for (int f = 0; f < NET_FAMILIES; f++) {
		struct netaddr gw = n->gateway[f];

		if (!gw.family)
			continue;
		gw.prefix = (uint8_t) (8 * netaddr_len(&gw));
		nft_rule(b, &network_inet, port);
		nft_family(b, network_protos[f]);
		nft_address(b, &gw, false);
		nft_icmp_type(b, echo[f].proto, echo[f].type);
		nft_verdict(b, NF_ACCEPT, NULL);
		nft_rule_end(b);
	}
	for (size_t i = 0; i < n->n_allow; i++) {
		const struct network_allow *a = &n->allow[i];

		nft_rule(b, &network_inet, port);
		nft_family(b, network_protos[a->to.family == AF_INET ? NET_V4 : NET_V6]);
		nft_address(b, &a->to, false);
		if (a->proto)
			nft_port_to(b, a->proto, a->port);
		nft_verdict(b, NF_ACCEPT, NULL);
		nft_rule_end(b);
	}
}

static void arp_rule(struct nl_batch *b, const char *port, const uint8_t mac[RTNL_MAC],
		     const struct netaddr *a)
{
	enum { SENDER_MAC_AT = 8, SENDER_IP_AT = 14 };

	nft_rule(b, &network_ports, port);
	nft_ethertype(b, ETH_P_ARP);
	nft_payload(b, NFT_PAYLOAD_NETWORK_HEADER, SENDER_MAC_AT, RTNL_MAC);
	nft_is(b, mac, RTNL_MAC);
	nft_payload(b, NFT_PAYLOAD_NETWORK_HEADER, SENDER_IP_AT, 4);
	nft_is(b, a->b, 4);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b);
}

static void source_rule(struct nl_batch *b, const char *port, const struct netaddr *a)
{
	struct netaddr one = *a;

	one.prefix = (uint8_t) (8 * netaddr_len(a));
	nft_rule(b, &network_ports, port);
	nft_ethertype(b, a->family == AF_INET ? ETH_P_IP : ETH_P_IPV6);
	nft_address(b, &one, true);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b);
}

static void v6_rules(struct nl_batch *b, const char *port, const uint8_t mac[RTNL_MAC],
		     const struct netaddr *a)
{
	static const uint8_t routers[] = { ND_RA, ND_REDIRECT };
	/* Made of the MAC by the kernel; neighbour discovery uses it. */
	const struct netaddr link = { .family = AF_INET6,
				      .prefix = 128,
				      .b = { 0xfe, 0x80, [8] = mac[0] ^ 0x02, mac[1], mac[2],
					     0xff, 0xfe, mac[3], mac[4], mac[5] } };

	for (size_t i = 0; i < ARRAY_SIZE(routers); i++) {
		nft_rule(b, &network_ports, port);
		nft_ethertype(b, ETH_P_IPV6);
		nft_icmp_type(b, IPPROTO_ICMPV6, routers[i]);
		nft_verdict(b, NF_DROP, NULL);
		nft_rule_end(b);
	}
	source_rule(b, port, a);
	source_rule(b, port, &link);
}

static void port_rules(struct nl_batch *b, const struct network_spec *n, const char *port)
{
	const struct nft_hook ingress = { "filter", 0, PRIORITY_FILTER, port, true };
	enum { SOURCE_MAC_AT = 6 };
	uint8_t mac[RTNL_MAC];

	network_mac(port, mac);
	nft_add_chain(b, &network_ports, port, &ingress);
	nft_rule(b, &network_ports, port);
	nft_payload(b, NFT_PAYLOAD_LL_HEADER, SOURCE_MAC_AT, RTNL_MAC);
	nft_is_not(b, mac, RTNL_MAC);
	nft_verdict(b, NF_DROP, NULL);
	nft_rule_end(b);
	if (n->address[NET_V4].family) {
		arp_rule(b, port, mac, &n->address[NET_V4]);
		source_rule(b, port, &n->address[NET_V4]);
	}
	if (n->address[NET_V6].family)
		v6_rules(b, port, mac, &n->address[NET_V6]);
}

static void bridge_element(const char *bridge, char key[RTNL_NAME], struct nft_element *el)
{
	memset(key, 0, RTNL_NAME);
	memcpy(key, bridge, strnlen(bridge, RTNL_NAME - 1));
	*el = (struct nft_element){ .key = key, .n = RTNL_NAME };
}

typedef void (*element_fn)(struct nl_batch *b, const struct nft_table *t, const char *set,
			   const struct nft_element *el);

static void elements(struct nl_batch *b, const struct network_spec *n, const char *port,
		     element_fn put)
{
	for (int f = 0; f < NET_FAMILIES; f++) {
		const struct netaddr *a = &n->address[f];
		struct nft_element el = { .key = a->b, .n = netaddr_len(a), .fresh = true };

		if (!a->family)
			continue;
		if (n->masquerade)
			put(b, &network_inet, network_masq_set[f], &el);
		el.jump = port;
		put(b, &network_inet, network_allow_map[f], &el);
		el.jump = NULL;
		el.go = n->deny_all ? "refuse" : "public";
		put(b, &network_inet, network_egress_map[f], &el);
	}
}

static int add_one(int fd, const struct network_spec *n, const char *port, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;
	const struct netaddr_text v4 = netaddr_print(&n->address[NET_V4], false),
				  v6 = netaddr_print(&n->address[NET_V6], false);
	auto_free char *taken = xasprintf("another sandbox has the address (%s%s%s)", v4.s,
					  v4.s[0] && v6.s[0] ? " or " : "", v6.s);
	struct nft_element bridge;
	char key[RTNL_NAME];

	nft_begin(&b);
	nl_label(&b, "nftables rules");
	nft_add_chain(&b, &network_inet, port, NULL);
	exceptions(&b, n, port);
	port_rules(&b, n, port);
	bridge_element(n->bridge, key, &bridge);
	nft_add_element(&b, &network_inet, "bridges", &bridge);
	nl_label(&b, taken);
	elements(&b, n, port, nft_add_element);
	return nft_commit(fd, &b, e);
}

int network_rules_add(int fd, const struct network_spec *n, const char *port, struct err *e)
{
	struct err why = ERR_NONE;

	if (add_one(fd, n, port, &why) == 0)
		return 0;
	if (why.code == ENOENT && network_table_add(fd, e) < 0)
		return -1;
	return why.code == ENOENT ? add_one(fd, n, port, e) : (*e = why, -1);
}

int network_rules_remove(int fd, const struct network_spec *n, const char *port, struct err *e)
{
	auto_nl struct nl_batch all = NL_BATCH, chain = NL_BATCH;

	nft_begin(&all);
	nl_label(&all, "remove the nftables rules");
	elements(&all, n, port, nft_delete_element);
	nft_delete_chain(&all, &network_inet, port);
	if (network_commit_removal(fd, &all, e) < 0)
		return -1;
	/* On its own: kernels before 6.16 drop it with the link. */
	nft_begin(&chain);
	nl_label(&chain, "remove the nftables rules of the port");
	nft_delete_chain(&chain, &network_ports, port);
	return network_commit_removal(fd, &chain, e);
}

int network_rules_forget_bridge(int fd, const char *bridge, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;
	struct nft_element el;
	char key[RTNL_NAME];

	bridge_element(bridge, key, &el);
	nft_begin(&b);
	nl_label(&b, "remove the bridge from the nftables table carrel");
	nft_delete_element(&b, &network_inet, "bridges", &el);
	return network_commit_removal(fd, &b, e);
}
