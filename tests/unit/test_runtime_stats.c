/* What the kernel says of a cgroup into numbers, and numbers into the lines of events. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_stats.h"
#include "runtime/events.h"

static void test_numbers(void **state)
{
	struct stats_u64s l = { 0 };
	uint64_t v = 5;

	(void) state;
	assert_int_equal(stats_parse_u64("0\n", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(stats_parse_u64("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(stats_parse_u64("max\n", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(stats_parse_u64("-1\n", &v), 0);
	v = 7;
	assert_int_equal(stats_parse_u64("18446744073709551616", &v), -1);
	assert_int_equal(stats_parse_u64("", &v), -1);
	assert_int_equal(stats_parse_u64("12x", &v), -1);
	assert_int_equal(v, 7);
	stats_parse_numbers("1 22 333 \n", &l);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.v[2], 333);
	free(l.v);
}

static void test_pairs(void **state)
{
	static const struct stats_key rows[] = {
		{ "user_usec", offsetof(struct cgroup_stats, cpu.user), 1000 },
		{ "nr_periods", offsetof(struct cgroup_stats, cpu.periods), 1 },
	};
	auto_stats struct cgroup_stats s = CGROUP_STATS_NONE;

	(void) state;
	stats_parse_pairs("cache 1\n\nodd\nrss -5\nnuma N0=1\nfile 22\nlast 3", &s.memory.raw);
	assert_int_equal(s.memory.raw.n, 3);
	assert_string_equal(s.memory.raw.v[0].key, "cache");
	assert_int_equal(s.memory.raw.v[1].value, 22);
	assert_string_equal(s.memory.raw.v[2].key, "last");
	stats_parse_keys("user 1\nuser_usec 7\nuser_usec_x 8\nnr_periods 9\n", rows, 2, &s);
	assert_int_equal(s.cpu.user, 7000);
	assert_int_equal(s.cpu.periods, 9);
}

static void test_sets(void **state)
{
	static const char *const bad[] = { "a", "1-", "-3", "3-1", "1,,2", "0-99999", "1;2" };
	struct stats_u64s l = { 0 };

	(void) state;
	assert_int_equal(stats_parse_set("0-2,7\n", &l), 0);
	assert_int_equal(l.n, 4);
	assert_int_equal(l.v[3], 7);
	assert_int_equal(stats_parse_set("\n", &l), 0);
	assert_int_equal(l.n, 4);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(stats_parse_set(bad[i], &l), -1);
	free(l.v);
}

static void test_cpus(void **state)
{
	struct stats_u64s user = { 0 }, kernel = { 0 };

	(void) state;
	stats_parse_percpu("cpu user system\n0 10 20\n1 30 40 50\nx\n2 1\n", &user, &kernel);
	assert_int_equal(user.n, 2);
	assert_int_equal(user.v[1], 30);
	assert_int_equal(kernel.v[1], 40);
	free(user.v);
	free(kernel.v);
}

static void test_io(void **state)
{
	struct stats_ios bytes = { 0 }, ios = { 0 };

	(void) state;
	stats_parse_blkio("8:0 Read 5\n8:0 Write 6\n8:16 77\nTotal 11\n8:x Read 1\n"
			  "8:0 Averyverylongoperation 1\n8:0 Read\n",
			  &bytes);
	assert_int_equal(bytes.n, 3);
	assert_string_equal(bytes.v[1].op, "Write");
	assert_int_equal(bytes.v[2].minor, 16);
	assert_string_equal(bytes.v[2].op, "");
	assert_int_equal(bytes.v[2].value, 77);
	free(bytes.v);
	bytes = (struct stats_ios){ 0 };
	stats_parse_io("254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n7:1\n"
		       "8:0 rbytes=x wios=9\n",
		       &bytes, &ios);
	assert_int_equal(bytes.n, 2);
	assert_int_equal(ios.n, 3);
	assert_string_equal(ios.v[1].op, "Write");
	assert_int_equal(ios.v[2].value, 9);
	free(bytes.v);
	free(ios.v);
}

static void test_psi(void **state)
{
	struct stats_psi p = { 0 };

	(void) state;
	stats_parse_psi("\nnone\nsome avg10=nan avg60=0 avg300=0 total=1\n", &p);
	assert_false(p.set);
	stats_parse_psi("some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\n"
			"full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
			&p);
	assert_true(p.set);
	assert_true(p.some.avg10 == 1.5);
	assert_int_equal(p.some.total, 12345);
	assert_int_equal(p.full.total, 7);
}

static void test_netdev(void **state)
{
	struct stats_interfaces l = { 0 };

	(void) state;
	stats_parse_netdev("Inter-|   Receive                    |  Transmit\n"
			   " face |bytes    packets errs drop|bytes packets\n"
			   "    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
			   "  eth0: 10 11 12 13 0 0 0 0 20 21 22 23 0 0 0 0\n"
			   "  bad0: 10 11\n"
			   "averyverylongname0: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n",
			   &l);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0].name, "eth0");
	assert_int_equal(l.v[0].rx[3], 13);
	assert_int_equal(l.v[0].tx[0], 20);
	free(l.v);
}

/* More rows than any machine has are cut, not taken. */
static void test_limits(void **state)
{
	auto_buf struct buf text = BUF_LIMIT(1 << 20);
	struct stats_u64s l = { 0 };

	(void) state;
	for (int i = 0; i < 40000; i++)
		assert_ok(buf_puts(&text, "1 ", &e));
	stats_parse_numbers(buf_str(&text), &l);
	assert_int_equal(l.n, 16384);
	free(l.v);
}

static void test_render(void **state)
{
	auto_stats struct cgroup_stats s = CGROUP_STATS_NONE;
	auto_buf struct buf out = BUF_LIMIT(65536);
	const struct rdt_stats rdt = RDT_STATS_NONE;
	struct stats_interfaces net = { 0 };
	struct json_doc *doc = NULL;

	(void) state;
	s.memory.usage.limit = UINT64_MAX;
	s.cpuset.sched_relax_domain_level = -1;
	stats_parse_pairs("file 3\n", &s.memory.raw);
	stats_parse_blkio("8:0 Read 5\n", &s.io[STATS_IO_BYTES]);
	assert_ok(events_render_stats("box", &s, &net, &rdt, &out, &e));
	assert_true(
		str_has_prefix(buf_str(&out), "{\"type\":\"stats\",\"id\":\"box\",\"data\":{"));
	assert_ok(json_parse(buf_str(&out), buf_len(&out), NULL, &doc, &e));
	const struct json *data = json_get(json_root(doc), "data");
	assert_true(json_find(data, "memory", "usage", "limit", NULL)->u == UINT64_MAX);
	assert_int_equal(json_find(data, "memory", "raw", "file", NULL)->i, 3);
	assert_int_equal(json_find(data, "cpuset", "sched_relax_domain_level", NULL)->i, -1);
	assert_null(json_find(data, "cpu", "usage", "total", NULL));
	assert_null(json_find(data, "cpu", "psi", NULL));
	assert_int_equal(json_get(data, "intel_rdt")->count, 0);
	const struct json *io = json_find(data, "blkio", "ioServiceBytesRecursive", NULL);
	assert_string_equal(json_str_or(json_at_index(io, 0), "op", ""), "Read");
	json_doc_free(doc);
	buf_clear(&out);
	assert_ok(events_render_oom("box", &out, &e));
	assert_string_equal(buf_str(&out), "{\"type\":\"oom\",\"id\":\"box\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_sets),	cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_io),	cmocka_unit_test(test_psi),
		cmocka_unit_test(test_netdev),	cmocka_unit_test(test_limits),
		cmocka_unit_test(test_render),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
