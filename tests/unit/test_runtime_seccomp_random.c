/*
 * The filter's verdicts, instruction by instruction, against the programs that libseccomp makes of the same
 * rules: thousands of random profiles and calls. Where we differ on purpose, the test says what it expects instead.
 */
#include "tests/unit/bpf_run.h"

#include <linux/audit.h>
#include <seccomp.h>

#include "base/buf.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_impl.h"

/* ---- random numbers that are the same everywhere ---- */

static uint64_t seed = 1;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static size_t below(size_t n)
{
	return next() % n;
}

/* ---- profiles ---- */

enum { MAX_RULES = 80, MAX_NAMES = 6, MAX_ARGS = 4 };

struct profile {
	struct filter_spec spec;
	struct filter_rule rules[MAX_RULES];
	const char *names[MAX_RULES][MAX_NAMES + 1];
	struct filter_arg args[MAX_RULES][MAX_ARGS];
	uint32_t arches[8];
};

/* clang-format off */
static const char *const names[] = {
	"read", "write", "open", "close", "stat", "mmap", "ioctl", "pread64", "dup", "getpid", "clone",
	"fork", "execve", "exit", "kill", "uname", "fcntl", "ptrace", "getuid", "personality", "prctl",
	"arch_prctl", "mount", "futex", "tgkill", "openat", "unshare", "splice", "eventfd2", "dup3",
	"perf_event_open", "setns", "getrandom", "bpf", "statx", "io_uring_setup", "clone3", "openat2",
	"close_range", "fchmodat2", "s390_runtime_instr", "arm_fadvise64_64", "time", "_llseek",
};
static const char *const multiplexed[] = {
	"socket", "connect", "accept", "accept4", "sendmsg", "shmget", "semop", "msgctl",
	"socketcall", "ipc",
};
static const uint64_t values[] = {
	0, 1, 2, 5, 8, 16, 0x7e020000, 0x10000000, 0x80000000, 0xffffffff, 0x100000000, 0x100000005,
	0x7fffffffffffffff, 0x8000000000000000, 0xffffffff00000000, 0xffffffffffffffff,
};
static const uint32_t actions[] = {
	SCMP_ACT_ALLOW, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_LOG,
	SCMP_ACT_ERRNO(1), SCMP_ACT_ERRNO(38), SCMP_ACT_TRACE(7),
};
/* Of one byte order with the machines that run the tests. */
static const uint32_t extra_arches[] = {
	SCMP_ARCH_X86, SCMP_ARCH_X32, SCMP_ARCH_AARCH64, SCMP_ARCH_ARM, SCMP_ARCH_MIPSEL64N32,
	SCMP_ARCH_PPC64LE, SCMP_ARCH_RISCV64,
};
/* clang-format on */

static uint64_t some_value(void)
{
	return below(3) == 0 ? next() >> below(64) : values[below(ARRAY_SIZE(values))];
}

static void random_args(struct filter_rule *r, struct filter_arg *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		args[i] = (struct filter_arg){ .index = (uint32_t) i + (uint32_t) below(2) * 3,
					       .op = SCMP_CMP_NE + (int) below(7),
					       .value = some_value(),
					       .value_two = some_value() };
	for (size_t i = 0; i + 1 < n; i++)
		if (args[i].index >= args[i + 1].index)
			args[i + 1].index = args[i].index + 1;
	if (n && args[n - 1].index > 5)
		n = 1;
	r->args = args;
	r->n_args = n;
}

/* libseccomp leaves open what happens when rules of different actions overlap, and merges several rules with
 * ranges on one call into trees that do not always mean them (2.5.4: GE beside LE with more arguments). So a
 * profile for the comparison has one action for a name (and one for all that may share socketcall or ipc), never
 * the default's, and one conditional rule; test_model has them all. */
static uint32_t action_of(const char *name, uint32_t salt, uint32_t fallback)
{
	uint32_t h = salt;

	for (; *name; name++)
		h = h * 31 + (unsigned char) *name;
	if (actions[h % ARRAY_SIZE(actions)] == fallback)
		h++;
	return actions[h % ARRAY_SIZE(actions)];
}

static bool has_conditions(const struct profile *p, size_t before, const char *name)
{
	for (size_t i = 0; i < before; i++)
		if (p->rules[i].n_args && strcmp(p->rules[i].names[0], name) == 0)
			return true;
	return false;
}

static void random_profile(struct profile *p, bool tame)
{
	uint32_t salt = (uint32_t) next();

	memset(p, 0, sizeof(*p));
	p->spec.set = true;
	p->spec.default_action = actions[below(ARRAY_SIZE(actions))];
	p->spec.arches = p->arches;
	for (size_t i = 0; i < ARRAY_SIZE(extra_arches); i++)
		if (below(3) == 0)
			p->arches[p->spec.n_arches++] = extra_arches[i];
	p->spec.rules = p->rules;
	p->spec.n_rules = below(MAX_RULES);
	for (size_t i = 0; i < p->spec.n_rules; i++) {
		struct filter_rule *r = &p->rules[i];
		bool multi = below(6) == 0;

		p->names[i][0] = multi ? multiplexed[below(ARRAY_SIZE(multiplexed))]
				       : names[below(ARRAY_SIZE(names))];
		r->names = p->names[i];
		r->action = actions[below(ARRAY_SIZE(actions))];
		if (tame)
			r->action = action_of(multi ? "socketcall" : p->names[i][0], salt,
					      p->spec.default_action);
		/* A multiplexed call with conditions is where we differ: test_multiplexed. */
		if (multi || (tame && has_conditions(p, i, p->names[i][0])))
			continue;
		random_args(r, p->args[i], below(MAX_ARGS));
	}
}

/* ---- what the rules say, word for word ---- */

static bool holds(const struct filter_arg *a, uint64_t v, bool narrow)
{
	uint64_t x = narrow ? (uint32_t) a->value : a->value;
	uint64_t y = narrow ? (uint32_t) a->value_two : a->value_two;

	if (narrow)
		v = (uint32_t) v;
	switch (a->op) {
	case SCMP_CMP_NE:
		return v != x;
	case SCMP_CMP_LT:
		return v < x;
	case SCMP_CMP_LE:
		return v <= x;
	case SCMP_CMP_EQ:
		return v == x;
	case SCMP_CMP_GE:
		return v >= x;
	case SCMP_CMP_GT:
		return v > x;
	default:
		return (v & x) == (y & x);
	}
}

static bool fits(const struct filter_rule *r, const struct seccomp_data *d, bool narrow)
{
	for (size_t i = 0; i < r->n_args; i++)
		if (!holds(&r->args[i], d->args[r->args[i].index], narrow))
			return false;
	return true;
}

/* The strictest rule for this number that fits; only for architectures without socketcall. */
static uint32_t model(const struct filter_spec *s, uint32_t arch, const struct seccomp_data *d)
{
	uint32_t best = s->default_action;
	bool any = false;

	for (size_t i = 0; i < s->n_rules; i++) {
		const struct filter_rule *r = &s->rules[i];

		if (filter_syscall_number(arch, r->names[0]) != d->nr ||
		    !fits(r, d, arch == SCMP_ARCH_X32))
			continue;
		if (!any || filter_stricter(r->action, best))
			best = r->action;
		any = true;
	}
	return best;
}

/* ---- the oracle ---- */

static bool exists_on(uint32_t arch, const char *name)
{
	int nr = seccomp_syscall_resolve_name_arch(arch, name);

	return nr >= 0 || (nr < -100 && nr > -300);
}

static void oracle_rule(scmp_filter_ctx ctx, const struct filter_rule *r)
{
	struct scmp_arg_cmp cmp[6];
	int rc;

	for (size_t k = 0; k < r->n_args; k++)
		cmp[k] = (struct scmp_arg_cmp){ .arg = r->args[k].index,
						.op = (enum scmp_compare) r->args[k].op,
						.datum_a = r->args[k].value,
						.datum_b = r->args[k].value_two };
	rc = seccomp_rule_add_array(ctx, r->action, seccomp_syscall_resolve_name(r->names[0]),
				    (unsigned) r->n_args, cmp);
	/* EEXIST: the same rule a second time. */
	assert_true(rc == 0 || rc == -EEXIST);
}

/* One architecture at a time and without names that it does not have: 2.5.4 forgets to load the number after a
 * change of architecture when the first rule there is of a call that does not exist. */
static struct bpf_code oracle(const struct filter_spec *s, uint32_t arch)
{
	scmp_filter_ctx ctx = seccomp_init(s->default_action);

	assert_non_null(ctx);
	if (arch != seccomp_arch_native()) {
		assert_int_equal(seccomp_arch_add(ctx, arch), 0);
		assert_int_equal(seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE), 0);
	}
	for (size_t i = 0; i < s->n_rules; i++)
		if (exists_on(arch, s->rules[i].names[0]))
			oracle_rule(ctx, &s->rules[i]);
	return bpf_export(ctx);
}

/* The highest number that a profile names on an architecture, or -1. */
static int64_t top_number(const struct filter_spec *s, uint32_t arch)
{
	bool multi = seccomp_syscall_resolve_name_arch(arch, "socketcall") >= 0;
	int64_t top = -1;

	for (size_t i = 0; i < s->n_rules; i++)
		for (const char *const *n = s->rules[i].names; *n; n++) {
			int nr = filter_syscall_number(arch, *n);

			if (nr >= 0)
				top = MAX(top, nr);
			/* accept and others exist on some architectures as socketcall only. */
			else if (multi && nr > -200 && nr < -100)
				top = MAX(top, seccomp_syscall_resolve_name_arch(arch,
										 "socketcall"));
			else if (multi && nr > -300 && nr < -200)
				top = MAX(top, seccomp_syscall_resolve_name_arch(arch, "ipc"));
		}
	return top;
}

static bool listed(const struct filter_spec *s, uint32_t arch)
{
	for (size_t i = 0; i < s->n_arches; i++)
		if (s->arches[i] == arch)
			return true;
	return arch == seccomp_arch_native();
}

struct libs {
	uint32_t arch[ARRAY_SIZE(extra_arches) + 1];
	struct bpf_code code[ARRAY_SIZE(extra_arches) + 1];
	size_t n;
};

static void libs_open(struct libs *l, const struct filter_spec *s)
{
	l->arch[0] = seccomp_arch_native();
	l->code[0] = oracle(s, l->arch[0]);
	l->n = 1;
	for (size_t i = 0; i < s->n_arches; i++, l->n++) {
		l->arch[l->n] = s->arches[i];
		l->code[l->n] = oracle(s, s->arches[i]);
	}
}

static void libs_close(struct libs *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->code[i].v);
}

static const struct bpf_code *lib_for(const struct libs *l, uint32_t arch)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->arch[i] == arch)
			return &l->code[i];
	return NULL;
}

/* libseccomp's verdict, with ENOSYS instead of a refusing default above the numbers that the profile knows. */
static uint32_t expected(const struct filter_spec *s, const struct libs *l,
			 const struct seccomp_data *d)
{
	bool x32 = d->arch == AUDIT_ARCH_X86_64 && (uint32_t) d->nr >= FILTER_X32_BIT;
	uint32_t arch = x32 && listed(s, SCMP_ARCH_X32) ? SCMP_ARCH_X32 : d->arch;
	const struct bpf_code *lib = lib_for(l, arch);
	int64_t top = top_number(s, arch);

	if (!lib)
		return SCMP_ACT_KILL_THREAD;
	if ((x32 && arch != SCMP_ARCH_X32) || top < 0 || (uint32_t) d->nr <= top ||
	    !filter_stricter(s->default_action, SCMP_ACT_NOTIFY))
		return bpf_run(lib, d);
	return SCMP_ACT_ERRNO(ENOSYS);
}

/* ---- calls ---- */

static uint64_t near_value(const struct filter_spec *s)
{
	const struct filter_rule *r = s->n_rules ? &s->rules[below(s->n_rules)] : NULL;
	uint64_t v = some_value();

	if (r && r->n_args) {
		const struct filter_arg *a = &r->args[below(r->n_args)];

		v = below(2) ? a->value : a->value_two;
		if (a->op == SCMP_CMP_MASKED_EQ && below(2))
			v = (a->value & a->value_two) | (next() & ~a->value);
	}
	return v + below(3) - 1;
}

static struct seccomp_data random_call(const struct filter_spec *s)
{
	static const uint32_t arches[] = { AUDIT_ARCH_X86_64,  AUDIT_ARCH_X86_64,
					   AUDIT_ARCH_I386,    AUDIT_ARCH_AARCH64,
					   AUDIT_ARCH_ARM,     SCMP_ARCH_MIPSEL64N32,
					   AUDIT_ARCH_PPC64LE, AUDIT_ARCH_RISCV64,
					   AUDIT_ARCH_S390X };
	struct seccomp_data d = { .arch = arches[below(ARRAY_SIZE(arches))] };
	bool x32 = d.arch == AUDIT_ARCH_X86_64 && below(4) == 0;
	int nr = -1;

	if (s->n_rules && below(4))
		nr = filter_syscall_number(x32 ? SCMP_ARCH_X32 : d.arch,
					   s->rules[below(s->n_rules)].names[0]);
	if (nr < 0)
		nr = (int) below(8) ? (int) below(480) : (int) next();
	if (below(5) == 0)
		nr += (int) below(3) - 1;
	d.nr = x32 && below(2) ? nr | FILTER_X32_BIT : nr;
	for (int i = 0; i < 6; i++)
		d.args[i] = below(3) ? near_value(s) : below(4);
	return d;
}

static void print_rules(const struct filter_spec *s, uint32_t arch, int nr)
{
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct filter_rule *r = &s->rules[i];

		if (filter_syscall_number(arch, r->names[0]) != nr)
			continue;
		print_message("%s 0x%x", r->names[0], r->action);
		for (size_t k = 0; k < r->n_args; k++)
			print_message(" [%u op%d %llx %llx]", r->args[k].index, r->args[k].op,
				      (long long) r->args[k].value,
				      (long long) r->args[k].value_two);
		print_message("\n");
	}
}

static void compare(const struct profile *p, size_t calls, size_t *compared)
{
	struct filter_program ours = { 0 };
	struct bpf_code code;
	struct libs l;

	libs_open(&l, &p->spec);
	assert_ok(filter_compile(&p->spec, -1, &ours, &e));
	code = (struct bpf_code){ .v = ours.insns, .n = ours.n };
	for (size_t i = 0; i < calls; i++) {
		struct seccomp_data d = random_call(&p->spec);
		uint32_t want = expected(&p->spec, &l, &d), got = bpf_run(&code, &d);

		if (want != got)
			print_rules(&p->spec, d.arch, d.nr);
		if (want != got)
			fail_msg(
				"arch 0x%x nr %d args %llx %llx %llx %llx %llx %llx: 0x%x, libseccomp "
				"0x%x, default 0x%x",
				d.arch, d.nr, (long long) d.args[0], (long long) d.args[1],
				(long long) d.args[2], (long long) d.args[3],
				(long long) d.args[4], (long long) d.args[5], got, want,
				p->spec.default_action);
		++*compared;
	}
	filter_program_fini(&ours);
	libs_close(&l);
}

static void test_verdicts_as_libseccomp(void **state)
{
	size_t compared = 0;
	struct profile *p = xalloc(sizeof(*p));

	(void) state;
	for (int i = 0; i < 400; i++) {
		random_profile(p, true);
		compare(p, 500, &compared);
	}
	print_message("%zu verdicts of 400 profiles agree\n", compared);
	assert_int_equal(compared, 200000);
	free(p);
}

/* Overlapping rules of all actions, against their plain reading. */
static void test_model(void **state)
{
	struct profile *p = xalloc(sizeof(*p));

	(void) state;
	for (int i = 0; i < 400; i++) {
		struct filter_program ours = { 0 };
		struct bpf_code code;

		random_profile(p, false);
		assert_ok(filter_compile(&p->spec, -1, &ours, &e));
		code = (struct bpf_code){ .v = ours.insns, .n = ours.n };
		for (int k = 0; k < 500; k++) {
			struct seccomp_data d = random_call(&p->spec);
			uint32_t arch = (uint32_t) d.nr >= FILTER_X32_BIT ? SCMP_ARCH_X32
									  : SCMP_ARCH_X86_64;

			d.arch = AUDIT_ARCH_X86_64;
			if (d.nr < 0 || !listed(&p->spec, arch) ||
			    d.nr > top_number(&p->spec, arch))
				continue;
			assert_int_equal(bpf_run(&code, &d), model(&p->spec, arch, &d));
		}
		filter_program_fini(&ours);
	}
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts_as_libseccomp),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests_name("runtime/seccomp: random profiles", tests, NULL,
					   NULL);
}
