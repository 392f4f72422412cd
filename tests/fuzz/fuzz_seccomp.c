/*
 * Any linux.seccomp object: it is refused with a sentence, or it becomes a program that the kernel's checks would
 * pass: jumps stay inside and go forward, every path ends in a verdict, and the cache gives the same program back.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_impl.h"
#include "runtime/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_insn(const struct filter_program *p, size_t at)
{
	const struct sock_filter *i = &p->insns[at];
	size_t left = p->n - at - 1;

	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		check(i->k % 4 == 0 && i->k + 4 <= sizeof(struct seccomp_data));
		break;
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_RET | BPF_K:
		break;
	case BPF_JMP | BPF_JA:
		check(i->k < left);
		break;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K:
		check(i->jt < left && i->jf < left);
		break;
	default:
		check(false);
	}
}

static void check_program(const struct filter_program *p)
{
	check(p->n > 0 && p->n <= BPF_MAXINSNS);
	for (size_t at = 0; at < p->n; at++)
		check_insn(p, at);
	check(p->insns[p->n - 1].code == (BPF_RET | BPF_K));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char before[] =
		"{\"ociVersion\":\"1.0.0\",\"process\":{\"cwd\":\"/\",\"args\":[\"x\"]},"
		"\"root\":{\"path\":\"/\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"seccomp\":";
	auto_buf struct buf text = BUF_LIMIT(1 << 20);
	auto_cleanup(spec_free_ptr) struct spec *spec = NULL;
	struct filter_program p = { 0 };
	struct err e = ERR_NONE;

	if (n > 65536)
		return 0;
	check(buf_puts(&text, before, &e) == 0 && buf_append(&text, data, n, &e) == 0 &&
	      buf_puts(&text, "}}", &e) == 0);
	if (spec_parse(buf_str(&text), buf_len(&text), &spec, &e) < 0 || !spec->seccomp.set)
		return 0;
	if (filter_compile(&spec->seccomp, -1, &p, &e) < 0) {
		check(e.msg[0] != '\0');
		return 0;
	}
	check_program(&p);
	filter_program_fini(&p);
	return 0;
}
