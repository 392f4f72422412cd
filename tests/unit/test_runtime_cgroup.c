/*
 * Control groups as far as no kernel is needed: paths, the state text, which limit needs which controller, weights.
 */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/util.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_impl.h"

/* ---- paths and state ---- */

/* The part of the plan's last line behind its hierarchy's directory, or NULL when the path is refused. */
static char *planned(const char *path)
{
	const struct cgroup_spec s = { .id = "box",
				       .path = path,
				       .res = CGROUP_RESOURCES_UNSET };
	auto_cleanup(cgroup_free_ptr) struct cgroup *plan = NULL;
	auto_buf struct buf text = BUF_LIMIT(65536);
	struct err e = ERR_NONE;
	char *line, *end;

	if (cgroup_plan(&s, &plan, &e) < 0)
		return NULL;
	assert_int_equal(cgroup_save(plan, &text, &e), 0);
	line = strstr(buf_str(&text), CGROUP_ROOT "/");
	assert_non_null(line);
	line += strlen(CGROUP_ROOT "/");
	end = strchr(line, '\n');
	assert_non_null(end);
	*end = '\0';
	/* On v1 there is the hierarchy's directory in front. */
	if (strncmp(buf_str(&text), "unified ", 8) != 0)
		line = strchr(line, '/') + 1;
	return xstrdup(line);
}

static void test_paths(void **state)
{
	/* clang-format off */
	static const struct { const char *given, *dir; } rows[] = {
		{ NULL, "box" }, { "", "box" }, { "/a", "a" }, { "a", "a" }, { "/a/b/c", "a/b/c" },
		{ "/a//b/./c/", "a/b/c" }, { "/a/../b", "b" }, { "/../../etc", "etc" },
		{ "../../x", "x" }, { "/a/b/../../../c", "c" }, { "user.slice:box:1", "user.slice:box:1" },
		{ "/", NULL }, { "/..", NULL }, { "/a/..", NULL }, { ".", NULL },
		{ "/a b", NULL }, { "/a\nmemory /x", NULL },
	};
	/* clang-format on */

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *dir = planned(rows[i].given);

		if (!rows[i].dir)
			assert_null(dir);
		else
			assert_string_equal(dir, rows[i].dir);
	}
}

static void test_state_text(void **state)
{
	static const char v1[] = "memory /sys/fs/cgroup/memory/a/b\n"
				 "cpu,cpuacct /sys/fs/cgroup/cpu,cpuacct/a/b\n";
	static const char v2[] = "unified /sys/fs/cgroup/a\n";
	static const char hybrid[] = "memory /sys/fs/cgroup/memory/a\n"
				     "unified /sys/fs/cgroup/unified/a\n";
	static const char *const bad[] = {
		"memory\n",
		"memory /etc\n",
		"memory /sys/fs/cgroup\n",
		"memory /sys/fs/cgroup/../../etc\n",
		"unified /sys/fs/cgroup/a\nmemory /sys/fs/cgroup/memory/a\n",
	};
	auto_buf struct buf out = BUF_LIMIT(4096);
	struct cgroup *cg = NULL;
	int fd;

	(void) state;
	assert_ok(cgroup_load(v1, &cg, &e));
	assert_int_equal(cgroup_mode(cg), CGROUP_V1);
	assert_ptr_equal(cgroup_hier_of(cg, CTRL_CPU), cgroup_hier_of(cg, CTRL_CPUACCT));
	assert_null(cgroup_hier_of(cg, CTRL_PIDS));
	assert_ok(cgroup_clone_fd(cg, &fd, &e));
	assert_int_equal(fd, -1);
	assert_ok(cgroup_save(cg, &out, &e));
	assert_string_equal(buf_str(&out), v1);
	cgroup_free_ptr(&cg);

	assert_ok(cgroup_load(v2, &cg, &e));
	assert_int_equal(cgroup_mode(cg), CGROUP_V2);
	/* Outside of it nothing is ever started. */
	assert_err(cgroup_clone_fd(cg, &fd, &e), ENOENT);
	cgroup_free_ptr(&cg);
	assert_ok(cgroup_load(hybrid, &cg, &e));
	assert_int_equal(cgroup_mode(cg), CGROUP_V1);
	assert_string_equal(cgroup_hier_of(cg, CTRL_UNIFIED)->path, "/sys/fs/cgroup/unified/a");
	cgroup_free_ptr(&cg);
	assert_ok(cgroup_load("disabled\n", &cg, &e));
	assert_int_equal(cgroup_mode(cg), CGROUP_DISABLED);
	/* Nothing there: nothing to remove, nothing inside, nothing frozen. */
	assert_ok(cgroup_remove(cg, 0, &e));
	assert_err(cgroup_freeze(cg, true, &e), ENOTSUP);
	cgroup_free_ptr(&cg);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_err(cgroup_load(bad[i], &cg, &e), EINVAL);
}

/* ---- limits ---- */

static void test_needs(void **state)
{
	struct cgroup_resources r = CGROUP_RESOURCES_UNSET;
	const struct cgroup_hugetlb huge = { "2MB", 0 };
	const struct cgroup_throttle throttle = { 8, 0, 1 };
	const struct cgroup_priority prio = { "eth0", 1 };
	const struct cgroup_rdma rdma = { "mlx", 1, CGROUP_UNSET };

	(void) state;
	assert_int_equal(cgroup_needs(&r), 0);
	r.memory.limit = r.cpu.shares = 0;
	assert_int_equal(cgroup_needs(&r), 0);
	r.memory.limit = 1 << 20;
	assert_int_equal(cgroup_needs(&r), 1u << CTRL_MEMORY);
	r.pids = 0;
	assert_int_equal(cgroup_needs(&r), 1u << CTRL_MEMORY | 1u << CTRL_PIDS);
	r = (struct cgroup_resources) CGROUP_RESOURCES_UNSET;
	r.cpu.cpus = "";
	assert_int_equal(cgroup_needs(&r), 0);
	r.cpu.cpus = "0";
	r.cpu.quota = -1;
	assert_int_equal(cgroup_needs(&r), 1u << CTRL_CPUSET | 1u << CTRL_CPU);
	r = (struct cgroup_resources) CGROUP_RESOURCES_UNSET;
	r.hugetlb = &huge;
	r.n_hugetlb = 1;
	r.blkio.weight = 100;
	assert_int_equal(cgroup_needs(&r), 1u << CTRL_HUGETLB | 1u << CTRL_BLKIO);
	r = (struct cgroup_resources) CGROUP_RESOURCES_UNSET;
	r.blkio.throttle[THROTTLE_WRITE_IOPS] = (struct cgroup_throttles){ &throttle, 1 };
	r.network.class_id = 0;
	assert_int_equal(cgroup_needs(&r), 1u << CTRL_BLKIO);
	r.network.class_id = 7;
	r.network.priorities = &prio;
	r.network.n_priorities = 1;
	r.rdma = &rdma;
	r.n_rdma = 1;
	assert_int_equal(cgroup_needs(&r), 1u << CTRL_BLKIO | 1u << CTRL_NET_CLS |
						   1u << CTRL_NET_PRIO | 1u << CTRL_RDMA);
}

/* What v2 has not is told by its field's name, before anything is made. */
static void test_v2_check(void **state)
{
	struct cgroup_resources r = CGROUP_RESOURCES_UNSET;
	int64_t *const fields[] = { &r.memory.kernel_tcp, &r.memory.swappiness,
				    &r.cpu.rt_period,	  &r.cpu.rt_runtime,
				    &r.blkio.leaf_weight, &r.network.class_id };

	(void) state;
	assert_ok(cgroup_v2_check(&r, &e));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		*fields[i] = 10;
		assert_err(cgroup_v2_check(&r, &e), ENOTSUP);
		*fields[i] = CGROUP_UNSET;
	}
	r.memory.disable_oom_killer = 1;
	assert_err(cgroup_v2_check(&r, &e), ENOTSUP);
}

static void test_usage(void **state)
{
	struct cgroup_memory m = CGROUP_RESOURCES_UNSET.memory;

	(void) state;
	assert_ok(cgroup_check_usage(&m, 100, 200, &e));
	m.limit = 100;
	assert_err(cgroup_check_usage(&m, 100, 200, &e), EBUSY);
	m.limit = 101;
	assert_ok(cgroup_check_usage(&m, 100, 200, &e));
	m.swap = 200;
	assert_err(cgroup_check_usage(&m, 100, 200, &e), EBUSY);
	m.swap = m.limit = -1;
	assert_ok(cgroup_check_usage(&m, 100, 200, &e));
}

static void test_swap(void **state)
{
	struct cgroup_resources r = CGROUP_RESOURCES_UNSET;

	(void) state;
	assert_ok(cgroup_check_memory(&r.memory, true, &e));
	r.memory.swap = 100;
	assert_err(cgroup_check_memory(&r.memory, true, &e), EINVAL);
	r.memory.limit = -1;
	assert_err(cgroup_check_memory(&r.memory, true, &e), EINVAL);
	r.memory.limit = 101;
	assert_err(cgroup_check_memory(&r.memory, true, &e), EINVAL);
	r.memory.limit = 100;
	assert_ok(cgroup_check_memory(&r.memory, true, &e));
	r.memory.swap = -1;
	assert_ok(cgroup_check_memory(&r.memory, true, &e));
	r.memory.swap = -2;
	assert_err(cgroup_check_memory(&r.memory, true, &e), EINVAL);
	/* The limit that is set already is the kernel's to compare. */
	r.memory.swap = 100;
	r.memory.limit = CGROUP_UNSET;
	assert_ok(cgroup_check_memory(&r.memory, false, &e));
	r.memory.limit = 101;
	assert_err(cgroup_check_memory(&r.memory, false, &e), EINVAL);
}

static void test_page_sizes(void **state)
{
	static const char *const good[] = { "2MB", "1GB", "64KB", "512MB" };
	static const char *const bad[] = {
		"",	"MB",	   "2M",  "2mb",      "02MB",
		"2MB ", "../../x", "2TB", "2MB/../x", "9999999999999MB"
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_ok(cgroup_check_page_size(good[i], &e));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_err(cgroup_check_page_size(bad[i], &e), EINVAL);
}

static void test_weight(void **state)
{
	uint64_t last = 0;

	(void) state;
	assert_int_equal(cgroup_v2_io_weight(10), 1);
	assert_int_equal(cgroup_v2_io_weight(500), 4950);
	assert_int_equal(cgroup_v2_io_weight(750), 7475);
	assert_int_equal(cgroup_v2_io_weight(1000), 10000);
	assert_int_equal(cgroup_v2_weight(2), 1);
	assert_int_equal(cgroup_v2_weight(1024), 100);
	assert_int_equal(cgroup_v2_weight(262144), 10000);
	/* 10^((l^2 + 125 l) / 612 - 7 / 34), l = log2, rounded up. */
	assert_int_equal(cgroup_v2_weight(100), 17);
	assert_int_equal(cgroup_v2_weight(512), 59);
	assert_int_equal(cgroup_v2_weight(2048), 174);
	assert_int_equal(cgroup_v2_weight(10240), 639);
	for (uint64_t s = 2; s <= 262144; s += s < 5000 ? 1 : 97) {
		uint64_t w = cgroup_v2_weight(s);

		assert_true(w >= last && w >= 1 && w <= 10000);
		last = w;
	}
}

static void assert_file(const struct scratch *s, const char *name, const char *want)
{
	auto_buf struct buf text = BUF_LIMIT(4096);

	assert_ok(fd_read_file(s->fd, name, 4096, &text, &e));
	assert_string_equal(buf_str(&text), want);
}

/* Which line goes to which file; a directory stands for the cgroup. */
static void test_io_lines(void **state)
{
	static const char *const want[THROTTLE_KINDS] = { "8:16 rbps=7", "8:16 wbps=7",
							  "8:16 riops=7", "8:16 wiops=7" };
	struct scratch s = scratch_open();
	struct cgroup_hier h = { .path = s.path, .dir_fd = FD_NONE, .tasks_fd = FD_NONE };
	struct cgroup_throttle t = { 8, 16, 7 };
	const struct cgroup_weight_device w = { 8, 16, 500, CGROUP_UNSET };
	struct cgroup_blkio b = CGROUP_RESOURCES_UNSET.blkio;

	(void) state;
	for (int k = 0; k < THROTTLE_KINDS; k++) {
		b = (struct cgroup_blkio){ .weight = CGROUP_UNSET,
					   .leaf_weight = CGROUP_UNSET };
		b.throttle[k] = (struct cgroup_throttles){ &t, 1 };
		put_file(s.fd, "io.max", "");
		assert_ok(cgroup_v2_set_io(&h, &b, &e));
		assert_file(&s, "io.max", want[k]);
	}
	t.rate = 0;
	put_file(s.fd, "io.max", "");
	assert_ok(cgroup_v2_set_io(&h, &b, &e));
	assert_file(&s, "io.max", "8:16 wiops=max");
	b = (struct cgroup_blkio){ .weight = CGROUP_UNSET, .leaf_weight = CGROUP_UNSET };
	b.weights = &w;
	b.n_weights = 1;
	assert_err(cgroup_v2_set_io(&h, &b, &e), ENOTSUP);
	put_file(s.fd, "io.weight", "");
	assert_ok(cgroup_v2_set_io(&h, &b, &e));
	assert_file(&s, "io.weight", "8:16 4950");
	put_file(s.fd, "io.bfq.weight", "");
	assert_ok(cgroup_v2_set_io(&h, &b, &e));
	assert_file(&s, "io.bfq.weight", "8:16 500");
	fd_close(&h.dir_fd);
	scratch_close(&s);
}

static void test_lists(void **state)
{
	(void) state;
	assert_true(cgroup_list_has("cpuset cpu io memory", "cpu"));
	assert_true(cgroup_list_has("cpuset cpu io memory", "memory"));
	assert_true(cgroup_list_has("cpuset\n", "cpuset"));
	assert_false(cgroup_list_has("cpuset io", "cpu"));
	assert_false(cgroup_list_has("xcpu cpux", "cpu"));
	assert_false(cgroup_list_has("", "cpu"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),	 cmocka_unit_test(test_state_text),
		cmocka_unit_test(test_needs),	 cmocka_unit_test(test_swap),
		cmocka_unit_test(test_v2_check), cmocka_unit_test(test_usage),
		cmocka_unit_test(test_io_lines), cmocka_unit_test(test_page_sizes),
		cmocka_unit_test(test_weight),	 cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests_name("runtime/cgroup", tests, NULL, NULL);
}
