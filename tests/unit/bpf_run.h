/*
 * Runs a seccomp program on paper: the classic BPF subset that the kernel accepts in filters. Jumps out of the
 * program, unaligned loads and programs without a verdict fail the test.
 */
#ifndef CARREL_TESTS_UNIT_BPF_RUN_H
#define CARREL_TESTS_UNIT_BPF_RUN_H

#include "tests/unit/scratch.h"

#include <seccomp.h>

#include "base/util.h"

struct bpf_code {
	struct sock_filter *v;
	size_t n;
};

static inline uint32_t bpf_load(const struct seccomp_data *d, uint32_t k)
{
	uint32_t word;

	if (k % 4 || k + 4 > sizeof(*d))
		fail_msg("load at offset %u", k);
	memcpy(&word, (const char *) d + k, sizeof(word));
	return word;
}

static inline bool bpf_holds(uint16_t op, uint32_t a, uint32_t k)
{
	switch (op) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		fail_msg("unknown jump 0x%x", op);
		return false;
	}
}

static inline uint32_t bpf_run_counted(const struct bpf_code *code,
				       const struct seccomp_data *d, size_t *steps)
{
	uint32_t a = 0;

	*steps = 0;
	for (size_t pc = 0; pc < code->n; pc++) {
		const struct sock_filter *i = &code->v[pc];

		++*steps;
		if (i->code == (BPF_LD | BPF_W | BPF_ABS))
			a = bpf_load(d, i->k);
		else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= i->k;
		else if (i->code == (BPF_RET | BPF_K))
			return i->k;
		else if (i->code == (BPF_JMP | BPF_JA))
			pc += i->k;
		else if (BPF_CLASS(i->code) == BPF_JMP && BPF_SRC(i->code) == BPF_K)
			pc += bpf_holds(BPF_OP(i->code), a, i->k) ? i->jt : i->jf;
		else
			fail_msg("instruction %zu: code 0x%x", pc, i->code);
	}
	fail_msg("ran off the end of %zu instructions", code->n);
	return 0;
}

static inline uint32_t bpf_run(const struct bpf_code *code, const struct seccomp_data *d)
{
	size_t steps;

	return bpf_run_counted(code, d, &steps);
}

/* The program that libseccomp makes of ctx, which it frees; the caller frees v. */
static inline struct bpf_code bpf_export(scmp_filter_ctx ctx)
{
	auto_close int fd = memfd_create("filter", MFD_CLOEXEC);
	struct bpf_code code;
	off_t size;

	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	size = lseek(fd, 0, SEEK_END);
	code.n = (size_t) size / sizeof(*code.v);
	code.v = malloc((size_t) size);
	assert_int_equal(pread(fd, code.v, (size_t) size, 0), size);
	return code;
}

#endif
