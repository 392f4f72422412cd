/*
 * From rules by name to runs by number, one table for each architecture.
 *
 * Of all rules that fit a call the strictest decides (in the kernel's own order: kill, trap, errno, notify,
 * trace, log, allow; among equals the first); where none fits, the default does. That gives the answers of
 * libseccomp wherever its own are defined, without depending on the order of a profile.
 *
 * Numbers above the highest one that a profile names belong to calls that its author did not know. Under a
 * refusing default they get ENOSYS, so that programs fall back to what they used before (as with runc).
 */
#include "runtime/seccomp_impl.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"

enum { MAX_ENTRIES = 200000, MAX_ARCHES = 32 };

/* One rule on one number, with at most one set of conditions. Sorted by number, then strictness, then order. */
struct entry {
	uint32_t nr;
	uint32_t seq;
	struct filter_clause c;
};

struct entries {
	struct entry *v;
	size_t n, cap;
	bool named; /* some rule names a call of this architecture */
	uint32_t top;
};

static int32_t rank(uint32_t action)
{
	return (int32_t) (action & SECCOMP_RET_ACTION_FULL);
}

bool filter_stricter(uint32_t a, uint32_t b)
{
	return rank(a) < rank(b);
}

static int add_entry(struct entries *es, uint32_t nr, uint32_t action,
		     const struct filter_arg *args, size_t n_args, struct err *e)
{
	if (es->n == es->cap) {
		size_t cap = es->cap ? es->cap * 2 : 512;
		struct entry *v;

		if (cap > MAX_ENTRIES)
			return err_set(e, E2BIG, "linux.seccomp.syscalls: too many rules");
		v = realloc(es->v, cap * sizeof(*v));
		if (!v)
			return err_set(e, ENOMEM, "linux.seccomp.syscalls: no memory");
		es->v = v;
		es->cap = cap;
	}
	es->v[es->n] = (struct entry){
		.nr = nr,
		.seq = (uint32_t) es->n,
		.c = { .action = action, .n_args = (uint32_t) n_args, .args = args }
	};
	es->n++;
	if (!es->named || nr > es->top)
		es->top = nr;
	es->named = true;
	return 0;
}

/* ---- socketcall and ipc: one number for many calls, told by the first argument ---- */

/* clang-format off */
static const char *const socket_calls[] = {
	NULL, "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername",
	"socketpair", "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt",
	"sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
};
static const char *const ipc_calls[] = {
	NULL, "semop", "semget", "semctl", "semtimedop", NULL, NULL, NULL, NULL, NULL, NULL,
	"msgsnd", "msgrcv", "msgget", "msgctl", NULL, NULL, NULL, NULL, NULL, NULL,
	"shmat", "shmdt", "shmget", "shmctl",
};
/* clang-format on */

enum { N_SOCKET = ARRAY_SIZE(socket_calls), N_IPC = ARRAY_SIZE(ipc_calls) };

/* Walks the profile for one architecture. */
struct collector {
	const struct filter_spec *s;
	uint32_t arch;
	int socketcall, ipc;	 /* numbers; negative: not on this architecture */
	struct filter_arg *zero; /* "argument 0 equals ...", for socketcall and then for ipc */
	struct entries es;
};

static void collector_init(struct collector *c, const struct filter_spec *s, uint32_t arch,
			   struct filter_arg *zero)
{
	*c = (struct collector){ .s = s, .arch = arch, .zero = zero };
	c->socketcall = seccomp_syscall_resolve_name_arch(arch, "socketcall");
	c->ipc = seccomp_syscall_resolve_name_arch(arch, "ipc");
	for (uint64_t i = 0; i < N_SOCKET + N_IPC; i++)
		zero[i] = (struct filter_arg){ .value = i < N_SOCKET ? i : i - N_SOCKET,
					       .op = SCMP_CMP_EQ };
}

static size_t index_of(const char *const *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] && strcmp(v[i], name) == 0)
			return i;
	return 0;
}

/* A multiplexed call's own arguments lie in memory, where no filter can look. A rule with conditions is
 * therefore widened when it refuses, and left out when it permits. */
static int add_multiplexed(struct collector *c, const char *name, const struct filter_rule *r,
			   struct err *e)
{
	size_t i;

	if (c->socketcall < 0 && c->ipc < 0)
		return 0;
	if (r->n_args && !filter_stricter(r->action, c->s->default_action))
		return 0;
	i = index_of(socket_calls, N_SOCKET, name);
	if (i && c->socketcall >= 0)
		return add_entry(&c->es, (uint32_t) c->socketcall, r->action, &c->zero[i], 1,
				 e);
	i = index_of(ipc_calls, N_IPC, name);
	if (i && c->ipc >= 0)
		return add_entry(&c->es, (uint32_t) c->ipc, r->action, &c->zero[N_SOCKET + i],
				 1, e);
	return 0;
}

/* Conditions on the same argument twice are alternatives, each on its own, as runc has it. */
static bool index_repeats(const struct filter_rule *r)
{
	unsigned seen = 0;

	for (size_t i = 0; i < r->n_args; i++) {
		unsigned bit = 1u << r->args[i].index;

		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

static int add_rule(struct collector *c, uint32_t nr, const struct filter_rule *r,
		    struct err *e)
{
	if (!index_repeats(r))
		return add_entry(&c->es, nr, r->action, r->args, r->n_args, e);
	for (size_t i = 0; i < r->n_args; i++)
		if (add_entry(&c->es, nr, r->action, &r->args[i], 1, e) < 0)
			return -1;
	return 0;
}

static int add_name(struct collector *c, const char *name, const struct filter_rule *r,
		    struct err *e)
{
	int nr = filter_syscall_number(c->arch, name);

	if (nr == __NR_SCMP_ERROR) {
		if (!filter_stricter(r->action, c->s->default_action))
			return 0;
		return err_set(
			e, EINVAL,
			"linux.seccomp.syscalls: \"%s\" is no system call that this version "
			"knows; without its rule the default action would let it pass",
			name);
	}
	if (nr >= 0 && add_rule(c, (uint32_t) nr, r, e) < 0)
		return -1;
	return add_multiplexed(c, name, r, e);
}

static int collect(struct collector *c, struct err *e)
{
	for (size_t i = 0; i < c->s->n_rules; i++) {
		const struct filter_rule *r = &c->s->rules[i];

		for (const char *const *name = r->names; *name; name++)
			if (add_name(c, *name, r, e) < 0)
				return -1;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	if (rank(x->c.action) != rank(y->c.action))
		return rank(x->c.action) < rank(y->c.action) ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

/* ---- runs ---- */

struct run_builder {
	struct filter_table *t;
	bool narrow;
};

static void push_clause(struct filter_table *t, const struct filter_clause *c)
{
	t->clauses[t->n_clauses++] = *c;
	t->runs[t->n_runs - 1].n++;
}

static void push_run(struct run_builder *b, uint32_t from)
{
	b->t->runs[b->t->n_runs++] = (struct filter_run){ .from = from,
							  .first = (uint32_t) b->t->n_clauses,
							  .narrow = b->narrow };
}

/* A run of one unconditional action; merged into the one before when that says the same. */
static void push_plain(struct run_builder *b, uint32_t from, uint32_t action)
{
	struct filter_table *t = b->t;
	const struct filter_clause c = { .action = action };

	if (t->n_runs) {
		const struct filter_run *last = &t->runs[t->n_runs - 1];

		if (last->n == 1 && !t->clauses[last->first].n_args &&
		    t->clauses[last->first].action == action)
			return;
		/* An empty run: what follows starts at the same number. */
		if (last->from == from) {
			t->n_clauses = last->first;
			t->n_runs--;
			push_plain(b, from, action);
			return;
		}
	}
	push_run(b, from);
	push_clause(t, &c);
}

/* All entries of one number. They are sorted by strictness: what follows an unconditional one never acts. */
static void push_number(struct run_builder *b, const struct entry *es, size_t n,
			uint32_t fallback)
{
	const struct filter_clause last = { .action = fallback };

	if (es[0].c.n_args == 0) {
		push_plain(b, es[0].nr, es[0].c.action);
		return;
	}
	if (b->t->n_runs && b->t->runs[b->t->n_runs - 1].from == es[0].nr) {
		b->t->n_clauses = b->t->runs[b->t->n_runs - 1].first;
		b->t->n_runs--;
	}
	push_run(b, es[0].nr);
	for (size_t i = 0; i < n; i++) {
		push_clause(b->t, &es[i].c);
		if (es[i].c.n_args == 0)
			return;
	}
	push_clause(b->t, &last);
}

static bool refuses(uint32_t action)
{
	return filter_stricter(action, SCMP_ACT_NOTIFY);
}

/* Runs of one architecture's numbers from `base` on. */
static void push_all(struct run_builder *b, const struct entries *es, uint32_t base,
		     uint32_t fallback)
{
	uint32_t next = base;

	push_plain(b, base, fallback);
	for (size_t i = 0; i < es->n;) {
		uint32_t nr = es->v[i].nr;
		size_t n = 1;

		while (i + n < es->n && es->v[i + n].nr == nr)
			n++;
		if (nr != next)
			push_plain(b, next, fallback);
		push_number(b, &es->v[i], n, fallback);
		next = nr + 1;
		i += n;
	}
	if (es->named && refuses(fallback))
		fallback = SCMP_ACT_ERRNO(ENOSYS);
	push_plain(b, next, fallback);
}

/* ---- architectures ---- */

static bool is_narrow(uint32_t arch)
{
	return !(arch & __AUDIT_ARCH_64BIT) || arch == SCMP_ARCH_MIPS64N32 ||
	       arch == SCMP_ARCH_MIPSEL64N32;
}

/* Room for so many more runs and clauses. */
static int grow(struct filter_table *t, size_t runs, size_t clauses, struct err *e)
{
	struct filter_run *r = realloc(t->runs, (t->n_runs + runs) * sizeof(*r));
	struct filter_clause *c;

	if (r)
		t->runs = r;
	c = realloc(t->clauses, (t->n_clauses + clauses) * sizeof(*c));
	if (c)
		t->clauses = c;
	return r && c ? 0 : err_set(e, ENOMEM, "linux.seccomp.syscalls: no memory");
}

static int add_segment(const struct filter_spec *s, uint32_t arch, uint32_t base,
		       struct filter_table *t, struct err *e)
{
	struct run_builder b = { .t = t, .narrow = is_narrow(arch) };
	struct collector c;

	collector_init(&c, s, arch, &t->own_args[t->n_own_args]);
	t->n_own_args += N_SOCKET + N_IPC;
	/* A number makes two runs at most (itself and the gap behind it), with one clause each besides its
	 * entries. */
	if (collect(&c, e) < 0 || grow(t, 2 * c.es.n + 4, 3 * c.es.n + 4, e) < 0) {
		free(c.es.v);
		return -1;
	}
	if (c.es.n)
		qsort(c.es.v, c.es.n, sizeof(*c.es.v), by_number);
	push_all(&b, &c.es, base, s->default_action);
	free(c.es.v);
	return 0;
}

/* x86_64 and x32 in one table; what is not listed is killed, as an unknown architecture is. Number -1 is
 * what a tracer leaves behind to skip a call: it belongs to x86_64. */
static int build_x86_64(const struct filter_spec *s, bool has_64, bool has_x32,
			struct filter_table *t, struct err *e)
{
	struct run_builder b = { .t = t };

	t->audit_arch = AUDIT_ARCH_X86_64;
	if (has_64 && add_segment(s, SCMP_ARCH_X86_64, 0, t, e) < 0)
		return -1;
	if (grow(t, 4, 4, e) < 0)
		return -1;
	if (!has_64)
		push_plain(&b, 0, SCMP_ACT_KILL_THREAD);
	if (has_x32)
		return add_segment(s, SCMP_ARCH_X32, FILTER_X32_BIT, t, e);
	push_plain(&b, FILTER_X32_BIT, SCMP_ACT_KILL_THREAD);
	push_plain(&b, UINT32_MAX, s->default_action);
	return 0;
}

static int check_arch(uint32_t arch, uint32_t native, struct err *e)
{
	if ((arch ^ native) & __AUDIT_ARCH_LE)
		return err_set(
			e, EINVAL,
			"linux.seccomp.architectures: 0x%08x has another byte order than this "
			"machine",
			arch);
	if (seccomp_syscall_resolve_name_arch(arch, "read") < 0)
		return err_set(
			e, ENOTSUP,
			"linux.seccomp.architectures: 0x%08x is not known to this libseccomp",
			arch);
	return 0;
}

static bool is_x86_64(uint32_t arch)
{
	return arch == SCMP_ARCH_X86_64 || arch == SCMP_ARCH_X32;
}

static bool has_arch(const struct filter_spec *s, uint32_t native, uint32_t arch)
{
	for (size_t i = 0; i < s->n_arches; i++)
		if (s->arches[i] == arch)
			return true;
	return arch == native;
}

static bool has_table(const struct filter_tables *t, uint32_t arch)
{
	uint32_t audit = is_x86_64(arch) ? AUDIT_ARCH_X86_64 : arch;

	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].audit_arch == audit)
			return true;
	return false;
}

static int add_arch(const struct filter_spec *s, uint32_t arch, uint32_t native,
		    struct filter_tables *out, struct err *e)
{
	struct filter_table *t;

	if (check_arch(arch, native, e) < 0)
		return -1;
	if (has_table(out, arch))
		return 0;
	if (out->n == MAX_ARCHES)
		return err_set(e, E2BIG, "linux.seccomp.architectures: more than %d",
			       MAX_ARCHES);
	t = &out->v[out->n++];
	t->own_args = xalloc(2 * (N_SOCKET + N_IPC) * sizeof(*t->own_args));
	if (is_x86_64(arch))
		return build_x86_64(s, has_arch(s, native, SCMP_ARCH_X86_64),
				    has_arch(s, native, SCMP_ARCH_X32), t, e);
	t->audit_arch = arch;
	return add_segment(s, arch, 0, t, e);
}

int filter_tables_build(const struct filter_spec *s, struct filter_tables *out, struct err *e)
{
	uint32_t native = seccomp_arch_native();
	int r;

	*out = (struct filter_tables){ .v = xalloc(MAX_ARCHES * sizeof(*out->v)) };
	r = add_arch(s, native, native, out, e);
	for (size_t i = 0; r == 0 && i < s->n_arches; i++)
		r = add_arch(s, s->arches[i], native, out, e);
	if (r < 0)
		filter_tables_fini(out);
	return r;
}

void filter_tables_fini(struct filter_tables *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].runs);
		free(t->v[i].clauses);
		free(t->v[i].own_args);
	}
	free(t->v);
	*t = (struct filter_tables){ 0 };
}
