/* The annotation of a network, strictly; addresses; the messages that go to the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/util.h"
#include "runtime/netaddr.h"
#include "runtime/netdev.h"
#include "runtime/netlink.h"
#include "runtime/network.h"

static int parse(const char *text, struct network_spec *n, struct err *e)
{
	*e = ERR_NONE;
	return network_parse(text, strlen(text), n, e);
}

#define A4 "\"addresses\":[\"10.0.0.5/24\"],\"gateways\":[\"10.0.0.1\"]"
#define B4 "{\"mode\":\"bridge\"," A4

static void test_defaults(void **state)
{
	struct network_spec n;
	struct err e;

	assert_int_equal(parse(B4 "}", &n, &e), 0);
	assert_string_equal(n.bridge, "carrel0");
	assert_string_equal(n.interface, "eth0");
	assert_int_equal(n.mtu, 1500);
	assert_false(n.masquerade || n.forwarding || n.deny_all);
	assert_int_equal(n.n_allow, 0);
	assert_int_equal(n.address[NET_V4].prefix, 24);
	/* The gateway is the bridge's address, in the same network. */
	assert_int_equal(n.gateway[NET_V4].prefix, 24);
	assert_int_equal(n.address[NET_V6].family, 0);
	assert_int_equal(parse("{\"mode\":\"none\"}", &n, &e), 1);
}

static void test_full(void **state)
{
	struct network_spec n;
	struct err e;

	assert_int_equal(
		parse("{\"mode\":\"bridge\",\"bridge\":\"br-1.x\",\"interface\":\"net0\",\"mtu\":1400,"
		      "\"addresses\":[\"fd00::5/64\",\"10.0.0.5/24\"],"
		      "\"gateways\":[\"10.0.0.1\",\"fd00::1\"],\"masquerade\":true,"
		      "\"forwarding\":true,\"egress\":\"none\",\"allow\":[\"10.1.2.0/24\","
		      "\"8.8.8.8:53/udp\",\"[fd01::/16]:443/tcp\",\"2001:db8::/32\",\"0.0.0.0/0\"]}",
		      &n, &e),
		0);
	assert_string_equal(n.bridge, "br-1.x");
	assert_string_equal(n.interface, "net0");
	assert_int_equal(n.mtu, 1400);
	assert_true(n.masquerade && n.forwarding && n.deny_all);
	assert_int_equal(n.n_allow, 5);
	assert_int_equal(n.allow[0].to.prefix, 24);
	assert_int_equal(n.allow[0].proto, 0);
	assert_int_equal(n.allow[1].to.prefix, 32);
	assert_int_equal(n.allow[1].proto, IPPROTO_UDP);
	assert_int_equal(n.allow[1].port, 53);
	assert_int_equal(n.allow[2].to.family, AF_INET6);
	assert_int_equal(n.allow[2].to.prefix, 16);
	assert_int_equal(n.allow[2].proto, IPPROTO_TCP);
	assert_int_equal(n.allow[3].to.prefix, 32);
	assert_int_equal(n.allow[4].to.prefix, 0);
}

/* What is refused, and what the sentence must say. */
static const struct {
	const char *text, *want;
} bad[] = {
	{ "", "" },
	{ "[]", "" },
	{ "{}", "mode: required" },
	{ "{\"mode\":null}", "mode: must be a string" },
	{ "{\"mode\":\"host\"}", "neither \"bridge\" nor \"none\"" },
	{ "{\"mode\":\"none\",\"mtu\":1500}", "leaves nothing to say" },
	{ "{\"mode\":\"bridge\"}", "addresses: mode \"bridge\" needs one" },
	{ B4 ",\"colour\":1}", "colour" },
	{ B4 ",\"mtu\":1500,\"mtu\":1500}", "" },
	{ B4 "} x", "" },
	{ B4 ",\"bridge\":\"\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"sixteen-letters-\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"..\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"a/b\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"a b\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"a;reboot\\n\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"br%d\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"\\u00e9\"}", "no name of an interface" },
	{ B4 ",\"bridge\":\"a\\u0000b\"}", "NUL" },
	{ B4 ",\"interface\":\"lo\"}", "no name of an interface" },
	{ B4 ",\"mtu\":68}", "mtu: 68 is not between" },
	{ B4 ",\"mtu\":65536}", "mtu: 65536 is not between" },
	{ B4 ",\"mtu\":\"1500\"}", "mtu: must be" },
	{ B4 ",\"masquerade\":1}", "masquerade: must be" },
	{ B4 ",\"egress\":\"all\"}", "egress" },
	{ B4 ",\"allow\":\"10.0.0.0/8\"}", "allow: must be" },
	{ B4 ",\"allow\":[\"10.0.0.1/8\"]}", "bits are set behind its prefix" },
	{ B4 ",\"allow\":[\"10.0.0.0/33\"]}", "prefix" },
	{ B4 ",\"allow\":[\"10.0.0.0/-1\"]}", "prefix" },
	{ B4 ",\"allow\":[\"10.0.0.0/\"]}", "prefix" },
	{ B4 ",\"allow\":[\"010.0.0.1\"]}", "is no address" },
	{ B4 ",\"allow\":[\"10.0.0\"]}", "is no address" },
	{ B4 ",\"allow\":[\"0x7f.1\"]}", "is no address" },
	{ B4 ",\"allow\":[\"\"]}", "is no address" },
	{ B4 ",\"allow\":[\"example.org\"]}", "is no address" },
	{ B4 ",\"allow\":[\"10.0.0.1:\"]}", "is not :PORT/tcp" },
	{ B4 ",\"allow\":[\"10.0.0.1:80\"]}", "is not :PORT/tcp" },
	{ B4 ",\"allow\":[\"10.0.0.1:/tcp\"]}", "is not :PORT/tcp" },
	{ B4 ",\"allow\":[\"10.0.0.1:0/tcp\"]}", "port 0" },
	{ B4 ",\"allow\":[\"10.0.0.1:65536/tcp\"]}", "port" },
	{ B4 ",\"allow\":[\"10.0.0.1:80/sctp\"]}", "neither tcp nor udp" },
	{ B4 ",\"allow\":[\"10.0.0.1:80/tcp \"]}", "neither tcp nor udp" },
	{ B4 ",\"allow\":[\"[10.0.0.1]:80/tcp\"]}", "brackets are for IPv6" },
	{ B4 ",\"allow\":[\"[fd00::1\"]}", "no address" },
	{ B4 ",\"allow\":[\"[fd00::1]80/tcp\"]}", "follows the address" },
	{ B4 ",\"allow\":[\"fd00::/16\"]}", "no address of that family" },
	{ B4 ",\"allow\":[\"fe80::1%eth0\"]}", "is no address" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5/24\"]}", "gateways: none" },
	{ "{\"mode\":\"bridge\",\"gateways\":[\"10.0.0.1\"]}", "no address of its family" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5\"],\"gateways\":[\"10.0.0.1\"]}",
	  "needs a prefix" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5/31\"],\"gateways\":[\"10.0.0.4\"]}",
	  "needs a prefix" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.0/24\"],\"gateways\":[\"10.0.0.1\"]}",
	  "not an address that a machine can have" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.255/24\"],\"gateways\":[\"10.0.0.1\"]}",
	  "not an address that a machine can have" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"127.0.0.2/8\"],\"gateways\":[\"127.0.0.1\"]}",
	  "not an address that a machine can have" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"224.0.0.2/8\"],\"gateways\":[\"224.0.0.1\"]}",
	  "not an address that a machine can have" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"::1/64\"],\"gateways\":[\"::2\"]}",
	  "not an address that a machine can have" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"fe80::5/64\"],\"gateways\":[\"fe80::1\"]}",
	  "not an address that a machine can have" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"::ffff:10.0.0.5/100\"],\"gateways\":[\"::ffff:10.0.0.1\"]}",
	  "not an address that a machine can have" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5/24\",\"10.0.0.6/24\"],\"gateways\":[\"10.0.0.1\"]}",
	  "more than one of a family" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5/24\"],\"gateways\":[\"10.0.1.1\"]}",
	  "is not in the network of" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5/24\"],\"gateways\":[\"10.0.0.5\"]}",
	  "own address" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5/24\"],\"gateways\":[\"10.0.0.255\"]}",
	  "names a network" },
	{ "{\"mode\":\"bridge\",\"addresses\":[\"10.0.0.5/24\"],\"gateways\":[\"10.0.0.1/24\"]}",
	  "must not have a prefix" },
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct network_spec n;
		struct err e;

		if (parse(bad[i].text, &n, &e) != -1)
			fail_msg("accepted: %s", bad[i].text);
		if (!e.msg[0] || !strstr(e.msg, bad[i].want))
			fail_msg("%s: wanted \"%s\", got \"%s\"", bad[i].text, bad[i].want,
				 e.msg);
	}
}

static void test_bounds(void **state)
{
	char text[NETWORK_TEXT_MAX * 2] = B4 ",\"allow\":[\"1.0.0.0\"";
	struct network_spec n;
	struct err e;

	for (int i = 1; i < NETWORK_ALLOW_MAX; i++)
		strcat(text, ",\"1.0.0.0\"");
	strcat(text, "]}");
	assert_int_equal(parse(text, &n, &e), 0);
	assert_int_equal(n.n_allow, NETWORK_ALLOW_MAX);

	text[strlen(text) - 2] = '\0';
	strcat(text, ",\"1.0.0.0\"]}");
	assert_int_equal(parse(text, &n, &e), -1);
	assert_non_null(strstr(e.msg, "more than 64"));

	memset(text, ' ', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(parse(text, &n, &e), -1);
}

static void test_within(void **state)
{
	static const struct {
		const char *a, *net;
		bool in;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.0/8", true },
		{ "11.0.0.1", "10.0.0.0/8", false },
		{ "172.31.0.1", "172.16.0.0/12", true },
		{ "172.32.0.1", "172.16.0.0/12", false },
		{ "1.2.3.4", "0.0.0.0/0", true },
		{ "1.2.3.4", "1.2.3.4", true },
		{ "1.2.3.5", "1.2.3.4", false },
		{ "fd00::1", "fc00::/7", true },
		{ "fe00::1", "fc00::/7", false },
		{ "fd00::1", "0.0.0.0/0", false },
		{ "64:ff9b::a00:1", "64:ff9b::10.0.0.0/104", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct netaddr a, net;
		struct err e = ERR_NONE;

		assert_int_equal(netaddr_parse(cases[i].a, &a, &e), 0);
		assert_int_equal(netaddr_parse(cases[i].net, &net, &e), 0);
		assert_true(netaddr_is_net(&net));
		if (netaddr_within(&a, &net) != cases[i].in)
			fail_msg("%s in %s", cases[i].a, cases[i].net);
	}
}

static void test_messages(void **state)
{
	auto_nl struct nl_batch b = NL_BATCH;
	const uint32_t head = 7;
	const struct nlattr *tb[4], *inner[3];

	nl_begin(&b, 100, 0, &head, sizeof(head));
	nl_begin(&b, 101, NLM_F_CREATE, &head, sizeof(head));
	nl_str(&b, 1, "abc");
	nl_nest(&b, 2);
	nl_u8(&b, 1, 9);
	nl_u32(&b, 2, 10);
	nl_unnest(&b);
	nl_u32(&b, 3, 11);
	nl_ack(&b);

	const struct nlmsghdr *first = (const void *) buf_bytes(&b.b);
	const struct nlmsghdr *m = (const void *) (buf_bytes(&b.b) + first->nlmsg_len);
	assert_int_equal(first->nlmsg_len, NLMSG_LENGTH(4));
	assert_int_equal(m->nlmsg_seq, 2);
	assert_int_equal(m->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK);
	assert_int_equal(first->nlmsg_len + m->nlmsg_len, buf_len(&b.b));
	nl_parse(m, sizeof(head), tb, 3);
	assert_int_equal(nl_get_u32(tb[3]), 11);
	assert_int_equal(nl_get_u32(tb[1]), 0x636261);
	nl_parse_nest(tb[2], inner, 2);
	assert_int_equal(nl_get_u32(inner[2]), 10);
	assert_null(inner[0]);

	/* What is cut off is not read. */
	struct nlmsghdr cut = *m;
	cut.nlmsg_len = NLMSG_HDRLEN;
	nl_parse(&cut, sizeof(head), tb, 3);
	assert_null(tb[1]);
}

static void test_devices(void **state)
{
	static const struct netdev_spec good[] = { { "a", "b" }, { "b", "a" } };
	static const struct netdev_spec twice[] = { { "a", "c" }, { "c", NULL } };
	static const struct netdev_spec name[] = { { "a/b", NULL } };
	static const struct netdev_spec as[] = { { "a", "lo" } };
	struct err e = ERR_NONE;

	assert_int_equal(netdev_check(good, 2, &e), 0);
	assert_int_equal(netdev_check(twice, 2, &e), -1);
	assert_non_null(strstr(e.msg, "a and c would both be c"));
	assert_int_equal(netdev_check(name, 1, &e), -1);
	assert_int_equal(netdev_check(as, 1, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_full),
		cmocka_unit_test(test_bad),	 cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_within),	 cmocka_unit_test(test_messages),
		cmocka_unit_test(test_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
