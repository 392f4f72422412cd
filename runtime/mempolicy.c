#include "runtime/mempolicy.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

/* The most nodes that a kernel can be built for (NODES_SHIFT is at most 10). */
enum { NODES_MAX = 1024, WORD = 8 * sizeof(unsigned long) };

enum { NO_NODES, SOME_NODES, ANY_NODES };

/* Numbers of the kernel's interface: its header may be older than the kernel. */
static const struct {
	const char *name;
	int mode, nodes;
} modes[] = {
	{ "MPOL_DEFAULT", 0, NO_NODES },
	{ "MPOL_PREFERRED", 1, ANY_NODES },
	{ "MPOL_BIND", 2, SOME_NODES },
	{ "MPOL_INTERLEAVE", 3, SOME_NODES },
	{ "MPOL_LOCAL", 4, NO_NODES },
	{ "MPOL_PREFERRED_MANY", 5, SOME_NODES },
	{ "MPOL_WEIGHTED_INTERLEAVE", 6, SOME_NODES },
};
static const char *const mode_names[] = {
	"MPOL_DEFAULT",
	"MPOL_PREFERRED",
	"MPOL_BIND",
	"MPOL_INTERLEAVE",
	"MPOL_LOCAL",
	"MPOL_PREFERRED_MANY",
	"MPOL_WEIGHTED_INTERLEAVE",
	NULL,
};

enum { STATIC_NODES = 1 << 15, RELATIVE_NODES = 1 << 14, NUMA_BALANCING = 1 << 13 };

static const struct {
	const char *name;
	unsigned flag;
} flags[] = {
	{ "MPOL_F_NUMA_BALANCING", NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES", STATIC_NODES },
};
static const char *const flag_names[] = {
	"MPOL_F_NUMA_BALANCING",
	"MPOL_F_RELATIVE_NODES",
	"MPOL_F_STATIC_NODES",
	NULL,
};

_Static_assert(ARRAY_SIZE(modes) + 1 == ARRAY_SIZE(mode_names), "one name per mode");
_Static_assert(ARRAY_SIZE(flags) + 1 == ARRAY_SIZE(flag_names), "one name per flag");

const char *const *mempolicy_mode_names(void)
{
	return mode_names;
}

const char *const *mempolicy_flag_names(void)
{
	return flag_names;
}

int mempolicy_mode_parse(const char *name, int *mode, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(modes[i].name, name) == 0) {
			*mode = modes[i].mode;
			return 0;
		}
	}
	return err_set(e, EINVAL, "invalid memory policy mode \"%.64s\"", name);
}

int mempolicy_flag_parse(const char *name, unsigned *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(flags[i].name, name) == 0) {
			*out |= flags[i].flag;
			return 0;
		}
	}
	return err_set(e, EINVAL, "invalid memory policy flag \"%.64s\"", name);
}

/* Returns how many nodes are named. */
static int parse_nodes(const struct mempolicy_spec *s, unsigned long bits[NODES_MAX / WORD],
		       struct err *e)
{
	int n = 0;

	memset(bits, 0, NODES_MAX / 8);
	if (s->nodes &&
	    str_to_bits(s->nodes, "invalid memory policy nodes", bits, NODES_MAX, e) < 0)
		return -1;
	for (int i = 0; i < NODES_MAX / (int) WORD; i++)
		n += __builtin_popcountl(bits[i]);
	return n;
}

static int check_count(int mode, int n, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (modes[i].mode != mode)
			continue;
		if (modes[i].nodes == NO_NODES && n > 0)
			return err_set(e, EINVAL, "%s: mode requires 0 nodes but got %d",
				       modes[i].name, n);
		if (modes[i].nodes == SOME_NODES && n == 0)
			return err_set(e, EINVAL,
				       "%s: mode requires at least one node but got 0",
				       modes[i].name);
	}
	return 0;
}

int mempolicy_check(const struct mempolicy_spec *s, struct err *e)
{
	unsigned long bits[NODES_MAX / WORD];
	const int n = parse_nodes(s, bits, e);

	if (n < 0 || check_count(s->mode, n, e) < 0)
		return -1;
	if ((s->flags & STATIC_NODES) && (s->flags & RELATIVE_NODES))
		return err_set(e, EINVAL,
			       "invalid memory policy flags: MPOL_F_STATIC_NODES and "
			       "MPOL_F_RELATIVE_NODES exclude each other");
	return 0;
}

int mempolicy_apply(const struct mempolicy_spec *s, struct err *e)
{
	unsigned long bits[NODES_MAX / WORD];
	const int n = s->set ? parse_nodes(s, bits, e) : 0;

	if (!s->set || n < 0)
		return n;
	/* The kernel takes one bit less than it is told. */
	if (syscall(SYS_set_mempolicy, s->mode | (int) s->flags, n > 0 ? bits : NULL,
		    n > 0 ? NODES_MAX + 1UL : 0UL) == 0)
		return 0;
	(void) err_sys(e, "linux.memoryPolicy: set_mempolicy");
	if (e->code == EINVAL)
		return err_hint(
			e,
			"the nodes must be online and in the cgroup's cpuset.mems, and the kernel must "
			"know mode and flags");
	if (e->code == ENOSYS)
		return err_hint(e, "the kernel was built without NUMA");
	return -1;
}
