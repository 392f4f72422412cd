/* The annotation io.carrel.network: a small JSON document, every key of which must be known. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/network.h"

enum { MTU_MIN = 1280, MTU_MAX = 65535, DEPTH_MAX = 3, NODES_MAX = 128 };

/* What the fields are decoded into. */
struct raw {
	const char *mode, *bridge, *interface, *egress;
	const char **addresses, **gateways, **allow;
	uint32_t mtu;
	bool masquerade, forwarding;
};

static void raw_fini(struct raw *r)
{
	free(r->addresses);
	free(r->gateways);
	free(r->allow);
}

static int decode(const struct json *root, struct raw *r, struct err *e)
{
#define ROW(n, fn, m)                                                                          \
	{                                                                                      \
		n, fn, offsetof(struct raw, m), 0                                              \
	}
	static const struct json_field fields[] = {
		{ "mode", json_decode_str, offsetof(struct raw, mode), JSON_REQUIRED },
		ROW("bridge", json_decode_str, bridge),
		ROW("interface", json_decode_str, interface),
		ROW("addresses", json_decode_strv, addresses),
		ROW("gateways", json_decode_strv, gateways),
		ROW("mtu", json_decode_u32, mtu),
		ROW("masquerade", json_decode_bool, masquerade),
		ROW("forwarding", json_decode_bool, forwarding),
		ROW("egress", json_decode_str, egress),
		ROW("allow", json_decode_strv, allow),
	};
#undef ROW
	const struct json_at at = { .name = "" };

	return json_decode_object(root, &at, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_REJECT, r,
				  e);
}

static int take_name(const char *s, const char *what, char out[RTNL_NAME], struct err *e)
{
	if (!rtnl_name_ok(s) || strcmp(s, "lo") == 0)
		return err_set(
			e, EINVAL,
			"%s: \"%.40s\" is no name of an interface (1 to 15 printing characters "
			"without / : %% \\ \" and blanks)",
			what, s);
	return str_copy(out, RTNL_NAME, s, what, e);
}

static int family_index(const struct netaddr *a)
{
	return a->family == AF_INET ? NET_V4 : NET_V6;
}

/* One for each family at most. */
static int take_list(const char *const *v, const char *what, struct netaddr *out, struct err *e)
{
	for (; v && *v; v++) {
		struct netaddr a;

		if (netaddr_parse(*v, &a, e) < 0)
			return err_wrap(e, "%s", what);
		if (!netaddr_is_host(&a))
			return err_set(e, EINVAL,
				       "%s: %.60s is not an address that a machine can have",
				       what, *v);
		if (out[family_index(&a)].family)
			return err_set(e, EINVAL, "%s: more than one of a family (%.60s)", what,
				       *v);
		out[family_index(&a)] = a;
	}
	return 0;
}

static int check_family(const struct netaddr *a, struct netaddr *gw, struct err *e)
{
	const struct netaddr_text t = netaddr_print(a->family ? a : gw, false);

	if (!a->family && !gw->family)
		return 0;
	if (!a->family)
		return err_set(e, EINVAL, "gateways: %s has no address of its family beside it",
			       t.s);
	if (!gw->family)
		return err_set(e, EINVAL, "gateways: none of the family of %s", t.s);
	if (a->prefix < 8 || a->prefix > 8 * netaddr_len(a) - 2)
		return err_set(e, EINVAL,
			       "addresses: %s needs a prefix (/8 to /30, IPv6 /8 to /126)",
			       t.s);
	if (gw->prefix != 8 * netaddr_len(gw))
		return err_set(e, EINVAL, "gateways: %s must not have a prefix",
			       netaddr_print(gw, false).s);
	if (!netaddr_within(gw, a))
		return err_set(e, EINVAL, "gateways: %s is not in the network of %s",
			       netaddr_print(gw, false).s, netaddr_print(a, true).s);
	if (memcmp(gw->b, a->b, netaddr_len(a)) == 0)
		return err_set(e, EINVAL, "gateways: %s is the sandbox's own address", t.s);
	/* It becomes the bridge's address, in the same network. */
	gw->prefix = a->prefix;
	return netaddr_is_host(gw) ? 0
				   : err_set(e, EINVAL, "gateways: %s names a network",
					     netaddr_print(gw, true).s);
}

static int take_addresses(const struct raw *r, struct network_spec *n, struct err *e)
{
	if (take_list(r->addresses, "addresses", n->address, e) < 0 ||
	    take_list(r->gateways, "gateways", n->gateway, e) < 0)
		return -1;
	for (int f = 0; f < NET_FAMILIES; f++) {
		if (check_family(&n->address[f], &n->gateway[f], e) < 0)
			return -1;
	}
	if (!n->address[NET_V4].family && !n->address[NET_V6].family)
		return err_set(e, EINVAL, "addresses: mode \"bridge\" needs one");
	if (r->mtu < MTU_MIN || r->mtu > MTU_MAX)
		return err_set(e, EINVAL, "mtu: %u is not between %d and %d", r->mtu, MTU_MIN,
			       MTU_MAX);
	n->mtu = r->mtu;
	return 0;
}

/* ":PORT/PROTO" */
static int take_port(const char *s, struct network_allow *out, struct err *e)
{
	const char *slash = strchr(s, '/');
	const size_t n = slash ? (size_t) (slash - s) : 0;
	char digits[8];
	uint64_t port;

	if (!slash || n < 2 || n > sizeof(digits))
		return err_set(e, EINVAL, "\"%.40s\" is not :PORT/tcp or :PORT/udp", s);
	memcpy(digits, s + 1, n - 1);
	digits[n - 1] = '\0';
	if (str_to_u64(digits, UINT16_MAX, "port", &port, e) < 0)
		return -1;
	if (strcmp(slash, "/tcp") == 0)
		out->proto = IPPROTO_TCP;
	else if (strcmp(slash, "/udp") == 0)
		out->proto = IPPROTO_UDP;
	else
		return err_set(e, EINVAL, "\"%.40s\" is neither tcp nor udp", slash + 1);
	if (port == 0)
		return err_set(e, EINVAL, "port 0 is none");
	out->port = (uint16_t) port;
	return 0;
}

/* CIDR, CIDR:PORT/PROTO, or for IPv6 with a port [CIDR]:PORT/PROTO. */
static int take_exception(const char *s, struct network_allow *out, struct err *e)
{
	const char *const first = strchr(s, ':');
	const bool bracket = s[0] == '[';
	const bool v4 = !bracket && first && !strchr(first + 1, ':');
	const char *end = bracket ? strchr(s, ']') : v4 ? first : s + strlen(s);
	const char *start = bracket ? s + 1 : s;
	char cidr[64];

	if (!end || (size_t) (end - start) >= sizeof(cidr))
		return err_set(e, EINVAL, "no address and prefix");
	memcpy(cidr, start, (size_t) (end - start));
	cidr[end - start] = '\0';
	if (netaddr_parse(cidr, &out->to, e) < 0)
		return -1;
	if (bracket && out->to.family != AF_INET6)
		return err_set(e, EINVAL, "brackets are for IPv6");
	if (!netaddr_is_net(&out->to))
		return err_set(e, EINVAL, "bits are set behind its prefix");
	if (bracket)
		end++;
	if (*end == '\0')
		return 0;
	return *end == ':' ? take_port(end, out, e)
			   : err_set(e, EINVAL, "\"%.20s\" follows the address", end);
}

static int take_egress(const struct raw *r, struct network_spec *n, struct err *e)
{
	if (strcmp(r->egress, "none") == 0)
		n->deny_all = true;
	else if (strcmp(r->egress, "public") != 0)
		return err_set(e, EINVAL,
			       "egress: \"%.40s\" is neither \"public\" nor \"none\"",
			       r->egress);
	for (const char *const *v = r->allow; v && *v; v++) {
		if (n->n_allow == NETWORK_ALLOW_MAX)
			return err_set(e, E2BIG, "allow: more than %d entries",
				       NETWORK_ALLOW_MAX);
		struct network_allow *a = &n->allow[n->n_allow];
		if (take_exception(*v, a, e) < 0)
			return err_wrap(e, "allow[%zu]: \"%.80s\"", n->n_allow, *v);
		if (!n->address[family_index(&a->to)].family)
			return err_set(e, EINVAL,
				       "allow[%zu]: \"%.80s\": the sandbox has no address of "
				       "that family",
				       n->n_allow, *v);
		n->n_allow++;
	}
	return 0;
}

static int take_all(const struct raw *r, struct network_spec *n, struct err *e)
{
	if (take_name(r->bridge, "bridge", n->bridge, e) < 0 ||
	    take_name(r->interface, "interface", n->interface, e) < 0 ||
	    take_addresses(r, n, e) < 0 || take_egress(r, n, e) < 0)
		return -1;
	n->masquerade = r->masquerade;
	n->forwarding = r->forwarding;
	return 0;
}

static int parse(const struct json *root, struct raw *r, struct network_spec *out,
		 struct err *e)
{
	struct network_spec n = { 0 };

	if (decode(root, r, e) < 0)
		return -1;
	if (strcmp(r->mode, "none") == 0) {
		if (root->count > 1)
			return err_set(e, EINVAL,
				       "mode: \"none\" leaves nothing to say beside it");
		*out = n;
		return 1;
	}
	if (strcmp(r->mode, "bridge") != 0)
		return err_set(e, EINVAL, "mode: \"%.40s\" is neither \"bridge\" nor \"none\"",
			       r->mode);
	if (take_all(r, &n, e) < 0)
		return -1;
	*out = n;
	return 0;
}

int network_parse(const char *text, size_t n, struct network_spec *out, struct err *e)
{
	const struct json_limits limits = { NETWORK_TEXT_MAX, DEPTH_MAX, NODES_MAX };
	struct raw r = {
		.bridge = "carrel0", .interface = "eth0", .egress = "public", .mtu = 1500
	};
	auto_json struct json_doc *doc = NULL;

	if (json_parse(text, n, &limits, &doc, e) < 0)
		return -1;
	const int r_code = parse(json_root(doc), &r, out, e);
	raw_fini(&r);
	return r_code;
}
