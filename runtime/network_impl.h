/* Between the files of a sandbox's network: the nftables tables, and the names in them. */
#ifndef CARREL_RUNTIME_NETWORK_IMPL_H
#define CARREL_RUNTIME_NETWORK_IMPL_H

#include <stdint.h>

#include "runtime/network.h"
#include "runtime/nft.h"

struct err;
struct nl_batch;

enum { PRIORITY_FILTER = 0, PRIORITY_SRCNAT = 100 };
enum { ND_RA = 134, ND_NS, ND_NA, ND_REDIRECT }; /* ICMPv6 types of neighbour discovery */

extern const struct nft_table network_inet, network_ports;
/* By family: the protocol's number, the maps and the set of addresses. */
extern const uint8_t network_protos[NET_FAMILIES];
extern const char *const network_allow_map[NET_FAMILIES];
extern const char *const network_egress_map[NET_FAMILIES];
extern const char *const network_masq_set[NET_FAMILIES];

/* Success also when somebody else was first, as that made all of it. */
int network_table_add(int fd, struct err *e);
/* What is not there needs no removing. */
int network_commit_removal(int fd, struct nl_batch *b, struct err *e);

#endif
