/* An address of the Internet with a prefix, from text and back, and what kind of address it is. */
#ifndef CARREL_RUNTIME_NETADDR_H
#define CARREL_RUNTIME_NETADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct netaddr {
	uint8_t family; /* AF_INET, AF_INET6; 0: none */
	uint8_t prefix; /* bits */
	uint8_t b[16];	/* the first 4 or all 16, network order */
};

struct netaddr_text {
	char s[64]; /* "10.0.0.1/24" */
};

static inline size_t netaddr_len(const struct netaddr *a)
{
	return a->family == 2 /* AF_INET */ ? 4 : 16;
}

/* "A", or "A/PREFIX" (without: all bits). Text that inet_pton would forgive is refused, a zone too. */
int netaddr_parse(const char *s, struct netaddr *out, struct err *e);
struct netaddr_text netaddr_print(const struct netaddr *a, bool with_prefix);

/* Whether `a` lies in `net`. */
bool netaddr_within(const struct netaddr *a, const struct netaddr *net);
/* The prefix as a mask of netaddr_len bytes. */
void netaddr_mask(const struct netaddr *a, uint8_t out[16]);
/* No bit is set behind the prefix. */
bool netaddr_is_net(const struct netaddr *a);
/* An address that an interface can have: no multicast, loopback, link-local, mapped or unspecified one, and inside its
 * prefix neither the network's nor the broadcast address. */
bool netaddr_is_host(const struct netaddr *a);

#endif
