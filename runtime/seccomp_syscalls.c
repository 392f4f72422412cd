/*
 * Names to numbers: libseccomp's tables, and behind them the calls that are newer than the library.
 *
 * Since Linux 5.0 new calls get one number on all architectures, some of which add an offset of their own. Where
 * socket and ipc calls can also be made through socketcall(2) and ipc(2), libseccomp names only that way; the
 * direct numbers are here.
 */
#include "runtime/seccomp_impl.h"

#include <linux/audit.h>
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

/* Columns: x86, s390, ppc, mips (32 bit). 0: there is no direct one. */
struct direct {
	const char *name;
	short nr[4];
};

/* clang-format off */
static const struct direct direct_calls[] = {
	{ "socket",      { 359, 359, 326, 4183 } }, { "bind",        { 361, 361, 327, 4169 } },
	{ "connect",     { 362, 362, 328, 4170 } }, { "listen",      { 363, 363, 329, 4174 } },
	{ "accept",      {   0,   0, 330, 4168 } }, { "getsockname", { 367, 367, 331, 4172 } },
	{ "getpeername", { 368, 368, 332, 4171 } }, { "socketpair",  { 360, 360, 333, 4184 } },
	{ "send",        {   0,   0, 334, 4178 } }, { "recv",        {   0,   0, 336, 4175 } },
	{ "sendto",      { 369, 369, 335, 4180 } }, { "recvfrom",    { 371, 371, 337, 4176 } },
	{ "shutdown",    { 373, 373, 338, 4182 } }, { "setsockopt",  { 366, 366, 339, 4181 } },
	{ "getsockopt",  { 365, 365, 340, 4173 } }, { "sendmsg",     { 370, 370, 341, 4179 } },
	{ "recvmsg",     { 372, 372, 342, 4177 } }, { "accept4",     { 364, 364, 344, 4334 } },
	{ "recvmmsg",    { 337, 357, 343, 4335 } }, { "sendmmsg",    { 345, 358, 349, 4343 } },
	{ "semget",      { 393, 393, 393, 4393 } }, { "semctl",      { 394, 394, 394, 4394 } },
	{ "shmget",      { 395, 395, 395, 4395 } }, { "shmctl",      { 396, 396, 396, 4396 } },
	{ "shmat",       { 397, 397, 397, 4397 } }, { "shmdt",       { 398, 398, 398, 4398 } },
	{ "msgget",      { 399, 399, 399, 4399 } }, { "msgsnd",      { 400, 400, 400, 4400 } },
	{ "msgrcv",      { 401, 401, 401, 4401 } }, { "msgctl",      { 402, 402, 402, 4402 } },
};
/* clang-format on */

static int direct_column(uint32_t arch)
{
	switch (arch) {
	case SCMP_ARCH_X86:
		return 0;
	case SCMP_ARCH_S390:
	case SCMP_ARCH_S390X:
		return 1;
	case SCMP_ARCH_PPC:
	case SCMP_ARCH_PPC64:
	case SCMP_ARCH_PPC64LE:
		return 2;
	case SCMP_ARCH_MIPS:
	case SCMP_ARCH_MIPSEL:
		return 3;
	default:
		return -1;
	}
}

/* `pseudo` is libseccomp's answer, kept where there is no direct number. */
static int direct_number(uint32_t arch, const char *name, int pseudo)
{
	int column = direct_column(arch);

	if (column < 0)
		return pseudo;
	for (size_t i = 0; i < ARRAY_SIZE(direct_calls); i++)
		if (direct_calls[i].nr[column] && strcmp(direct_calls[i].name, name) == 0)
			return direct_calls[i].nr[column];
	/* Of the 32-bit ones none has it. */
	if (strcmp(name, "semtimedop") == 0 && (arch & __AUDIT_ARCH_64BIT))
		return 392;
	return pseudo;
}

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

	if (nr < -100 && nr > -300)
		return direct_number(arch, name, nr);
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
