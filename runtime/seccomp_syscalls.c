/*
 * Names to numbers: libseccomp's tables, and behind them the calls that are newer than the library.
 *
 * Since Linux 5.0 new calls get one number on all architectures, some of which add an offset of their own.
 */
#include "runtime/seccomp_impl.h"

#include <seccomp.h>
#include <string.h>

#include "base/util.h"

struct number {
	const char *name;
	int nr;
};

/* clang-format off */
static const struct number newer[] = {
	{ "close_range", 436 }, { "openat2", 437 }, { "pidfd_getfd", 438 }, { "faccessat2", 439 },
	{ "process_madvise", 440 }, { "epoll_pwait2", 441 }, { "mount_setattr", 442 },
	{ "quotactl_fd", 443 }, { "landlock_create_ruleset", 444 }, { "landlock_add_rule", 445 },
	{ "landlock_restrict_self", 446 }, { "memfd_secret", 447 }, { "process_mrelease", 448 },
	{ "futex_waitv", 449 }, { "set_mempolicy_home_node", 450 }, { "cachestat", 451 },
	{ "fchmodat2", 452 }, { "map_shadow_stack", 453 }, { "futex_wake", 454 },
	{ "futex_wait", 455 }, { "futex_requeue", 456 }, { "statmount", 457 }, { "listmount", 458 },
	{ "lsm_get_self_attr", 459 }, { "lsm_set_self_attr", 460 }, { "lsm_list_modules", 461 },
	{ "mseal", 462 }, { "setxattrat", 463 }, { "getxattrat", 464 }, { "listxattrat", 465 },
	{ "removexattrat", 466 }, { "open_tree_attr", 467 }, { "file_getattr", 468 },
	{ "file_setattr", 469 },
};
/* clang-format on */

static int offset(uint32_t arch)
{
	switch (arch) {
	case SCMP_ARCH_X32:
		return FILTER_X32_BIT;
	case SCMP_ARCH_MIPS:
	case SCMP_ARCH_MIPSEL:
		return 4000;
	case SCMP_ARCH_MIPS64:
	case SCMP_ARCH_MIPSEL64:
		return 5000;
	case SCMP_ARCH_MIPS64N32:
	case SCMP_ARCH_MIPSEL64N32:
		return 6000;
	default:
		return 0;
	}
}

int filter_syscall_number(uint32_t arch, const char *name)
{
	int nr = seccomp_syscall_resolve_name_arch(arch, name);

	if (nr != __NR_SCMP_ERROR)
		return nr;
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		if (strcmp(newer[i].name, name) == 0)
			return newer[i].nr + offset(arch);
	/* Only x86_64 ever had it. */
	if (strcmp(name, "uretprobe") == 0)
		return arch == SCMP_ARCH_X86_64 ? 335 : -10000;
	return __NR_SCMP_ERROR;
}
