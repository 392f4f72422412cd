#include "runtime/nft.h"

#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "runtime/netaddr.h"
#include "runtime/netlink.h"

enum {
	ICMP_TYPE_AT = 0,
	PORT_TO_AT = 2,
	V4_SOURCE_AT = 12,
	V4_TO_AT = 16,
	V6_SOURCE_AT = 8,
	V6_TO_AT = 24
};

/* ---- messages ---- */

static void message(struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t family)
{
	const struct nfgenmsg head = { .nfgen_family = family, .version = NFNETLINK_V0 };

	nl_begin(b, (uint16_t) (NFNL_SUBSYS_NFTABLES << 8 | type), flags, &head, sizeof(head));
}

static void boundary(struct nl_batch *b, uint16_t type)
{
	const struct nfgenmsg head = { .nfgen_family = AF_UNSPEC,
				       .version = NFNETLINK_V0,
				       .res_id = htobe16(NFNL_SUBSYS_NFTABLES) };

	nl_begin(b, type, 0, &head, sizeof(head));
}

void nft_begin(struct nl_batch *b)
{
	boundary(b, NFNL_MSG_BATCH_BEGIN);
}

int nft_commit(int fd, struct nl_batch *b, struct err *e)
{
	nl_ack(b);
	boundary(b, NFNL_MSG_BATCH_END);
	return nl_talk(fd, b, NULL, NULL, e);
}

static uint16_t creating(bool fresh)
{
	return NLM_F_CREATE | (fresh ? NLM_F_EXCL : 0);
}

void nft_add_table(struct nl_batch *b, const struct nft_table *t, bool fresh)
{
	message(b, NFT_MSG_NEWTABLE, creating(fresh), t->family);
	nl_str(b, NFTA_TABLE_NAME, t->name);
}

void nft_delete_table(struct nl_batch *b, const struct nft_table *t)
{
	message(b, NFT_MSG_DELTABLE, 0, t->family);
	nl_str(b, NFTA_TABLE_NAME, t->name);
}

void nft_add_chain(struct nl_batch *b, const struct nft_table *t, const char *chain,
		   const struct nft_hook *hook)
{
	message(b, NFT_MSG_NEWCHAIN, creating(true), t->family);
	nl_str(b, NFTA_CHAIN_TABLE, t->name);
	nl_str(b, NFTA_CHAIN_NAME, chain);
	if (!hook)
		return;
	nl_nest(b, NFTA_CHAIN_HOOK);
	nl_be32(b, NFTA_HOOK_HOOKNUM, hook->hook);
	nl_be32(b, NFTA_HOOK_PRIORITY, (uint32_t) hook->priority);
	if (hook->device)
		nl_str(b, NFTA_HOOK_DEV, hook->device);
	nl_unnest(b);
	nl_be32(b, NFTA_CHAIN_POLICY, hook->drop ? NF_DROP : NF_ACCEPT);
	nl_str(b, NFTA_CHAIN_TYPE, hook->type);
}

void nft_delete_chain(struct nl_batch *b, const struct nft_table *t, const char *chain)
{
	message(b, NFT_MSG_DELCHAIN, 0, t->family);
	nl_str(b, NFTA_CHAIN_TABLE, t->name);
	nl_str(b, NFTA_CHAIN_NAME, chain);
}

void nft_add_set(struct nl_batch *b, const struct nft_table *t, const char *set,
		 enum nft_key key, bool map, uint32_t id)
{
	/* The numbers by which nft(8) prints them. */
	static const struct {
		uint32_t type, n;
	} keys[] = {
		[NFT_KEY_IPV4] = { 7, 4 },
		[NFT_KEY_IPV6] = { 8, 16 },
		[NFT_KEY_IFNAME] = { 41, 16 },
	};

	/* For nft(8) too: the key is no number from the wire. */
	static const uint8_t host_order[] = { 0, 4, 1, 0, 0, 0 };

	message(b, NFT_MSG_NEWSET, creating(true), t->family);
	nl_str(b, NFTA_SET_TABLE, t->name);
	nl_str(b, NFTA_SET_NAME, set);
	nl_be32(b, NFTA_SET_FLAGS, map ? NFT_SET_MAP : 0);
	nl_be32(b, NFTA_SET_KEY_TYPE, keys[key].type);
	nl_be32(b, NFTA_SET_KEY_LEN, keys[key].n);
	nl_be32(b, NFTA_SET_ID, id);
	if (map)
		nl_be32(b, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
	if (key == NFT_KEY_IFNAME)
		nl_attr(b, NFTA_SET_USERDATA, host_order, sizeof(host_order));
}

static void verdict_data(struct nl_batch *b, uint16_t type, int code, const char *chain)
{
	nl_nest(b, type);
	nl_nest(b, NFTA_DATA_VERDICT);
	nl_be32(b, NFTA_VERDICT_CODE, (uint32_t) code);
	if (chain)
		nl_str(b, NFTA_VERDICT_CHAIN, chain);
	nl_unnest(b);
	nl_unnest(b);
}

static void value_data(struct nl_batch *b, uint16_t type, const void *p, size_t n)
{
	nl_nest(b, type);
	nl_attr(b, NFTA_DATA_VALUE, p, n);
	nl_unnest(b);
}

static void element(struct nl_batch *b, const struct nft_table *t, const char *set,
		    const struct nft_element *el)
{
	nl_str(b, NFTA_SET_ELEM_LIST_TABLE, t->name);
	nl_str(b, NFTA_SET_ELEM_LIST_SET, set);
	nl_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	nl_nest(b, NFTA_LIST_ELEM);
	value_data(b, NFTA_SET_ELEM_KEY, el->key, el->n);
	if (el->jump)
		verdict_data(b, NFTA_SET_ELEM_DATA, NFT_JUMP, el->jump);
	else if (el->go)
		verdict_data(b, NFTA_SET_ELEM_DATA, NFT_GOTO, el->go);
	nl_unnest(b);
	nl_unnest(b);
}

void nft_add_element(struct nl_batch *b, const struct nft_table *t, const char *set,
		     const struct nft_element *el)
{
	message(b, NFT_MSG_NEWSETELEM, creating(el->fresh), t->family);
	element(b, t, set, el);
}

void nft_delete_element(struct nl_batch *b, const struct nft_table *t, const char *set,
			const struct nft_element *el)
{
	message(b, NFT_MSG_DELSETELEM, 0, t->family);
	element(b, t, set, el);
}

/* ---- rules ---- */

void nft_rule(struct nl_batch *b, const struct nft_table *t, const char *chain)
{
	message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, t->family);
	nl_str(b, NFTA_RULE_TABLE, t->name);
	nl_str(b, NFTA_RULE_CHAIN, chain);
	nl_nest(b, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nl_batch *b)
{
	nl_unnest(b);
}

static void open_expr(struct nl_batch *b, const char *name)
{
	nl_nest(b, NFTA_LIST_ELEM);
	nl_str(b, NFTA_EXPR_NAME, name);
	nl_nest(b, NFTA_EXPR_DATA);
}

static void close_expr(struct nl_batch *b)
{
	nl_unnest(b);
	nl_unnest(b);
}

void nft_meta(struct nl_batch *b, uint32_t key)
{
	open_expr(b, "meta");
	nl_be32(b, NFTA_META_DREG, NFT_REG_1);
	nl_be32(b, NFTA_META_KEY, key);
	close_expr(b);
}

void nft_payload(struct nl_batch *b, uint32_t base, uint32_t offset, uint32_t n)
{
	open_expr(b, "payload");
	nl_be32(b, NFTA_PAYLOAD_DREG, NFT_REG_1);
	nl_be32(b, NFTA_PAYLOAD_BASE, base);
	nl_be32(b, NFTA_PAYLOAD_OFFSET, offset);
	nl_be32(b, NFTA_PAYLOAD_LEN, n);
	close_expr(b);
}

void nft_ct_state(struct nl_batch *b)
{
	open_expr(b, "ct");
	nl_be32(b, NFTA_CT_DREG, NFT_REG_1);
	nl_be32(b, NFTA_CT_KEY, NFT_CT_STATE);
	close_expr(b);
}

void nft_mask(struct nl_batch *b, const void *mask, size_t n)
{
	static const uint8_t zero[16];

	open_expr(b, "bitwise");
	nl_be32(b, NFTA_BITWISE_SREG, NFT_REG_1);
	nl_be32(b, NFTA_BITWISE_DREG, NFT_REG_1);
	nl_be32(b, NFTA_BITWISE_LEN, (uint32_t) n);
	value_data(b, NFTA_BITWISE_MASK, mask, n);
	value_data(b, NFTA_BITWISE_XOR, zero, n);
	close_expr(b);
}

static void compare(struct nl_batch *b, uint32_t op, const void *value, size_t n)
{
	open_expr(b, "cmp");
	nl_be32(b, NFTA_CMP_SREG, NFT_REG_1);
	nl_be32(b, NFTA_CMP_OP, op);
	value_data(b, NFTA_CMP_DATA, value, n);
	close_expr(b);
}

void nft_is(struct nl_batch *b, const void *value, size_t n)
{
	compare(b, NFT_CMP_EQ, value, n);
}

void nft_is_not(struct nl_batch *b, const void *value, size_t n)
{
	compare(b, NFT_CMP_NEQ, value, n);
}

void nft_is_u8(struct nl_batch *b, uint8_t v)
{
	nft_is(b, &v, sizeof(v));
}

void nft_is_be16(struct nl_batch *b, uint16_t v)
{
	const uint16_t wire = htobe16(v);

	nft_is(b, &wire, sizeof(wire));
}

void nft_in(struct nl_batch *b, const char *set, bool not )
{
	open_expr(b, "lookup");
	nl_str(b, NFTA_LOOKUP_SET, set);
	nl_be32(b, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (not )
		nl_be32(b, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	close_expr(b);
}

void nft_map(struct nl_batch *b, const char *map)
{
	open_expr(b, "lookup");
	nl_str(b, NFTA_LOOKUP_SET, map);
	nl_be32(b, NFTA_LOOKUP_SREG, NFT_REG_1);
	nl_be32(b, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	close_expr(b);
}

/* ---- whole tests ---- */

void nft_state_is(struct nl_batch *b, uint32_t bits)
{
	const uint32_t none = 0;

	nft_ct_state(b);
	nft_mask(b, &bits, sizeof(bits));
	nft_is_not(b, &none, sizeof(none));
}

void nft_family(struct nl_batch *b, uint8_t nfproto)
{
	nft_meta(b, NFT_META_NFPROTO);
	nft_is_u8(b, nfproto);
}

void nft_ethertype(struct nl_batch *b, uint16_t type)
{
	nft_meta(b, NFT_META_PROTOCOL);
	nft_is_be16(b, type);
}

void nft_l4proto(struct nl_batch *b, uint8_t proto)
{
	nft_meta(b, NFT_META_L4PROTO);
	nft_is_u8(b, proto);
}

void nft_icmp_type(struct nl_batch *b, uint8_t proto, uint8_t type)
{
	nft_l4proto(b, proto);
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_TYPE_AT, 1);
	nft_is_u8(b, type);
}

void nft_port_to(struct nl_batch *b, uint8_t proto, uint16_t port)
{
	nft_l4proto(b, proto);
	nft_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_TO_AT, sizeof(port));
	nft_is_be16(b, port);
}

void nft_load_address(struct nl_batch *b, uint8_t nfproto, bool source)
{
	if (nfproto == NFPROTO_IPV4)
		nft_payload(b, NFT_PAYLOAD_NETWORK_HEADER, source ? V4_SOURCE_AT : V4_TO_AT, 4);
	else
		nft_payload(b, NFT_PAYLOAD_NETWORK_HEADER, source ? V6_SOURCE_AT : V6_TO_AT,
			    16);
}

void nft_address(struct nl_batch *b, const struct netaddr *a, bool source)
{
	const size_t n = netaddr_len(a);
	uint8_t mask[16];

	nft_load_address(b, n == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6, source);
	if (a->prefix < 8 * n) {
		netaddr_mask(a, mask);
		nft_mask(b, mask, n);
	}
	nft_is(b, a->b, n);
}

/* ---- what ends a rule ---- */

void nft_verdict(struct nl_batch *b, int code, const char *chain)
{
	open_expr(b, "immediate");
	nl_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	verdict_data(b, NFTA_IMMEDIATE_DATA, code, chain);
	close_expr(b);
}

void nft_reject(struct nl_batch *b)
{
	open_expr(b, "reject");
	nl_be32(b, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	nl_u8(b, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	close_expr(b);
}

void nft_masquerade(struct nl_batch *b)
{
	open_expr(b, "masq");
	close_expr(b);
}
