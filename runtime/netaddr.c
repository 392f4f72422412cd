#include "runtime/netaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

int netaddr_parse(const char *s, struct netaddr *out, struct err *e)
{
	struct netaddr a = { .family = strchr(s, ':') ? AF_INET6 : AF_INET };
	const unsigned bits = a.family == AF_INET ? 32 : 128;
	const char *slash = strchr(s, '/');
	const size_t n = slash ? (size_t) (slash - s) : strlen(s);
	uint64_t prefix = bits;
	char text[48];

	if (n >= sizeof(text) || strspn(s, "0123456789abcdefABCDEF.:") != n)
		return err_set(e, EINVAL, "\"%.60s\" is no address", s);
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(a.family, text, a.b) != 1)
		return err_set(e, EINVAL, "\"%.60s\" is no address", s);
	if (slash && str_to_u64(slash + 1, bits, "prefix", &prefix, e) < 0)
		return err_wrap(e, "\"%.60s\"", s);
	a.prefix = (uint8_t) prefix;
	*out = a;
	return 0;
}

struct netaddr_text netaddr_print(const struct netaddr *a, bool with_prefix)
{
	struct netaddr_text t = { "" };
	char text[48] = "";

	(void) inet_ntop(a->family, a->b, text, sizeof(text));
	if (with_prefix)
		(void) snprintf(t.s, sizeof(t.s), "%s/%u", text, a->prefix);
	else
		(void) snprintf(t.s, sizeof(t.s), "%s", text);
	return t;
}

void netaddr_mask(const struct netaddr *a, uint8_t out[16])
{
	for (unsigned i = 0; i < 16; i++) {
		const unsigned rest = a->prefix > 8 * i ? a->prefix - 8 * i : 0;

		out[i] = rest >= 8 ? 0xff : (uint8_t) (0xff00 >> rest);
	}
}

bool netaddr_within(const struct netaddr *a, const struct netaddr *net)
{
	uint8_t mask[16];

	if (a->family != net->family)
		return false;
	netaddr_mask(net, mask);
	for (size_t i = 0; i < netaddr_len(a); i++) {
		if ((a->b[i] ^ net->b[i]) & mask[i])
			return false;
	}
	return true;
}

/* Whether all bits behind the prefix are `ones`. */
static bool rest_is(const struct netaddr *a, bool ones)
{
	uint8_t mask[16];

	netaddr_mask(a, mask);
	for (size_t i = 0; i < netaddr_len(a); i++) {
		const uint8_t rest = (uint8_t) ~mask[i];

		if ((a->b[i] & rest) != (ones ? rest : 0))
			return false;
	}
	return true;
}

bool netaddr_is_net(const struct netaddr *a)
{
	return rest_is(a, false);
}

bool netaddr_is_host(const struct netaddr *a)
{
	static const uint8_t zero[12];
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (a->family == AF_INET) {
		if (a->b[0] == 0 || a->b[0] == 127 || a->b[0] >= 224)
			return false;
		return a->prefix >= 31 || (!rest_is(a, false) && !rest_is(a, true));
	}
	if (a->b[0] == 0xff || (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80))
		return false;
	if (memcmp(a->b, zero, 12) == 0 || memcmp(a->b, mapped, 12) == 0)
		return false;
	return a->prefix >= 127 || !rest_is(a, false);
}
