/*
 * From runs to a program: a balanced tree of comparisons that ends in a verdict at every leaf.
 *
 * Nothing is shared between leaves, so every jump goes forward over one subtree and its length is all there is to
 * know. A jump reaches 255 instructions; over a longer subtree goes an unconditional one, which has 32 bits.
 *
 *	ld arch
 *	jeq ARCH1, next, over		one such block for each architecture
 *	ld nr
 *	jge MID, right			numbers below MID: the left subtree, which follows
 *	...
 *	ret KILL			no architecture of the list
 */
#include "runtime/seccomp_impl.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"

enum { ROOM = BPF_MAXINSNS + 64 };

/* In a condition's jumps, until the clause's end is known: to the next clause, to the next condition. */
enum { TO_FAIL = 255, TO_PASS = 254 };

struct code {
	struct sock_filter v[ROOM];
	size_t n;
	bool full;
};

static void emit(struct code *c, uint16_t op, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (c->n == ROOM) {
		c->full = true;
		return;
	}
	c->v[c->n++] = (struct sock_filter){ .code = op, .jt = jt, .jf = jf, .k = k };
}

static void emit_load(struct code *c, uint32_t offset)
{
	emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void emit_ret(struct code *c, uint32_t action)
{
	emit(c, BPF_RET | BPF_K, 0, 0, action);
}

/* The jump at `at` was emitted with nothing behind it; what must be skipped ends here. `when_true`: the jump
 * is taken when the comparison holds. */
static void close_jump(struct code *c, size_t at, bool when_true)
{
	size_t n = c->n - at - 1;

	if (c->full)
		return;
	if (n <= 255) {
		*(when_true ? &c->v[at].jt : &c->v[at].jf) = (uint8_t) n;
		return;
	}
	emit(c, 0, 0, 0, 0);
	if (c->full)
		return;
	memmove(&c->v[at + 2], &c->v[at + 1], n * sizeof(c->v[0]));
	c->v[at + 1] = (struct sock_filter){ .code = BPF_JMP | BPF_JA, .k = (uint32_t) n };
	*(when_true ? &c->v[at].jf : &c->v[at].jt) = 1;
}

/* ---- conditions ---- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
enum { LOW = 0, HIGH = 4 };
#else
enum { LOW = 4, HIGH = 0 };
#endif

static uint32_t arg_offset(uint32_t index, uint32_t half)
{
	return (uint32_t) offsetof(struct seccomp_data, args) + index * 8 + half;
}

static void emit_jump(struct code *c, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	emit(c, BPF_JMP | BPF_K | op, jt, jf, k);
}

/* How an operator compares the low halves, and what a larger or smaller high half decides already. */
struct compare {
	uint16_t low_op;
	uint8_t low_true, low_false;
	uint8_t high_more, high_less;
};

/* clang-format off */
static const struct compare compares[] = {
	[SCMP_CMP_NE] = { BPF_JEQ, TO_FAIL, TO_PASS, TO_PASS, TO_PASS },
	[SCMP_CMP_LT] = { BPF_JGE, TO_FAIL, TO_PASS, TO_FAIL, TO_PASS },
	[SCMP_CMP_LE] = { BPF_JGT, TO_FAIL, TO_PASS, TO_FAIL, TO_PASS },
	[SCMP_CMP_EQ] = { BPF_JEQ, TO_PASS, TO_FAIL, TO_FAIL, TO_FAIL },
	[SCMP_CMP_GE] = { BPF_JGE, TO_PASS, TO_FAIL, TO_PASS, TO_FAIL },
	[SCMP_CMP_GT] = { BPF_JGT, TO_PASS, TO_FAIL, TO_PASS, TO_FAIL },
};
/* clang-format on */

static void emit_ordered(struct code *c, const struct filter_arg *a, bool narrow)
{
	const struct compare *cmp = &compares[a->op];
	uint32_t high = (uint32_t) (a->value >> 32);

	if (!narrow) {
		emit_load(c, arg_offset(a->index, HIGH));
		if (cmp->high_more != cmp->high_less) {
			emit_jump(c, BPF_JGT, high, cmp->high_more, 0);
			emit_jump(c, BPF_JEQ, high, 0, cmp->high_less);
		} else {
			emit_jump(c, BPF_JEQ, high, 0, cmp->high_less);
		}
	}
	emit_load(c, arg_offset(a->index, LOW));
	emit_jump(c, cmp->low_op, (uint32_t) a->value, cmp->low_true, cmp->low_false);
}

/* value is the mask, value_two what must be left of the argument under it. */
static void emit_masked_half(struct code *c, uint32_t index, uint32_t half, uint32_t mask,
			     uint32_t want, uint8_t on_equal)
{
	emit_load(c, arg_offset(index, half));
	if (mask != UINT32_MAX)
		emit(c, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
	emit_jump(c, BPF_JEQ, want & mask, on_equal, TO_FAIL);
}

static void emit_masked(struct code *c, const struct filter_arg *a, bool narrow)
{
	uint32_t high = (uint32_t) (a->value >> 32);

	if (!narrow && high)
		emit_masked_half(c, a->index, HIGH, high, (uint32_t) (a->value_two >> 32), 0);
	emit_masked_half(c, a->index, LOW, (uint32_t) a->value, (uint32_t) a->value_two,
			 TO_PASS);
}

static bool is_jump(const struct sock_filter *i)
{
	return BPF_CLASS(i->code) == BPF_JMP && BPF_OP(i->code) != BPF_JA;
}

static void patch(uint8_t *offset, uint8_t mark, size_t distance)
{
	if (*offset == mark)
		*offset = (uint8_t) distance;
}

static void patch_all(struct code *c, size_t from, uint8_t mark)
{
	for (size_t i = from; i < c->n; i++)
		if (is_jump(&c->v[i])) {
			patch(&c->v[i].jt, mark, c->n - i - 1);
			patch(&c->v[i].jf, mark, c->n - i - 1);
		}
}

static void emit_clause(struct code *c, const struct filter_clause *clause, bool narrow)
{
	size_t start = c->n;

	for (uint32_t i = 0; i < clause->n_args; i++) {
		const struct filter_arg *a = &clause->args[i];
		size_t condition = c->n;

		if (a->op == SCMP_CMP_MASKED_EQ)
			emit_masked(c, a, narrow);
		else
			emit_ordered(c, a, narrow);
		patch_all(c, condition, TO_PASS);
	}
	emit_ret(c, clause->action);
	patch_all(c, start, TO_FAIL);
}

/* ---- alternatives: clauses that compare the same bits of one argument and say the same ---- */

enum { MAX_GROUP = 200 }; /* so that each comparison reaches the verdict */

/* The bits that a clause of one EQ or MASKED_EQ looks at; false for any other clause. */
static bool single_test(const struct filter_clause *clause, uint64_t *mask, uint64_t *want)
{
	const struct filter_arg *a = clause->args;

	if (clause->n_args != 1 || (a->op != SCMP_CMP_EQ && a->op != SCMP_CMP_MASKED_EQ))
		return false;
	*mask = a->op == SCMP_CMP_EQ ? UINT64_MAX : a->value;
	*want = a->op == SCMP_CMP_EQ ? a->value : a->value_two & a->value;
	return true;
}

/* How many clauses from the first on differ in nothing but the low half that they want. */
static uint32_t group_size(const struct filter_clause *first, uint32_t n)
{
	uint64_t mask, want, m, w;
	uint32_t size = 1;

	if (!single_test(first, &mask, &want))
		return 1;
	while (size < n && size < MAX_GROUP && single_test(&first[size], &m, &w) && m == mask &&
	       w >> 32 == want >> 32 && first[size].args->index == first->args->index &&
	       first[size].action == first->action)
		size++;
	return size;
}

/* One load for all, a comparison for each, one verdict. */
static void emit_group(struct code *c, const struct filter_clause *first, uint32_t n,
		       bool narrow)
{
	uint64_t mask = 0, want = 0;
	size_t start = c->n;

	(void) single_test(first, &mask, &want);
	if (!narrow && mask >> 32)
		emit_masked_half(c, first->args->index, HIGH, (uint32_t) (mask >> 32),
				 (uint32_t) (want >> 32), 0);
	emit_load(c, arg_offset(first->args->index, LOW));
	if ((uint32_t) mask != UINT32_MAX)
		emit(c, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t) mask);
	for (uint32_t i = 0; i < n; i++) {
		(void) single_test(&first[i], &mask, &want);
		emit_jump(c, BPF_JEQ, (uint32_t) want, TO_PASS, i + 1 < n ? 0 : TO_FAIL);
	}
	patch_all(c, start, TO_PASS);
	emit_ret(c, first->action);
	patch_all(c, start, TO_FAIL);
}

/* ---- the tree ---- */

static void emit_run(struct code *c, const struct filter_table *t, const struct filter_run *r)
{
	const struct filter_clause *clauses = &t->clauses[r->first];

	for (uint32_t i = 0, n; i < r->n; i += n) {
		n = group_size(&clauses[i], r->n - i);
		if (n > 1)
			emit_group(c, &clauses[i], n, r->narrow);
		else
			emit_clause(c, &clauses[i], r->narrow);
	}
}

static void emit_tree(struct code *c, const struct filter_table *t, size_t lo, size_t hi)
{
	size_t mid, at;

	if (hi - lo == 1) {
		emit_run(c, t, &t->runs[lo]);
		return;
	}
	mid = lo + (hi - lo) / 2;
	at = c->n;
	emit_jump(c, BPF_JGE, t->runs[mid].from, 0, 0);
	emit_tree(c, t, lo, mid);
	close_jump(c, at, true);
	emit_tree(c, t, mid, hi);
}

int filter_generate(const struct filter_tables *t, struct filter_program *out, struct err *e)
{
	auto_free struct code *c = xalloc(sizeof(*c));
	struct sock_filter *insns;

	emit_load(c, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < t->n; i++) {
		size_t at = c->n;

		emit_jump(c, BPF_JEQ, t->v[i].audit_arch, 0, 0);
		emit_load(c, offsetof(struct seccomp_data, nr));
		emit_tree(c, &t->v[i], 0, t->v[i].n_runs);
		close_jump(c, at, false);
	}
	emit_ret(c, SECCOMP_RET_KILL_THREAD);
	if (c->full || c->n > BPF_MAXINSNS)
		return err_set(
			e, E2BIG,
			"linux.seccomp: the profile needs more than the %d instructions that "
			"the kernel accepts",
			BPF_MAXINSNS);
	insns = malloc(c->n * sizeof(*insns));
	if (!insns)
		return err_set(e, ENOMEM, "linux.seccomp: no memory");
	memcpy(insns, c->v, c->n * sizeof(*insns));
	out->insns = insns;
	out->n = (uint16_t) c->n;
	return 0;
}
