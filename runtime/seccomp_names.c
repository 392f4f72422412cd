/* The words of linux.seccomp: actions, operators, architectures and flags, as tables. */
#include "runtime/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"

/* Each table has its names a second time, as a list to hand out: generated from the same rows. */
#define NAME_OF(name, ...) name,
#define ROW_OF(name, ...)  { name, __VA_ARGS__ },

struct word {
	const char *name;
	uint32_t value;
};

static const struct word *find(const struct word *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

/* ---- actions ---- */

/* clang-format off */
#define ACTIONS(X) \
	X("SCMP_ACT_KILL",         SCMP_ACT_KILL_THREAD) \
	X("SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS) \
	X("SCMP_ACT_KILL_THREAD",  SCMP_ACT_KILL_THREAD) \
	X("SCMP_ACT_TRAP",         SCMP_ACT_TRAP) \
	X("SCMP_ACT_ERRNO",        SCMP_ACT_ERRNO(0)) \
	X("SCMP_ACT_TRACE",        SCMP_ACT_TRACE(0)) \
	X("SCMP_ACT_ALLOW",        SCMP_ACT_ALLOW) \
	X("SCMP_ACT_LOG",          SCMP_ACT_LOG) \
	X("SCMP_ACT_NOTIFY",       SCMP_ACT_NOTIFY)

#define OPERATORS(X) \
	X("SCMP_CMP_NE",        SCMP_CMP_NE) \
	X("SCMP_CMP_LT",        SCMP_CMP_LT) \
	X("SCMP_CMP_LE",        SCMP_CMP_LE) \
	X("SCMP_CMP_EQ",        SCMP_CMP_EQ) \
	X("SCMP_CMP_GE",        SCMP_CMP_GE) \
	X("SCMP_CMP_GT",        SCMP_CMP_GT) \
	X("SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ)

/* What this libseccomp cannot resolve names for is not offered. */
#define ARCHES(X) \
	X("SCMP_ARCH_X86",         SCMP_ARCH_X86) \
	X("SCMP_ARCH_X86_64",      SCMP_ARCH_X86_64) \
	X("SCMP_ARCH_X32",         SCMP_ARCH_X32) \
	X("SCMP_ARCH_ARM",         SCMP_ARCH_ARM) \
	X("SCMP_ARCH_AARCH64",     SCMP_ARCH_AARCH64) \
	X("SCMP_ARCH_MIPS",        SCMP_ARCH_MIPS) \
	X("SCMP_ARCH_MIPS64",      SCMP_ARCH_MIPS64) \
	X("SCMP_ARCH_MIPS64N32",   SCMP_ARCH_MIPS64N32) \
	X("SCMP_ARCH_MIPSEL",      SCMP_ARCH_MIPSEL) \
	X("SCMP_ARCH_MIPSEL64",    SCMP_ARCH_MIPSEL64) \
	X("SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32) \
	X("SCMP_ARCH_PPC",         SCMP_ARCH_PPC) \
	X("SCMP_ARCH_PPC64",       SCMP_ARCH_PPC64) \
	X("SCMP_ARCH_PPC64LE",     SCMP_ARCH_PPC64LE) \
	X("SCMP_ARCH_S390",        SCMP_ARCH_S390) \
	X("SCMP_ARCH_S390X",       SCMP_ARCH_S390X) \
	X("SCMP_ARCH_PARISC",      SCMP_ARCH_PARISC) \
	X("SCMP_ARCH_PARISC64",    SCMP_ARCH_PARISC64) \
	X("SCMP_ARCH_RISCV64",     SCMP_ARCH_RISCV64)

#define FLAGS(X) \
	X("SECCOMP_FILTER_FLAG_TSYNC",              SECCOMP_FILTER_FLAG_TSYNC) \
	X("SECCOMP_FILTER_FLAG_LOG",                SECCOMP_FILTER_FLAG_LOG) \
	X("SECCOMP_FILTER_FLAG_SPEC_ALLOW",         SECCOMP_FILTER_FLAG_SPEC_ALLOW) \
	X("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", FILTER_FLAG_WAIT_KILLABLE)
/* clang-format on */

static const struct word actions[] = { ACTIONS(ROW_OF) };
static const char *const action_names[] = { ACTIONS(NAME_OF) NULL };
static const struct word operators[] = { OPERATORS(ROW_OF) };
static const char *const operator_names[] = { OPERATORS(NAME_OF) NULL };
static const struct word arches[] = { ARCHES(ROW_OF) };
static const char *const arch_names[] = { ARCHES(NAME_OF) NULL };
static const struct word flags[] = { FLAGS(ROW_OF) };
static const char *const flag_names[] = { FLAGS(NAME_OF) NULL };

int filter_action_parse(const char *name, bool has_errno, uint32_t errno_ret, uint32_t *out,
			struct err *e)
{
	const struct word *w = find(actions, ARRAY_SIZE(actions), name);
	bool is_errno, is_trace;

	if (!w)
		return err_set(e, EINVAL, "\"%s\" is no seccomp action", name);
	is_errno = w->value == SCMP_ACT_ERRNO(0);
	is_trace = w->value == SCMP_ACT_TRACE(0);
	if (!is_errno && !is_trace) {
		if (has_errno)
			return err_set(e, EINVAL, "%s takes no errnoRet", name);
		*out = w->value;
		return 0;
	}
	/* The kernel would cut a larger errno down to this. */
	if (has_errno && errno_ret > (is_errno ? 4095u : 0xffffu))
		return err_set(e, EINVAL, "errnoRet %u is larger than %u", errno_ret,
			       is_errno ? 4095u : 0xffffu);
	*out = w->value | (has_errno ? errno_ret : EPERM);
	return 0;
}

int filter_arch_parse(const char *name, uint32_t *out, struct err *e)
{
	const struct word *w = find(arches, ARRAY_SIZE(arches), name);

	if (!w)
		return err_set(e, EINVAL,
			       "\"%s\" is no architecture that this version can filter", name);
	*out = w->value;
	return 0;
}

int filter_op_parse(const char *name, int *out, struct err *e)
{
	const struct word *w = find(operators, ARRAY_SIZE(operators), name);

	if (!w)
		return err_set(e, EINVAL, "\"%s\" is no seccomp operator", name);
	*out = (int) w->value;
	return 0;
}

int filter_flag_parse(const char *name, unsigned *out, struct err *e)
{
	const struct word *w = find(flags, ARRAY_SIZE(flags), name);

	if (!w)
		return err_set(e, EINVAL, "\"%s\" is no seccomp flag", name);
	*out = w->value;
	return 0;
}

const char *const *filter_action_names(void)
{
	return action_names;
}

const char *const *filter_op_names(void)
{
	return operator_names;
}

const char *const *filter_arch_names(void)
{
	return arch_names;
}

const char *const *filter_flag_names(void)
{
	return flag_names;
}
