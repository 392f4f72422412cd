/* What a bundle is made from beside the image: users of its files, tiers. */
#include "tests/unit/scratch.h"

#include "base/err.h"
#include "base/util.h"
#include "images/tier.h"
#include "images/user.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "u:x:1000:1001:,,,:/home/u:/bin/bash\n"
			     "0:x:1234:1234::/home/zero:/bin/sh\n"
			     "big:x:4294967296:0::/:/bin/sh\n"
			     "odd:x:7:7::/home/../root:/bin/sh\n"
			     "short:x:8\n"
			     ":x:9:9::/:/x\n"
			     "last:x:10:10::/srv/last";
static const char group[] =
	"root:x:0:\nu:x:1001:\nextra:x:2000:a,u\nmore:x:2001:u,b\nno:x:2002:uu\n"
	"own:x:1001:u\nbad:x:-1:\n";

static void users(void **state)
{
	static const struct {
		const char *spec;
		uint32_t uid, gid;
		size_t groups;
		const char *home;
	} good[] = {
		{ NULL, 0, 0, 0, "/root" },
		{ "", 0, 0, 0, "/root" },
		{ "root", 0, 0, 0, "/root" },
		{ "u", 1000, 1001, 2, "/home/u" },
		{ "1000", 1000, 1001, 2, "/home/u" },
		{ "u:2000", 1000, 2000, 0, "/home/u" },
		{ "u:extra", 1000, 2000, 0, "/home/u" },
		/* a number is never a name */
		{ "0", 0, 0, 0, "/root" },
		{ "5", 5, 0, 0, "" },
		{ "5:7", 5, 7, 0, "" },
		{ "4294967294", 4294967294U, 0, 0, "" },
		{ "odd", 7, 7, 0, "" },
		{ "last", 10, 10, 0, "/srv/last" },
	};
	static const char *const bad[] = { "nobody",	"4294967295", "4294967296",
					   "-1",	"1:",	      ":1",
					   "u:nogroup", "u:-1",	      "big",
					   "short",	"u:bad",      "1000:4294967296",
					   "+1",	" 1" };
	struct user u;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err e = ERR_NONE;

		if (user_resolve(good[i].spec, passwd, group, &u, &e) < 0)
			fail_msg("%s: %s", good[i].spec, e.msg);
		assert_int_equal(u.uid, good[i].uid);
		assert_int_equal(u.gid, good[i].gid);
		assert_int_equal(u.n_groups, good[i].groups);
		assert_string_equal(u.home, good[i].home);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err e = ERR_NONE;

		if (user_resolve(bad[i], passwd, group, &u, &e) == 0)
			fail_msg("%s was accepted", bad[i]);
	}
	struct err e = ERR_NONE;
	assert_int_equal(user_resolve("7", "", "", &u, &e), 0);
	assert_int_equal(user_resolve("root", "", "", &u, &e), -1);
}

static void tiers(void **state)
{
	static const char good[] =
		"tiers:\n  free: {cpu: 0.5, memory: 512Mi, pids: 128, "
		"disk: 256Mi, idle: 15m}\n"
		"  pro: {cpu: 2, memory: 1073741824, swap: 1Gi, pids: 9, disk: "
		"1Gi, nofile: 4096, network: egress}\n";
	static const char *const bad[] = {
		"tiers: {free: {cpu: 0.5, memroy: 512Mi, pids: 1, disk: 1Mi}}",
		"tiers: {free: {cpu: 0, memory: 512Mi, pids: 1, disk: 1Mi}}",
		"tiers: {free: {cpu: -1, memory: 512Mi, pids: 1, disk: 1Mi}}",
		"tiers: {free: {cpu: x, memory: 512Mi, pids: 1, disk: 1Mi}}",
		"tiers: {free: {cpu: 1, memory: 1Ki, pids: 1, disk: 1Mi}}",
		"tiers: {free: {cpu: 1, memory: 512Mx, pids: 1, disk: 1Mi}}",
		"tiers: {free: {cpu: 1, memory: 512Mi, pids: 0, disk: 1Mi}}",
		"tiers: {free: {cpu: 1, memory: 512Mi, pids: 1, disk: 16777216Ti}}",
		"tiers: {free: {cpu: 1, memory: 512Mi, pids: 1}}",
		"tiers: {free: {cpu: 1, memory: 512Mi, pids: 1, disk: 1Mi, network: all}}",
		"tiers: {free: {cpu: 1, memory: 512Mi, pids: 1, disk: 1Mi, network: true}}",
		"tiers: {pro: {cpu: 1, memory: 512Mi, pids: 1, disk: 1Mi}}",
		"tiers: 3",
		"",
	};
	struct tier t;
	struct err e = ERR_NONE;

	assert_int_equal(tier_parse(good, strlen(good), "free", &t, &e), 0);
	assert_true(t.cpu == 0.5);
	assert_int_equal(t.memory, 512 << 20);
	assert_int_equal(t.swap, 0);
	assert_int_equal(t.nofile, 1024);
	assert_int_equal(t.network, NET_MODE_NONE);
	assert_int_equal(tier_parse(good, strlen(good), "pro", &t, &e), 0);
	assert_int_equal(t.memory, 1 << 30);
	assert_int_equal(t.swap, 1 << 30);
	assert_int_equal(t.nofile, 4096);
	assert_int_equal(t.network, NET_MODE_EGRESS);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		e = ERR_NONE;
		if (tier_parse(bad[i], strlen(bad[i]), "free", &t, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users),
		cmocka_unit_test(tiers),
	};

	return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
