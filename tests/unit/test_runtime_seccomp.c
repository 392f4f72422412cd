/*
 * The filter by hand-made rules: what outranks what, which numbers names have and what a profile may not say.
 */
#include "tests/unit/bpf_run.h"

#include <linux/audit.h>
#include <seccomp.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_impl.h"
#include "tests/unit/filter_make.h"

static uint32_t verdict(const struct filter_spec *s, uint32_t arch, int nr, uint64_t a0,
			uint64_t a1)
{
	struct filter_program p = { 0 };
	struct seccomp_data d = { .nr = nr, .arch = arch, .args = { a0, a1 } };
	struct bpf_code code;
	uint32_t v;

	assert_ok(filter_compile(s, -1, &p, &e));
	code = (struct bpf_code){ .v = p.insns, .n = p.n };
	v = bpf_run(&code, &d);
	filter_program_fini(&p);
	return v;
}

/* Whatever the order, the strictest rule that fits decides. */
static void test_strictest_wins(void **state)
{
	const struct filter_rule r[] = {
		PLAIN(SCMP_ACT_ALLOW, NAMES("getpid", "read")),
		RULE(SCMP_ACT_ERRNO(5), NAMES("read"), ARG(0, SCMP_CMP_EQ, 7, 0)),
		RULE(SCMP_ACT_KILL_PROCESS, NAMES("read"), ARG(0, SCMP_CMP_GE, 7, 0),
		     ARG(1, SCMP_CMP_EQ, 1, 0)),
		PLAIN(SCMP_ACT_TRAP, NAMES("getpid")),
	};
	const struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), r);
	const uint32_t a = AUDIT_ARCH_X86_64;

	(void) state;
	assert_int_equal(verdict(&s, a, 0, 6, 1), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, a, 0, 7, 0), SCMP_ACT_ERRNO(5));
	assert_int_equal(verdict(&s, a, 0, 7, 1), SCMP_ACT_KILL_PROCESS);
	assert_int_equal(verdict(&s, a, 39, 0, 0), SCMP_ACT_TRAP);
	assert_int_equal(verdict(&s, a, 1, 0, 0), SCMP_ACT_ERRNO(1));
}

/* Conditions on one argument are alternatives; on different ones all must hold. */
static void test_same_argument_twice(void **state)
{
	const struct filter_rule r[] = {
		RULE(SCMP_ACT_ALLOW, NAMES("personality"), ARG(0, SCMP_CMP_EQ, 0, 0),
		     ARG(0, SCMP_CMP_EQ, 8, 0)),
	};
	const struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), r);

	(void) state;
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 135, 0, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 135, 8, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 135, 9, 0), SCMP_ACT_ERRNO(1));
}

/* More values than one group of comparisons can have, and two kinds of bits. */
static void test_alternatives(void **state)
{
	static struct filter_arg args[700];
	static struct filter_rule r[700];
	const char *const name[] = { "ioctl", NULL };
	struct filter_spec s = { .set = true, .default_action = SCMP_ACT_ERRNO(1), .rules = r };

	(void) state;
	for (s.n_rules = 0; s.n_rules < ARRAY_SIZE(r); s.n_rules++) {
		uint64_t v = s.n_rules * 3;

		/* 0, 3, ... 1797 in all 64 bits; then 5400, 5403, ... 5697 in the low 32; some with a high half. */
		args[s.n_rules] = (struct filter_arg) ARG(1, SCMP_CMP_EQ, v, 0);
		if (v >= 1800)
			args[s.n_rules] = (struct filter_arg) ARG(1, SCMP_CMP_MASKED_EQ,
								  0xffffffff, v + 3600);
		if (v >= 1200 && v < 1500)
			args[s.n_rules].value |= 1ull << 32;
		r[s.n_rules] = (struct filter_rule){ .names = name,
						     .action = SCMP_ACT_ALLOW,
						     .args = &args[s.n_rules],
						     .n_args = 1 };
	}
	struct filter_program p = { 0 };
	assert_ok(filter_compile(&s, -1, &p, &e));
	assert_true(p.n < 800);
	const struct bpf_code code = { .v = p.insns, .n = p.n };
	for (uint64_t high = 0; high < 2; high++)
		for (uint64_t v = 0; v < 7000; v++) {
			struct seccomp_data d = { .nr = 16,
						  .arch = AUDIT_ARCH_X86_64,
						  .args = { 0, v | high << 32 } };
			bool exact = v % 3 == 0 && v < 1800 && high == (v >= 1200 && v < 1500);
			bool masked = v % 3 == 0 && v >= 5400 && v < 5700;

			assert_int_equal(bpf_run(&code, &d) == SCMP_ACT_ALLOW, exact || masked);
		}
	filter_program_fini(&p);
}

/* Behind socketcall the arguments cannot be seen: permission is not widened, refusal is. */
static void test_multiplexed(void **state)
{
	const uint32_t x86[] = { SCMP_ARCH_X86 };
	const struct filter_rule allow[] = {
		RULE(SCMP_ACT_ALLOW, NAMES("socket"), ARG(0, SCMP_CMP_EQ, 1, 0)),
		PLAIN(SCMP_ACT_ALLOW, NAMES("bind")),
	};
	const struct filter_rule deny[] = {
		RULE(SCMP_ACT_ERRNO(97), NAMES("socket"), ARG(0, SCMP_CMP_EQ, 38, 0)),
	};
	struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), allow);
	struct filter_spec t = SPEC(SCMP_ACT_ALLOW, deny);

	(void) state;
	s.arches = t.arches = x86;
	s.n_arches = t.n_arches = 1;
	assert_int_equal(verdict(&s, AUDIT_ARCH_I386, 359, 1, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, AUDIT_ARCH_I386, 102, 1, 0), SCMP_ACT_ERRNO(1));
	assert_int_equal(verdict(&s, AUDIT_ARCH_I386, 102, 2, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&t, AUDIT_ARCH_I386, 359, 1, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&t, AUDIT_ARCH_I386, 359, 38, 0), SCMP_ACT_ERRNO(97));
	assert_int_equal(verdict(&t, AUDIT_ARCH_I386, 102, 1, 0), SCMP_ACT_ERRNO(97));
	assert_int_equal(verdict(&t, AUDIT_ARCH_I386, 102, 2, 0), SCMP_ACT_ALLOW);
}

static void test_unknown_to_profile(void **state)
{
	const struct filter_rule r[] = { PLAIN(SCMP_ACT_ALLOW, NAMES("read", "openat")) };
	struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), r);
	const uint32_t a = AUDIT_ARCH_X86_64;

	(void) state;
	assert_int_equal(verdict(&s, a, 256, 0, 0), SCMP_ACT_ERRNO(1));
	assert_int_equal(verdict(&s, a, 258, 0, 0), SCMP_ACT_ERRNO(ENOSYS));
	assert_int_equal(verdict(&s, a, 0x3fffffff, 0, 0), SCMP_ACT_ERRNO(ENOSYS));
	assert_int_equal(verdict(&s, a, FILTER_X32_BIT, 0, 0), SCMP_ACT_KILL_THREAD);
	assert_int_equal(verdict(&s, a, -2, 0, 0), SCMP_ACT_KILL_THREAD);
	assert_int_equal(verdict(&s, a, -1, 0, 0), SCMP_ACT_ERRNO(1));
	assert_int_equal(verdict(&s, AUDIT_ARCH_I386, 3, 0, 0), SCMP_ACT_KILL_THREAD);
	s.default_action = SCMP_ACT_LOG;
	assert_int_equal(verdict(&s, a, 258, 0, 0), SCMP_ACT_LOG);
}

/* Calls that this machine's libseccomp may not have heard of. */
static void test_newer_than_the_library(void **state)
{
	const struct filter_rule r[] = { PLAIN(SCMP_ACT_ALLOW, NAMES("mseal", "listmount")) };
	const uint32_t x32[] = { SCMP_ARCH_X32, SCMP_ARCH_AARCH64 };
	struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), r);

	(void) state;
	s.arches = x32;
	s.n_arches = 2;
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 462, 0, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 462 | FILTER_X32_BIT, 0, 0),
			 SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, AUDIT_ARCH_AARCH64, 458, 0, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 459, 0, 0), SCMP_ACT_ERRNO(1));
}

/* A tree with subtrees beyond a jump's 255 instructions, and a path to each leaf of logarithmic length. */
static void test_large_tree(void **state)
{
	enum { EVERY = 2, N = 440 };
	static char text[N][32];
	static const char *list[N + 1];
	static struct filter_arg args[N];
	static struct filter_rule r[N];
	struct filter_spec s = { .set = true, .default_action = SCMP_ACT_ERRNO(1), .rules = r };
	struct filter_program p = { 0 };
	struct bpf_code code;
	size_t longest = 0;

	(void) state;
	for (int nr = 0; nr < N; nr += EVERY) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

		if (!name)
			continue;
		snprintf(text[s.n_rules], sizeof(text[0]), "%s", name);
		free(name);
		list[2 * (s.n_rules % (N / 2))] = text[s.n_rules];
		args[s.n_rules] =
			(struct filter_arg) ARG(1, SCMP_CMP_GT, (uint64_t) nr << 30, 0);
		r[s.n_rules] = (struct filter_rule){ .names = &list[2 * s.n_rules],
						     .action = SCMP_ACT_ALLOW,
						     .args = &args[s.n_rules],
						     .n_args = 1 };
		s.n_rules++;
	}
	assert_true(s.n_rules > 150);
	assert_ok(filter_compile(&s, -1, &p, &e));
	assert_true(p.n > 1000);
	code = (struct bpf_code){ .v = p.insns, .n = p.n };
	for (int nr = 0; nr < N; nr++)
		for (int more = 0; more < 2; more++) {
			struct seccomp_data d = { .nr = nr,
						  .arch = AUDIT_ARCH_X86_64,
						  .args = { 0, ((uint64_t) nr << 30) +
								       (uint64_t) more } };
			char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);
			size_t steps;
			uint32_t v = bpf_run_counted(&code, &d, &steps);

			longest = MAX(longest, steps);
			assert_int_equal(v == SCMP_ACT_ALLOW, name && nr % EVERY == 0 && more);
			free(name);
		}
	print_message("%u instructions, at most %zu run\n", p.n, longest);
	assert_true(longest < 40);
	filter_program_fini(&p);
}

/* Numbers that we know beside libseccomp's: both ways agree, and none that it knows is missing. */
static void test_direct_numbers(void **state)
{
	const uint32_t multiplexing[] = { SCMP_ARCH_X86,  SCMP_ARCH_S390,  SCMP_ARCH_S390X,
					  SCMP_ARCH_PPC,  SCMP_ARCH_PPC64, SCMP_ARCH_PPC64LE,
					  SCMP_ARCH_MIPS, SCMP_ARCH_MIPSEL };
	int seen = 0;

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(multiplexing); i++) {
		uint32_t arch = multiplexing[i];
		int first = i >= 6 ? 4000 : 0;

		for (int nr = 1; nr < 450; nr++) {
			char *name =
				seccomp_syscall_resolve_num_arch(arch,
								 nr + (i >= 6 ? 0 : first));

			if (name && seccomp_syscall_resolve_name_arch(arch, name) < 0) {
				assert_int_equal(filter_syscall_number(arch, name), nr + first);
				seen++;
			}
			free(name);
		}
	}
	assert_true(seen > 200);
}

/* ---- words ---- */

static void test_words(void **state)
{
	uint32_t v = 0;
	unsigned flag = 0;
	int op = 0;

	(void) state;
	for (const char *const *n = filter_action_names(); *n; n++)
		assert_ok(filter_action_parse(*n, false, 0, &v, &e));
	for (const char *const *n = filter_arch_names(); *n; n++) {
		assert_ok(filter_arch_parse(*n, &v, &e));
		/* What is offered can be filtered. */
		assert_true(filter_syscall_number(v, "read") >= 0);
	}
	for (const char *const *n = filter_op_names(); *n; n++)
		assert_ok(filter_op_parse(*n, &op, &e));
	for (const char *const *n = filter_flag_names(); *n; n++)
		assert_ok(filter_flag_parse(*n, &flag, &e));
	assert_err(filter_action_parse("SCMP_ACT_MAYBE", false, 0, &v, &e), EINVAL);
	assert_err(filter_arch_parse("x86_64", &v, &e), EINVAL);
	assert_err(filter_op_parse("", &op, &e), EINVAL);
	assert_err(filter_flag_parse("SECCOMP_FILTER_FLAG_NEW_LISTENER", &flag, &e), EINVAL);
}

static void test_errno(void **state)
{
	uint32_t v = 0;

	(void) state;
	assert_ok(filter_action_parse("SCMP_ACT_ERRNO", false, 0, &v, &e));
	assert_int_equal(v, SCMP_ACT_ERRNO(EPERM));
	assert_ok(filter_action_parse("SCMP_ACT_ERRNO", true, 38, &v, &e));
	assert_int_equal(v, SCMP_ACT_ERRNO(38));
	assert_ok(filter_action_parse("SCMP_ACT_ERRNO", true, 0, &v, &e));
	assert_int_equal(v, SCMP_ACT_ERRNO(0));
	assert_ok(filter_action_parse("SCMP_ACT_TRACE", true, 9, &v, &e));
	assert_int_equal(v, SCMP_ACT_TRACE(9));
	assert_ok(filter_action_parse("SCMP_ACT_KILL", false, 0, &v, &e));
	assert_int_equal(v, SCMP_ACT_KILL_THREAD);
	assert_err(filter_action_parse("SCMP_ACT_ERRNO", true, 4096, &v, &e), EINVAL);
	assert_err(filter_action_parse("SCMP_ACT_KILL", true, 1, &v, &e), EINVAL);
	assert_err(filter_action_parse("SCMP_ACT_ALLOW", true, 1, &v, &e), EINVAL);
}

/* ---- what a profile may not say ---- */

static void assert_refused(const struct filter_spec *s, int code)
{
	struct filter_program p = { 0 };

	assert_err(filter_compile(s, -1, &p, &e), code);
	assert_null(p.insns);
}

static void test_refused(void **state)
{
	const struct filter_rule notify_write[] = {
		PLAIN(SCMP_ACT_NOTIFY, NAMES("mkdir", "write")),
	};
	const struct filter_rule notify[] = { PLAIN(SCMP_ACT_NOTIFY, NAMES("mkdir")) };
	const struct filter_rule unknown[] = { PLAIN(SCMP_ACT_ERRNO(1),
						     NAMES("no_such_call")) };
	const struct filter_rule index[] = {
		RULE(SCMP_ACT_ALLOW, NAMES("read"), ARG(6, SCMP_CMP_EQ, 0, 0)),
	};
	const uint32_t other_order[] = { SCMP_ARCH_S390X };
	struct filter_spec a = SPEC(SCMP_ACT_ALLOW, notify_write);
	struct filter_spec b = SPEC(SCMP_ACT_ALLOW, notify);
	struct filter_spec c = SPEC(SCMP_ACT_NOTIFY, notify);
	struct filter_spec d = SPEC(SCMP_ACT_ALLOW, unknown);
	struct filter_spec f = SPEC(SCMP_ACT_ERRNO(1), index);
	struct filter_spec g = SPEC(SCMP_ACT_ALLOW, notify);

	(void) state;
	a.listener_path = c.listener_path = g.listener_path = "/run/listener";
	g.arches = other_order;
	g.n_arches = 1;
	assert_refused(&a, EINVAL);
	assert_refused(&b, EINVAL);
	assert_refused(&c, EINVAL);
	assert_refused(&d, EINVAL);
	assert_refused(&f, EINVAL);
	assert_refused(&g, EINVAL);
}

/* A name that nobody knows does no harm where the default refuses. */
static void test_unknown_name_ignored(void **state)
{
	const struct filter_rule r[] = { PLAIN(SCMP_ACT_ALLOW, NAMES("no_such_call", "read")) };
	const struct filter_spec s = SPEC(SCMP_ACT_ERRNO(1), r);

	(void) state;
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 0, 0, 0), SCMP_ACT_ALLOW);
}

static void test_notify(void **state)
{
	const struct filter_rule r[] = { PLAIN(SCMP_ACT_NOTIFY, NAMES("mkdir")) };
	struct filter_spec s = SPEC(SCMP_ACT_ALLOW, r);
	struct filter_program p = { 0 };

	(void) state;
	s.listener_path = "/run/listener";
	s.flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG;
	assert_ok(filter_compile(&s, -1, &p, &e));
	assert_true(p.notifies);
	assert_int_equal(p.flags, SECCOMP_FILTER_FLAG_LOG);
	filter_program_fini(&p);
}

static void test_too_large(void **state)
{
	static struct filter_arg args[700];
	static struct filter_rule r[700];
	const char *const read_only[] = { "read", NULL };
	struct filter_spec s = { .set = true, .default_action = SCMP_ACT_ALLOW, .rules = r };

	(void) state;
	for (s.n_rules = 0; s.n_rules < ARRAY_SIZE(r); s.n_rules++) {
		args[s.n_rules] = (struct filter_arg) ARG(0, SCMP_CMP_GT, s.n_rules << 31, 0);
		r[s.n_rules] = (struct filter_rule){ .names = read_only,
						     .action = SCMP_ACT_ERRNO(1),
						     .args = &args[s.n_rules],
						     .n_args = 1 };
	}
	assert_refused(&s, E2BIG);
	s.n_rules = 650;
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 0, 0, 0), SCMP_ACT_ALLOW);
	assert_int_equal(verdict(&s, AUDIT_ARCH_X86_64, 0, 1, 0), SCMP_ACT_ERRNO(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_numbers),
		cmocka_unit_test(test_strictest_wins),
		cmocka_unit_test(test_same_argument_twice),
		cmocka_unit_test(test_alternatives),
		cmocka_unit_test(test_multiplexed),
		cmocka_unit_test(test_unknown_to_profile),
		cmocka_unit_test(test_newer_than_the_library),
		cmocka_unit_test(test_large_tree),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unknown_name_ignored),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests_name("runtime/seccomp", tests, NULL, NULL);
}
