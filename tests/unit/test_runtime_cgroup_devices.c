/* Device rules of control groups: what they mean on v1 and as a BPF program, and how lists of them change. */
#include "tests/unit/scratch.h"

#include <linux/bpf.h>

#include "base/buf.h"
#include "base/util.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_devices.h"
#include "runtime/cgroup_impl.h"

#define ANY -1
#define DEV(allow, type, major, minor, access)                                                 \
	{                                                                                      \
		allow, type, major, minor, access                                              \
	}

struct wish {
	char type;
	int64_t major, minor;
	unsigned access;
};

static bool matches(const struct cgroup_device *d, const struct wish *w)
{
	return d->type == w->type && (d->major < 0 || d->major == w->major) &&
	       (d->minor < 0 || d->minor == w->minor);
}

/* The rules read from the last to the first. */
static bool plain_reading(const struct device_rules *t, const struct wish *w)
{
	for (size_t i = t->n; i-- > 0;) {
		const struct cgroup_device *d = &t->v[i];

		if (!matches(d, w))
			continue;
		if (d->allow ? (w->access & ~d->access) == 0 : (w->access & d->access) != 0)
			return d->allow;
	}
	return t->allow_all;
}

/* How the kernel judges v1's form: one exception that covers the wish, or touches it. */
static bool v1_reading(const struct device_rules *t, const struct wish *w)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct cgroup_device *d = &t->v[i];

		assert_true(d->access == 0 || d->allow != t->allow_all);
		if (!matches(d, w))
			continue;
		if (d->allow && (w->access & ~d->access) == 0)
			return true;
		if (!d->allow && (w->access & d->access))
			return false;
	}
	return t->allow_all;
}

/* The few eBPF instructions that the device program is made of. */
static bool run_program(const struct bpf_insn *p, size_t n, const struct wish *w)
{
	unsigned access = (w->access & 1 ? BPF_DEVCG_ACC_READ : 0) |
			  (w->access & 2 ? BPF_DEVCG_ACC_WRITE : 0) |
			  (w->access & 4 ? BPF_DEVCG_ACC_MKNOD : 0);
	uint32_t ctx[3] = { access << 16 |
				    (w->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
			    (uint32_t) w->major, (uint32_t) w->minor };
	uint64_t r[11] = { 0 };

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &p[pc];

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			r[i->dst_reg] = ctx[i->off / 4];
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			r[i->dst_reg] = (uint32_t) r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = (uint64_t) (int64_t) i->imm;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			r[i->dst_reg] = (uint32_t) r[i->dst_reg] & (uint32_t) i->imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			r[i->dst_reg] = (uint32_t) r[i->dst_reg] >> i->imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += r[i->dst_reg] != (uint64_t) (int64_t) i->imm ? (size_t) i->off
									   : 0;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += r[i->dst_reg] == (uint64_t) (int64_t) i->imm ? (size_t) i->off
									   : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return r[0] != 0;
		default:
			fail_msg("instruction %zu: code 0x%x", pc, i->code);
		}
	}
	fail_msg("ran off the end");
	return false;
}

static void build(const struct cgroup_device *v, size_t n, struct device_rules *out)
{
	struct cgroup_spec s = { .id = "x", .res = CGROUP_RESOURCES_UNSET };

	s.res.devices = v;
	s.res.n_devices = n;
	assert_ok(device_rules_build(&s, out, &e));
}

static void test_device_defaults(void **state)
{
	const struct cgroup_device none[] = { DEV(false, 'a', ANY, ANY, 7) };
	const struct wish null = { 'c', 1, 3, 3 }, kmsg = { 'c', 1, 11, 1 },
			  disk = { 'b', 8, 0, 1 }, make_disk = { 'b', 8, 0, 4 },
			  pts = { 'c', 136, 7, 3 };
	struct device_rules t;

	(void) state;
	for (size_t given = 0; given <= 1; given++) {
		build(none, given, &t);
		assert_true(plain_reading(&t, &null));
		assert_true(plain_reading(&t, &pts));
		assert_true(plain_reading(&t, &make_disk));
		assert_false(plain_reading(&t, &kmsg));
		assert_false(plain_reading(&t, &disk));
		device_rules_fini(&t);
	}
}

static void test_device_refused(void **state)
{
	const struct cgroup_device hole[] = { DEV(true, 'c', 1, ANY, 7),
					      DEV(false, 'c', 1, 11, 7) };
	const struct cgroup_device type[] = { DEV(true, 'p', 1, 1, 7) };
	const struct cgroup_device access[] = { DEV(true, 'c', 1, 1, 8) };
	struct cgroup_spec s = { .id = "x", .res = CGROUP_RESOURCES_UNSET };
	struct device_rules t;

	(void) state;
	s.res.n_devices = 1;
	s.res.devices = type;
	assert_err(device_rules_build(&s, &t, &e), EINVAL);
	s.res.devices = access;
	assert_err(device_rules_build(&s, &t, &e), EINVAL);
	/* v2 can say it, v1 cannot. */
	build(hole, 2, &t);
	const struct wish w = { 'c', 1, 11, 1 };
	assert_false(plain_reading(&t, &w));
	assert_err(device_rules_fold(&t, &e), ENOTSUP);
	device_rules_fini(&t);
}

/* From one list to another: what is in both is in neither step. */
static void test_device_step(void **state)
{
	auto_cleanup(device_rules_fini) struct device_rules now = { 0 }, then = { 0 },
							    open = { 0 }, shut = { 0 };

	(void) state;
	assert_ok(device_rules_parse_v1("c 1:3 rwm\nb *:* m\nc 136:* rw\n", &now, &e));
	assert_ok(device_rules_parse_v1("c 1:3 rw\nb *:* m\nc 10:200 rwm\n", &then, &e));
	assert_int_equal(now.n, 3);
	assert_false(now.allow_all);
	device_rules_step(&now, &then, &open, &shut);
	assert_int_equal(open.n, 1);
	assert_int_equal(open.v[0].major, 10);
	assert_int_equal(open.v[0].access, 7);
	assert_int_equal(shut.n, 2);
	assert_int_equal(shut.v[0].minor, 3);
	assert_int_equal(shut.v[0].access, 4);
	assert_int_equal(shut.v[1].minor, -1);
	assert_int_equal(shut.v[1].access, 3);
}

static void test_device_list(void **state)
{
	static const char *const bad[] = { "c 1:3", "c 1:3 rx", "c 1 rwm", "c -1:3 r",
					   "c 1:x r" };
	struct device_rules t = { 0 };

	(void) state;
	assert_ok(device_rules_parse_v1("a *:* rwm\n", &t, &e));
	assert_true(t.allow_all);
	device_rules_fini(&t);
	assert_ok(device_rules_parse_v1("", &t, &e));
	assert_int_equal(t.n, 0);
	device_rules_fini(&t);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_err(device_rules_parse_v1(bad[i], &t, &e), EINVAL);
}

static uint64_t seed = 7;

static size_t below(size_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t) (seed >> 33) % n;
}

static struct cgroup_device random_rule(void)
{
	static const char types[] = { 'a', 'b', 'c', 'c', 'c', 'u' };
	const bool reset = below(12) == 0;

	if (reset)
		return (struct cgroup_device) DEV(below(2), 'a', ANY, ANY, 7);
	return (struct cgroup_device) DEV(below(2), types[below(sizeof(types))],
					  (int64_t) below(4) - 1, (int64_t) below(4) - 1,
					  1 + (unsigned) below(7));
}

/* One bit at a time: mknod asks for m, open for r and w. */
static void compare_all(struct device_rules *t, bool v1, size_t *seen)
{
	auto_free struct bpf_insn *p = NULL;
	size_t n = device_rules_program(t, &p);

	assert_true(n <= 6 + t->n * DEVICE_RULE_INSNS + 2);
	for (unsigned bits = 0; bits < 2 * 4 * 4 * 3; bits++) {
		const struct wish w = { bits & 1 ? 'b' : 'c', bits / 2 % 4, bits / 8 % 4,
					1u << bits / 32 };

		if (v1)
			assert_int_equal(v1_reading(t, &w), plain_reading(t, &w));
		assert_int_equal(run_program(p, n, &w), plain_reading(t, &w));
		++*seen;
	}
}

static void test_device_forms(void **state)
{
	size_t seen = 0, folded = 0;

	(void) state;
	for (int i = 0; i < 3000; i++) {
		struct cgroup_device v[8];
		struct device_rules t, u;
		struct err e = ERR_NONE;
		size_t n = below(ARRAY_SIZE(v));

		for (size_t k = 0; k < n; k++)
			v[k] = random_rule();
		build(v, n, &t);
		compare_all(&t, false, &seen);
		build(v, n, &u);
		if (device_rules_fold(&u, &e) == 0) {
			for (unsigned bits = 0; bits < 2 * 4 * 4 * 3; bits++) {
				const struct wish w = { bits & 1 ? 'b' : 'c', bits / 2 % 4,
							bits / 8 % 4, 1u << bits / 32 };

				assert_int_equal(v1_reading(&u, &w), plain_reading(&t, &w));
			}
			folded++;
		}
		device_rules_fini(&t);
		device_rules_fini(&u);
	}
	print_message("%zu answers, %zu of 3000 lists have v1's form\n", seen, folded);
	assert_true(folded > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_defaults), cmocka_unit_test(test_device_refused),
		cmocka_unit_test(test_device_step),	cmocka_unit_test(test_device_list),
		cmocka_unit_test(test_device_forms),
	};

	return cmocka_run_group_tests_name("runtime/cgroup", tests, NULL, NULL);
}
