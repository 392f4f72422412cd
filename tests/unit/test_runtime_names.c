/* Id maps, kernel parameters, and the names of capabilities, namespaces and limits. */
#include "tests/unit/scratch.h"

#include <sched.h>

#include "base/util.h"
#include "runtime/caps.h"
#include "runtime/idmap.h"
#include "runtime/ns.h"
#include "runtime/process.h"
#include "runtime/sysctl.h"

/* ---- id maps ---- */

#define MAP(...)                                                                               \
	((struct idmap){ (const struct idmap_row[]){ __VA_ARGS__ },                            \
			 sizeof((const struct idmap_row[]){ __VA_ARGS__ }) /                   \
				 sizeof(struct idmap_row) })

static void test_idmap_check(void **state)
{
	struct idmap_row many[341];
	struct idmap m = MAP({ 0, 1000, 1 }, { 1, 100000, 65535 });

	assert_ok(idmap_check(&m, "map", &e));
	m = MAP({ 0, 0, UINT32_MAX }); /* the identity of the initial namespace */
	assert_ok(idmap_check(&m, "map", &e));
	m = MAP({ 0, 1000, 0 });
	assert_err(idmap_check(&m, "map", &e), EINVAL);
	m = MAP({ UINT32_MAX, 1000, 1 });
	assert_err(idmap_check(&m, "map", &e), ERANGE);
	m = MAP({ 0, UINT32_MAX - 5, 6 });
	assert_err(idmap_check(&m, "map", &e), ERANGE);
	m = MAP({ 0, 5, UINT32_MAX });
	assert_err(idmap_check(&m, "map", &e), ERANGE);
	m = MAP({ 0, 1000, 10 }, { 9, 2000, 10 });
	assert_err(idmap_check(&m, "map", &e), EINVAL);
	m = MAP({ 0, 1000, 10 }, { 10, 1009, 1 });
	assert_err(idmap_check(&m, "map", &e), EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct idmap_row){ (uint32_t) i, (uint32_t) (1000 + i), 1 };
	m = (struct idmap){ many, 340 };
	assert_ok(idmap_check(&m, "map", &e));
	m.n = 341;
	assert_err(idmap_check(&m, "map", &e), E2BIG);
}

static void test_idmap_lookup(void **state)
{
	const struct idmap m = MAP({ 0, 1000, 1 }, { 10, 100000, 5 });
	uint32_t out;

	assert_int_equal(idmap_to_outside(&m, 0, &out), 0);
	assert_int_equal(out, 1000);
	assert_int_equal(idmap_to_outside(&m, 14, &out), 0);
	assert_int_equal(out, 100004);
	assert_int_equal(idmap_to_outside(&m, 15, &out), 1);
	assert_int_equal(out, UINT32_MAX);
	assert_int_equal(idmap_to_outside(&m, 1, &out), 1);
}

/* ---- kernel parameters ---- */

static void test_sysctl_keys(void **state)
{
	static const struct {
		const char *key, *value;
		bool good;
	} cases[] = {
		{ "kernel.shmmax", "1", true },
		{ "kernel/shmmax", "1", true },
		{ "kernel.shm_rmid_forced", "1", true },
		{ "kernel.msgmni", "1", true },
		{ "kernel.sem", "250 32000 100 128", true },
		{ "fs.mqueue.msg_max", "10", true },
		{ "net.ipv4.ip_forward", "1", true },
		{ "net/ipv4/conf/eth0.1/forwarding", "1", true },
		{ "net.ipv4.conf.eth0/1.forwarding", "1", true },
		{ "net.ipv4.tcp_rmem", "4096\t87380\t6291456", true },
		{ "kernel.domainname", "x", true },
		{ "kernel.hostname", "x", false },
		{ "kernel.core_pattern", "|/x", false },
		{ "kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x\n", false },
		{ "kernel.shm_rmid_forced=1+kernel.core_pattern", "|/x", false },
		{ "kernel.shmmax.x", "1", false },
		{ "kernel.shmmaxx", "1", false },
		{ "kernel", "1", false },
		{ "net", "1", false },
		{ "net.", "1", false },
		{ ".net.x", "1", false },
		{ "net..x", "1", false },
		{ "net/../kernel/core_pattern", "1", false },
		{ "net/./x", "1", false },
		{ "net./../x", "1", false },
		{ "/proc/sys/net/x", "1", false },
		{ "", "1", false },
		{ "net.x y", "1", false },
		{ "net.x\n", "1", false },
		{ "vm.swappiness", "1", false },
		{ "fs.mqueue", "1", false },
		{ "fs.mqueuex.y", "1", false },
		{ "net.x", "1\n", false },
		{ "net.x", "1\x7f", false },
	};
	struct ns_spec ns = { 0 };

	ns.ns[NS_IPC].listed = ns.ns[NS_NET].listed = ns.ns[NS_UTS].listed = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sysctl_pair p = { cases[i].key, cases[i].value };
		struct err e = ERR_NONE;

		if ((sysctl_check(&p, 1, &ns, &e) == 0) != cases[i].good)
			fail_msg("%s=%s: %s", p.key, p.value,
				 cases[i].good ? e.msg : "accepted");
	}
	ns.ns[NS_NET].listed = false;
	assert_err(sysctl_check(&(struct sysctl_pair){ "net.ipv4.ip_forward", "1" }, 1, &ns,
				&e),
		   EINVAL);
}

static void test_sysctl_lengths(void **state)
{
	struct ns_spec ns = { 0 };
	char key[400] = "net.", value[5000] = "";

	ns.ns[NS_NET].listed = true;
	memset(key + 4, 'x', sizeof(key) - 5);
	assert_err(sysctl_check(&(struct sysctl_pair){ key, "1" }, 1, &ns, &e), ENAMETOOLONG);
	memset(value, '1', sizeof(value) - 1);
	assert_err(sysctl_check(&(struct sysctl_pair){ "net.x", value }, 1, &ns, &e), E2BIG);
}

/* ---- names ---- */

static void test_names(void **state)
{
	enum ns_kind k;
	uint64_t bit = 0;
	int resource;

	assert_int_equal(caps_parse("CAP_CHOWN", &bit), 0);
	assert_int_equal(bit, 1);
	assert_int_equal(caps_parse("CAP_CHECKPOINT_RESTORE", &bit), 0);
	assert_true(bit == UINT64_C(1) << 40);
	assert_int_equal(caps_parse("CAP_", &bit), 1);
	assert_int_equal(caps_parse("CHOWN", &bit), 1);
	assert_int_equal(caps_parse("", &bit), 1);
	assert_ok(ns_kind_parse("mount", &k, &e));
	assert_int_equal(k, NS_MNT);
	assert_err(ns_kind_parse("mnt", &k, &e), EINVAL);
	assert_ok(process_rlimit_parse("RLIMIT_NOFILE", &resource, &e));
	assert_int_equal(resource, RLIMIT_NOFILE);
	assert_err(process_rlimit_parse("NOFILE", &resource, &e), EINVAL);
}

static void test_clone_flags(void **state)
{
	struct ns_spec ns = { 0 };

	for (int k = 0; k < NS_COUNT; k++)
		ns.ns[k].listed = true;
	ns.ns[NS_NET].path = "/proc/1/ns/net";
	assert_int_equal(ns_clone_flags(&ns), CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS |
						      CLONE_NEWPID | CLONE_NEWNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idmap_check), cmocka_unit_test(test_idmap_lookup),
		cmocka_unit_test(test_sysctl_keys), cmocka_unit_test(test_sysctl_lengths),
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_clone_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
