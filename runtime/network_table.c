/*
 * What a sandbox's network lets through.
 *
 *   table netdev carrel   chain PORT (ingress of the port, drop): only the sandbox's MAC and addresses, as ARP, IPv4 or
 *                         IPv6; no router advertisement, no redirect
 *   table inet carrel     input    what comes from our bridges and is new: neighbour discovery, the exceptions, no more
 *                         forward  from our bridges: answers, the exceptions, then by `egress`: "public" refuses other
 *                                  sandboxes and every address that is not the Internet's, "none" everything. To our
 *                                  bridges from elsewhere: answers only
 *                         output   no redirect: it would send a sandbox to a neighbour that it cannot reach
 *                         postrouting  masquerade for the addresses that ask for it
 *                         PORT     the exceptions of one sandbox
 *
 * Which sandbox a packet is from is its source address, which the ingress chain has proven. So the maps by address find
 * the sandbox's own chain at once however many there are, and a packet of an address that is in none is dropped. The
 * table is made whole by one batch or not at all; so are a sandbox's chain and its elements, which is why removing
 * the batch's other half takes nothing away from a sandbox that has the same address.
 */
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

enum { KNOWN = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED) };

const struct nft_table network_inet = { NFPROTO_INET, "carrel" };
const struct nft_table network_ports = { NFPROTO_NETDEV, "carrel" };

const uint8_t network_protos[NET_FAMILIES] = { NFPROTO_IPV4, NFPROTO_IPV6 };
const char *const network_allow_map[NET_FAMILIES] = { "allow4", "allow6" };
const char *const network_egress_map[NET_FAMILIES] = { "egress4", "egress6" };
const char *const network_masq_set[NET_FAMILIES] = { "masq4", "masq6" };

/* Not the Internet. Private and shared ranges, this host, link-local with the metadata services, benchmarking,
 * multicast and what is reserved; the addresses of the Azure platform, which are public by number only; in IPv6
 * also every form that carries an IPv4 address to a translator. */
static const char *const not_public[] = {
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"168.63.129.16",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.168.0.0/16",
	"198.18.0.0/15",
	"224.0.0.0/4",
	"240.0.0.0/4",
	"::/96",
	"::ffff:0.0.0.0/96",
	"64:ff9b:1::/48",
	"100::/64",
	"2001::/32",
	"2002::/16",
	"fc00::/7",
	"fe80::/10",
	"fec0::/10",
	"ff00::/8",
	"64:ff9b::0.0.0.0/104",
	"64:ff9b::10.0.0.0/104",
	"64:ff9b::100.64.0.0/106",
	"64:ff9b::127.0.0.0/104",
	"64:ff9b::168.63.129.16/128",
	"64:ff9b::169.254.0.0/112",
	"64:ff9b::172.16.0.0/108",
	"64:ff9b::192.0.0.0/120",
	"64:ff9b::192.168.0.0/112",
	"64:ff9b::198.18.0.0/111",
	"64:ff9b::224.0.0.0/100",
	"64:ff9b::240.0.0.0/100",
};

static void from_bridge(struct nl_batch *b, uint32_t key, bool not )
{
	nft_meta(b, key);
	nft_in(b, "bridges", not );
}

static void known_is_accepted(struct nl_batch *b, const char *chain)
{
	nft_rule(b, &network_inet, chain);
	nft_state_is(b, KNOWN);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b);
}

static void by_source(struct nl_batch *b, const char *chain, const char *const map[])
{
	for (int f = 0; f < NET_FAMILIES; f++) {
		nft_rule(b, &network_inet, chain);
		nft_family(b, network_protos[f]);
		nft_load_address(b, network_protos[f], true);
		nft_map(b, map[f]);
		nft_rule_end(b);
	}
}

static void simple_rule(struct nl_batch *b, const char *chain, int code, const char *to)
{
	nft_rule(b, &network_inet, chain);
	nft_verdict(b, code, to);
	nft_rule_end(b);
}

static void input_rules(struct nl_batch *b)
{
	static const uint8_t nd[] = { ND_NS, ND_NA };

	nft_rule(b, &network_inet, "input");
	from_bridge(b, NFT_META_IIFNAME, true);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b);
	known_is_accepted(b, "input");
	for (size_t i = 0; i < ARRAY_SIZE(nd); i++) {
		nft_rule(b, &network_inet, "input");
		nft_family(b, NFPROTO_IPV6);
		nft_icmp_type(b, IPPROTO_ICMPV6, nd[i]);
		nft_verdict(b, NF_ACCEPT, NULL);
		nft_rule_end(b);
	}
	by_source(b, "input", network_allow_map);
	simple_rule(b, "input", NFT_GOTO, "refuse");
}

static void forward_rules(struct nl_batch *b)
{
	nft_rule(b, &network_inet, "forward");
	from_bridge(b, NFT_META_IIFNAME, true);
	nft_verdict(b, NFT_GOTO, "inbound");
	nft_rule_end(b);
	known_is_accepted(b, "forward");
	by_source(b, "forward", network_allow_map);
	by_source(b, "forward", network_egress_map);
	simple_rule(b, "forward", NF_DROP, NULL);

	nft_rule(b, &network_inet, "inbound");
	from_bridge(b, NFT_META_OIFNAME, true);
	nft_verdict(b, NF_ACCEPT, NULL);
	nft_rule_end(b);
	known_is_accepted(b, "inbound");
	simple_rule(b, "inbound", NF_DROP, NULL);
}

/* One rule for each range: they are met by the first packet of a connection only. */
static int public_rules(struct nl_batch *b, struct err *e)
{
	nft_rule(b, &network_inet, "public");
	from_bridge(b, NFT_META_OIFNAME, false);
	nft_verdict(b, NFT_GOTO, "refuse");
	nft_rule_end(b);
	for (size_t i = 0; i < ARRAY_SIZE(not_public); i++) {
		struct netaddr a;

		if (netaddr_parse(not_public[i], &a, e) < 0)
			return -1;
		nft_rule(b, &network_inet, "public");
		nft_family(b, a.family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
		nft_address(b, &a, false);
		nft_verdict(b, NFT_GOTO, "refuse");
		nft_rule_end(b);
	}
	simple_rule(b, "public", NF_ACCEPT, NULL);
	return 0;
}

static void other_rules(struct nl_batch *b)
{
	static const struct {
		uint8_t family, proto, type;
	} redirects[] = { { NFPROTO_IPV4, IPPROTO_ICMP, ICMP_REDIRECT },
			  { NFPROTO_IPV6, IPPROTO_ICMPV6, ND_REDIRECT } };

	nft_rule(b, &network_inet, "refuse");
	nft_reject(b);
	nft_rule_end(b);
	for (size_t i = 0; i < ARRAY_SIZE(redirects); i++) {
		nft_rule(b, &network_inet, "output");
		from_bridge(b, NFT_META_OIFNAME, false);
		nft_family(b, redirects[i].family);
		nft_icmp_type(b, redirects[i].proto, redirects[i].type);
		nft_verdict(b, NF_DROP, NULL);
		nft_rule_end(b);
	}
	for (int f = 0; f < NET_FAMILIES; f++) {
		nft_rule(b, &network_inet, "postrouting");
		from_bridge(b, NFT_META_OIFNAME, true);
		nft_family(b, network_protos[f]);
		nft_load_address(b, network_protos[f], true);
		nft_in(b, network_masq_set[f], false);
		nft_masquerade(b);
		nft_rule_end(b);
	}
}

static void add_sets(struct nl_batch *b)
{
	uint32_t id = 1;

	nft_add_set(b, &network_inet, "bridges", NFT_KEY_IFNAME, false, id++);
	for (int f = 0; f < NET_FAMILIES; f++) {
		const enum nft_key key = f == NET_V4 ? NFT_KEY_IPV4 : NFT_KEY_IPV6;

		nft_add_set(b, &network_inet, network_allow_map[f], key, true, id++);
		nft_add_set(b, &network_inet, network_egress_map[f], key, true, id++);
		nft_add_set(b, &network_inet, network_masq_set[f], key, false, id++);
	}
}

/* EEXIST: somebody else was first, and did all of it. */
int network_table_add(int fd, struct err *e)
{
	static const struct nft_hook input = { "filter", NF_INET_LOCAL_IN, PRIORITY_FILTER,
					       NULL, false };
	static const struct nft_hook forward = { "filter", NF_INET_FORWARD, PRIORITY_FILTER,
						 NULL, false };
	static const struct nft_hook output = { "filter", NF_INET_LOCAL_OUT, PRIORITY_FILTER,
						NULL, false };
	static const struct nft_hook post = { "nat", NF_INET_POST_ROUTING, PRIORITY_SRCNAT,
					      NULL, false };
	auto_nl struct nl_batch b = NL_BATCH;
	struct err why = ERR_NONE;

	nft_begin(&b);
	nl_label(&b, "nftables table carrel");
	nft_add_table(&b, &network_inet, true);
	nft_add_table(&b, &network_ports, false);
	add_sets(&b);
	nft_add_chain(&b, &network_inet, "refuse", NULL);
	nft_add_chain(&b, &network_inet, "public", NULL);
	nft_add_chain(&b, &network_inet, "inbound", NULL);
	nft_add_chain(&b, &network_inet, "input", &input);
	nft_add_chain(&b, &network_inet, "forward", &forward);
	nft_add_chain(&b, &network_inet, "output", &output);
	nft_add_chain(&b, &network_inet, "postrouting", &post);
	input_rules(&b);
	forward_rules(&b);
	if (public_rules(&b, e) < 0)
		return -1;
	other_rules(&b);
	if (nft_commit(fd, &b, &why) == 0 || why.code == EEXIST)
		return 0;
	*e = why;
	return -1;
}

int network_commit_removal(int fd, struct nl_batch *b, struct err *e)
{
	struct err why = ERR_NONE;

	if (nft_commit(fd, b, &why) == 0 || why.code == ENOENT)
		return 0;
	*e = why;
	return -1;
}

int network_rules_drop(int fd, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;

	nft_begin(&b);
	nl_label(&b, "remove the nftables tables carrel");
	nft_delete_table(&b, &network_inet);
	nft_delete_table(&b, &network_ports);
	return network_commit_removal(fd, &b, e);
}
