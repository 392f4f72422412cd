/* Any bytes as the annotation of a network: refused with a sentence, or every promise of the header holds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "runtime/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct network_spec *n)
{
	if (!rtnl_name_ok(n->bridge) || !rtnl_name_ok(n->interface) || n->mtu < 1280 ||
	    n->n_allow > NETWORK_ALLOW_MAX)
		abort();
	for (int f = 0; f < NET_FAMILIES; f++) {
		const struct netaddr *a = &n->address[f];

		if (!a->family != !n->gateway[f].family)
			abort();
		if (a->family && (!netaddr_is_host(a) || !netaddr_within(&n->gateway[f], a) ||
				  memcmp(a->b, n->gateway[f].b, netaddr_len(a)) == 0))
			abort();
	}
	for (size_t i = 0; i < n->n_allow; i++) {
		if (!netaddr_is_net(&n->allow[i].to) || !n->allow[i].proto != !n->allow[i].port)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct network_spec spec;
	struct err e = ERR_NONE;
	const int r = network_parse((const char *) data, n, &spec, &e);

	if (r == 0)
		check(&spec);
	else if (r < 0 && (!e.code || !e.msg[0]))
		abort();
	return 0;
}
