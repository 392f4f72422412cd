/*
 * nf_tables: tables, chains, sets and rules as messages of a netlink batch, all or none of which the kernel takes.
 *
 *   nft_begin(&b); nft_table(...); nft_rule(...), its nft_* expressions, nft_rule_end(); ...; nft_commit(fd, &b, e)
 *
 * A rule's expressions run from left to right over one register; the first comparison that does not hold ends it.
 * Written by hand and not through libnftnl: that needs libmnl, which has no static library in Debian.
 */
#ifndef CARREL_RUNTIME_NFT_H
#define CARREL_RUNTIME_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct netaddr;
struct nl_batch;

/* Where a chain or a set lives. */
struct nft_table {
	uint8_t family; /* NFPROTO_* */
	const char *name;
};

void nft_begin(struct nl_batch *b);
/* Sends it. e->code: EEXIST, ENOENT, ... of the first message that was refused; nothing has changed then. */
int nft_commit(int fd, struct nl_batch *b, struct err *e);

/* fresh: EEXIST when it is there already. */
void nft_add_table(struct nl_batch *b, const struct nft_table *t, bool fresh);
void nft_delete_table(struct nl_batch *b, const struct nft_table *t);

struct nft_hook {
	const char *type; /* "filter", "nat" */
	uint32_t hook;
	int32_t priority;
	const char *device; /* of netdev chains */
	bool drop;	    /* the policy */
};
/* hook NULL: a chain that others jump to. EEXIST when it is there already. */
void nft_add_chain(struct nl_batch *b, const struct nft_table *t, const char *chain,
		   const struct nft_hook *hook);
/* With its rules. */
void nft_delete_chain(struct nl_batch *b, const struct nft_table *t, const char *chain);

enum nft_key { NFT_KEY_IPV4, NFT_KEY_IPV6, NFT_KEY_IFNAME };
/* id: any number that no other set of the batch has. map: of keys to verdicts. */
void nft_add_set(struct nl_batch *b, const struct nft_table *t, const char *set,
		 enum nft_key key, bool map, uint32_t id);
/* An element; with `jump` or `goto` its verdict. fresh: EEXIST when it is there already. */
struct nft_element {
	const void *key;
	size_t n;
	const char *jump, *go; /* the chain, or NULL */
	bool fresh;
};
void nft_add_element(struct nl_batch *b, const struct nft_table *t, const char *set,
		     const struct nft_element *el);
void nft_delete_element(struct nl_batch *b, const struct nft_table *t, const char *set,
			const struct nft_element *el);

/* ---- a rule ---- */

void nft_rule(struct nl_batch *b, const struct nft_table *t, const char *chain);
void nft_rule_end(struct nl_batch *b);

/* Into the register. */
void nft_meta(struct nl_batch *b, uint32_t key);
void nft_payload(struct nl_batch *b, uint32_t base, uint32_t offset, uint32_t n);
void nft_ct_state(struct nl_batch *b);
void nft_mask(struct nl_batch *b, const void *mask, size_t n);
/* The register against a value, or a set. */
void nft_is(struct nl_batch *b, const void *value, size_t n);
void nft_is_not(struct nl_batch *b, const void *value, size_t n);
void nft_is_u8(struct nl_batch *b, uint8_t v);
void nft_is_be16(struct nl_batch *b, uint16_t v);
void nft_in(struct nl_batch *b, const char *set, bool not );
/* The verdict that the map has for the register; none: the rule ends. */
void nft_map(struct nl_batch *b, const char *map);

/* Whole tests. */
void nft_state_is(struct nl_batch *b, uint32_t bits);  /* any of NF_CT_STATE_BIT() */
void nft_family(struct nl_batch *b, uint8_t nfproto);  /* in an inet table */
void nft_ethertype(struct nl_batch *b, uint16_t type); /* in a netdev table */
void nft_l4proto(struct nl_batch *b, uint8_t proto);
void nft_icmp_type(struct nl_batch *b, uint8_t proto, uint8_t type); /* of ICMP or ICMPv6 */
void nft_port_to(struct nl_batch *b, uint8_t proto, uint16_t port);
void nft_address(struct nl_batch *b, const struct netaddr *a,
		 bool source); /* within its prefix */
void nft_load_address(struct nl_batch *b, uint8_t nfproto, bool source);

/* What ends a rule. */
void nft_verdict(struct nl_batch *b, int code,
		 const char *chain); /* NF_ACCEPT, NF_DROP, NFT_GOTO, ... */
void nft_reject(struct nl_batch *b); /* "administratively prohibited" */
void nft_masquerade(struct nl_batch *b);

#endif
