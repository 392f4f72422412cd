/*
 * A network of a sandbox's own: a port of a bridge on the host, and what may leave through it.
 *
 *   sandbox's namespace            host
 *   eth0 (address, default route) === crlXXXXXXXXXXXX ── bridge (the gateway's address) ── routed, masqueraded
 *         │                              │ ingress: only this sandbox's MAC and addresses
 *         │                              │ isolated port: no frame from one sandbox to another
 *         └── every packet, also to its own subnet, goes to the gateway and meets the forward or the input chain
 *
 * Asked for by the annotation io.carrel.network, which is not trusted: parsed strictly, and nothing of it ever becomes
 * part of a command. Every link that is made carries the group NETWORK_GROUP from its first moment; one without it is
 * never changed or removed. The port's name is random and was written to the state before anything was made, so
 * network_remove finds what a killed runtime has left. The rules are in network_table.c.
 */
#ifndef CARREL_RUNTIME_NETWORK_H
#define CARREL_RUNTIME_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/netaddr.h"
#include "runtime/rtnl.h"

struct err;

#define NETWORK_ANNOTATION "io.carrel.network"

enum { NETWORK_GROUP = 0x63726c, NETWORK_ALLOW_MAX = 64, NETWORK_TEXT_MAX = 8192 };
enum { NET_V4, NET_V6, NET_FAMILIES };

struct network_allow {
	struct netaddr to;
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP; 0: everything */
	uint16_t port;
};

struct network_spec {
	char bridge[RTNL_NAME], interface[RTNL_NAME];
	struct netaddr address[NET_FAMILIES], gateway[NET_FAMILIES]; /* family 0: none */
	uint32_t mtu;
	bool masquerade, forwarding;
	bool deny_all; /* egress "none" */
	struct network_allow allow[NETWORK_ALLOW_MAX];
	size_t n_allow;
};

/* The annotation's value. Returns 1 when it asks for nothing ("mode": "none"). No pointers in *out. */
int network_parse(const char *text, size_t n, struct network_spec *out, struct err *e);

/* A name for the host's side: "crl" and 12 hexadecimal digits. */
void network_port_name(char out[RTNL_NAME]);

/* ns_fd: the new network namespace, in which nothing runs yet. alias: what the port is called beside its name. On an
 * error network_remove cleans up. */
int network_connect(const struct network_spec *n, const char *port, const char *alias,
		    int ns_fd, struct err *e);
/* Everything that network_connect made or began to make; the bridge and the tables with the last sandbox. */
int network_remove(const struct network_spec *n, const char *port, struct err *e);

/* ---- what is allowed (network_table.c, network_rules.c). fd: a socket of NETLINK_NETFILTER ---- */

void network_mac(const char *port, uint8_t out[RTNL_MAC]); /* of the sandbox's side */
/* The rules of one sandbox, and those of all when they are not there. The port exists and is down. */
int network_rules_add(int fd, const struct network_spec *n, const char *port, struct err *e);
int network_rules_remove(int fd, const struct network_spec *n, const char *port, struct err *e);
/* When the last sandbox of a bridge, or of all, is gone. */
int network_rules_forget_bridge(int fd, const char *bridge, struct err *e);
int network_rules_drop(int fd, struct err *e);

#endif
