/*
 * The systemd driver as far as no systemd is needed: names of units and slices, limits and annotations as lines of a
 * request, and the request as carrel-sdbus reads it.
 */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/util.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_systemd.h"
#include "runtime/systemd/request.h"

static void test_slices(void **state)
{
	/* clang-format off */
	static const struct { const char *slice, *path; } rows[] = {
		{ "a.slice", "a.slice" }, { "a-b.slice", "a.slice/a-b.slice" },
		{ "a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice" }, { "-.slice", "" },
		{ "user-1000.slice", "user.slice/user-1000.slice" },
		{ "kubepods-besteffort-pod1_2.slice",
		  "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice" },
		{ "", NULL }, { ".slice", NULL }, { "a", NULL }, { "a.scope", NULL }, { "a--b.slice", NULL },
		{ "-a.slice", NULL }, { "a-.slice", NULL }, { "a/b.slice", NULL }, { "../a.slice", NULL },
		{ "a b.slice", NULL }, { "a\nb.slice", NULL }, { "a\tb.slice", NULL },
	};
	/* clang-format on */

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		auto_free char *path = NULL;
		const int r = unit_slice_expand(rows[i].slice, &path, &e);

		assert_int_equal(r, rows[i].path ? 0 : -1);
		if (rows[i].path)
			assert_string_equal(path, rows[i].path);
	}
}

static void test_units(void **state)
{
	/* clang-format off */
	static const struct { const char *path; bool user; const char *unit, *slice, *place; } rows[] = {
		{ NULL, false, "carrel-box.scope", "system.slice", "system.slice/carrel-box.scope" },
		{ "", true, "carrel-box.scope", "user.slice", "user.slice/carrel-box.scope" },
		{ "machine.slice:libpod:1f", false, "libpod-1f.scope", "machine.slice", "machine.slice/libpod-1f.scope" },
		{ "a-b.slice:p:n", true, "p-n.scope", "a-b.slice", "a.slice/a-b.slice/p-n.scope" },
		{ ":p:n", false, "p-n.scope", "system.slice", "system.slice/p-n.scope" },
		{ "-.slice:p:n", false, "p-n.scope", "-.slice", "p-n.scope" },
		{ "a.slice::a-c.slice", false, "a-c.slice", "a.slice", "a.slice/a-c.slice" },
		{ "a", false, NULL, NULL, NULL }, { "/a/b", false, NULL, NULL, NULL },
		{ "a.slice:b", false, NULL, NULL, NULL }, { "a.slice:b:c:d", false, NULL, NULL, NULL },
		{ "a.slice:b:", false, NULL, NULL, NULL }, { "a:b:c", false, NULL, NULL, NULL },
		{ "a.slice:b/../x:c", false, NULL, NULL, NULL }, { "a.slice:b:c\nunit", false, NULL, NULL, NULL },
	};
	/* clang-format on */

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cgroup_spec s = { .id = "box",
					       .path = rows[i].path,
					       .rootless = rows[i].user };
		struct unit_names n = { 0 };
		struct err e = ERR_NONE;

		assert_int_equal(unit_names_choose(&s, &n, &e), rows[i].unit ? 0 : -1);
		if (rows[i].unit) {
			assert_string_equal(n.unit, rows[i].unit);
			assert_string_equal(n.slice, rows[i].slice);
			assert_string_equal(n.path, rows[i].place);
		}
		unit_names_fini(&n);
	}
}

static void test_masks(void **state)
{
	/* clang-format off */
	static const struct { const char *list, *mask; } rows[] = {
		{ "0", "01" }, { "0-3", "0f" }, { "1,3", "0a" }, { "8", "0001" }, { "0,8-9", "0103" }, { "63", "0000000000000080" },
		{ "a", NULL }, { "3-1", NULL }, { "-1", NULL }, { "1-", NULL }, { "99999", NULL },
	};
	/* clang-format on */

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf out = BUF_LIMIT(65536);
		struct err e = ERR_NONE;

		assert_int_equal(unit_cpu_mask(rows[i].list, "cpu.cpus", &out, &e),
				 rows[i].mask ? 0 : -1);
		if (rows[i].mask)
			assert_string_equal(buf_str(&out), rows[i].mask);
	}
}

static void expect_limits(const struct cgroup_resources *r, bool v2, enum unit_part part,
			  const char *want)
{
	auto_buf struct buf out = BUF_LIMIT(65536);
	struct err e = ERR_NONE;

	assert_int_equal(unit_put_limits(r, v2, part, &out, &e), 0);
	assert_string_equal(buf_str(&out), want);
}

static void test_limits(void **state)
{
	struct cgroup_resources r = CGROUP_RESOURCES_UNSET;
	struct cgroup_pair files[] = { { "pids.max", "9" },
				       { "memory.high", "max" },
				       { "hugetlb.2MB.max", "1" } };
	struct cgroup_pair idle[] = { { "cpu.weight", "8" },
				      { "cpu.idle", "1" },
				      { "cpu.max", "max" } };

	(void) state;
	expect_limits(&r, true, UNIT_ALL, "");
	r.pids = 0;
	expect_limits(&r, true, UNIT_TASKS, "p\tt\tTasksMax\t1\n");
	expect_limits(&r, true, UNIT_ALL_BUT_TASKS, "");
	r.pids = -1;
	expect_limits(&r, false, UNIT_ALL, "p\tt\tTasksMax\t18446744073709551615\n");
	r = CGROUP_RESOURCES_UNSET;
	r.memory.limit = 100;
	r.memory.swap = 150;
	r.memory.reservation = 50;
	expect_limits(&r, true, UNIT_ALL,
		      "p\tt\tMemoryMax\t100\np\tt\tMemoryLow\t50\np\tt\tMemorySwapMax\t50\n");
	expect_limits(&r, false, UNIT_ALL, "p\tt\tMemoryLimit\t100\n");
	r = CGROUP_RESOURCES_UNSET;
	r.cpu.shares = 1024;
	r.cpu.quota = 12345;
	expect_limits(&r, true, UNIT_ALL,
		      "p\tt\tCPUWeight\t100\np\tt\tCPUQuotaPerSecUSec\t130000\n");
	cgroup_systemd_round(&r);
	assert_int_equal(r.cpu.quota, 13000);
	cgroup_systemd_round(&r);
	assert_int_equal(r.cpu.quota, 13000);
	r = CGROUP_RESOURCES_UNSET;
	r.unified = files;
	r.n_unified = ARRAY_SIZE(files);
	expect_limits(&r, true, UNIT_ALL,
		      "p\tt\tTasksMax\t9\np\tt\tMemoryHigh\t18446744073709551615\n");
	expect_limits(&r, true, UNIT_TASKS, "p\tt\tTasksMax\t9\n");
	/* An idle group has no weight but "idle", which is 0. */
	r = CGROUP_RESOURCES_UNSET;
	r.cpu.idle = 0;
	r.cpu.shares = 1024;
	assert_false(cgroup_drop_idle_weight(&r));
	expect_limits(&r, true, UNIT_ALL, "p\tt\tCPUWeight\t100\n");
	r.cpu.idle = 1;
	assert_true(cgroup_drop_idle_weight(&r));
	assert_false(cgroup_drop_idle_weight(&r));
	expect_limits(&r, true, UNIT_ALL, "p\tt\tCPUWeight\t0\n");
	expect_limits(&r, false, UNIT_ALL, "");
	r = CGROUP_RESOURCES_UNSET;
	r.unified = idle;
	r.n_unified = ARRAY_SIZE(idle);
	assert_true(cgroup_drop_idle_weight(&r));
	assert_int_equal(r.n_unified, 2);
	expect_limits(&r, true, UNIT_ALL,
		      "p\tt\tCPUWeight\t0\np\tt\tCPUQuotaPeriodUSec\t100000\n"
		      "p\tt\tCPUQuotaPerSecUSec\t18446744073709551615\n");
}

/* systemd's list must allow whatever the container's own filter may. */
static void test_devices(void **state)
{
	const struct cgroup_device rules[] = {
		{ .allow = true, .type = 'a', .major = -1, .minor = -1, .access = 7 },
		{ .allow = false, .type = 'a', .major = -1, .minor = -1, .access = 7 },
		{ .allow = true, .type = 'c', .major = 10, .minor = 200, .access = 3 },
		{ .allow = true, .type = 'b', .major = 8, .minor = -1, .access = 1 },
		{ .allow = false, .type = 'c', .major = 10, .minor = 200, .access = 2 },
	};
	struct cgroup_resources r = { .devices = rules, .n_devices = ARRAY_SIZE(rules) };
	auto_buf struct buf out = BUF_LIMIT(65536);
	struct err e = ERR_NONE;

	(void) state;
	assert_int_equal(unit_put_devices(&r, &out, &e), 0);
	assert_non_null(strstr(buf_str(&out), "p\ts\tDevicePolicy\tstrict\n"));
	assert_non_null(strstr(buf_str(&out), "\t/dev/null\trwm"));
	assert_non_null(strstr(buf_str(&out), "\t/dev/char/10:200\trw\tblock-*\tr\n"));
	buf_clear(&out);
	r.n_devices = 1;
	assert_int_equal(unit_put_devices(&r, &out, &e), 0);
	assert_string_equal(buf_str(&out), "p\ts\tDevicePolicy\tauto\n");
}

static void test_annotations(void **state)
{
#define P "org.systemd.property."
	/* clang-format off */
	static const struct { const char *name, *value, *line; } rows[] = {
		{ P "CollectMode", "'inactive-or-failed'", "p\ts\tCollectMode\tinactive-or-failed\n" },
		{ P "TimeoutStopSec", "5", "p\tt\tTimeoutStopUSec\t5000000\n" },
		{ P "TimeoutStopUSec", "uint64 5", "p\tt\tTimeoutStopUSec\t5\n" },
		{ P "DefaultDependencies", "true", "p\tb\tDefaultDependencies\ttrue\n" },
		{ P "After", "['a.service', \"b.service\"]", "p\tas\tAfter\ta.service\tb.service\n" },
		{ "org.example", "x", "" }, { "org.systemd.propertyX", "x", "" },
		{ P "ExecStart", "x", NULL }, { P "Before", "['x']", NULL }, { P, "x", NULL },
		{ P "collectmode", "'x'", NULL }, { P "CollectMode", "'a\nb'", NULL }, { P "CollectMode", "'a\tb'", NULL },
		{ P "CollectMode", "''x", NULL }, { P "CollectMode", "'", NULL }, { P "CollectMode", "", NULL },
		{ P "CollectMode", "'a\\", NULL }, { P "After", "[", NULL }, { P "After", "['a'", NULL }, { P "After", "['a',]", NULL },
		{ P "TimeoutStopSec", "uint64 18446744073709551615", NULL }, { P "TimeoutStopSec", "1.5", NULL },
	};
	/* clang-format on */

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cgroup_pair a = { rows[i].name, rows[i].value };
		auto_buf struct buf out = BUF_LIMIT(65536);
		struct err e = ERR_NONE;
		bool dependencies;
		const int r = unit_put_annotations(&a, 1, &out, &dependencies, &e);

		assert_int_equal(r, rows[i].line ? 0 : -1);
		if (rows[i].line)
			assert_string_equal(buf_str(&out), rows[i].line);
	}
#undef P
}

static void test_requests(void **state)
{
	struct request r;
	struct err e = ERR_NONE;

	(void) state;
	assert_int_equal(request_parse("start\tuser\t500\ta.scope\n"
				       "p\tas\tAfter\tx\ty\np\tas\tWants\npid\t12\t/a\n",
				       &r, &e),
			 0);
	assert_int_equal(r.op, REQUEST_START);
	assert_true(r.user);
	assert_int_equal(r.timeout_ms, 500);
	assert_string_equal(r.unit, "a.scope");
	assert_int_equal(r.n_props, 2);
	assert_int_equal(r.props[0].n, 2);
	assert_string_equal(r.props[0].values[1], "y");
	assert_int_equal(r.props[1].n, 0);
	assert_int_equal(r.pid, 12);
	assert_string_equal(r.below, "/a");
	request_fini(&r);

	static const char *const bad[] = {
		"",
		"\n",
		"start",
		"start\tuser\t500",
		"begin\tuser\t500\ta",
		"set\tuser\tx\ta",
		"set\tuser\t99999999\ta",
		"set\tuser\t1\ta\nq\tb",
		"set\tuser\t1\ta\np\tb",
		"attach\tuser\t1\ta\npid\tx\t/",
		"attach\tuser\t1\ta\npid\t1",
		"attach\tuser\t1\ta\npid\t-1\t/",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(request_parse(bad[i], &r, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices),	 cmocka_unit_test(test_units),
		cmocka_unit_test(test_masks),	 cmocka_unit_test(test_limits),
		cmocka_unit_test(test_devices),	 cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
