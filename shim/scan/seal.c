/*
 * In this order:
 *   descriptors   all but the socket are closed, 0 to 2 too: nothing is ever printed
 *   limits        memory; no descriptor can be made, no file written, no process, no core
 *   rights        not dumpable, no capabilities (shim/isolate.h), no file by Landlock where the kernel has it
 *   seccomp       last: every step above needs a call that it forbids
 */
#include "shim/scan/seal.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "shim/isolate.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { MEMORY = 512 << 20 };

static int limits(struct err *e)
{
	const struct {
		int what;
		rlim_t value;
	} rows[] = {
#ifndef SANITIZED
		{ RLIMIT_AS, MEMORY }, /* a sanitizer maps terabytes */
#endif
		{ RLIMIT_NOFILE, 1 }, /* as many as poll is to take */
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_MSGQUEUE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rlimit want = { rows[i].value, rows[i].value };

		if (setrlimit(rows[i].what, &want) < 0)
			return err_sys(e, "setrlimit %d", rows[i].what);
	}
	return 0;
}

/* clang-format off */
static const int calls[] = {
	/* the socket, time */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn), SCMP_SYS(close),
	/* malloc */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom),
	/* the end, also by abort */
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(tgkill),
#ifdef SANITIZED
	SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(openat),
	SCMP_SYS(readlink), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(newfstatat), SCMP_SYS(fstat),
	SCMP_SYS(stat), SCMP_SYS(prctl), SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(clone), SCMP_SYS(wait4),
	SCMP_SYS(ptrace), SCMP_SYS(getuid), SCMP_SYS(getppid), SCMP_SYS(uname), SCMP_SYS(process_vm_readv),
	SCMP_SYS(pipe2), SCMP_SYS(ioctl), SCMP_SYS(sysinfo),
#endif
};
/* clang-format on */

static int allow(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0) < 0)
			return -1;
#ifndef SANITIZED
	/* Memory that may be executed is none of it. */
	if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
		return -1;
#endif
	return seccomp_load(ctx);
}

static int filter(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? allow(ctx) : -1;

	seccomp_release(ctx);
	return r < 0 ? err_set(e, EIO, "the scanner's system call filter cannot be loaded") : 0;
}

/* Kernels before 5.13 have none; the filter forbids the same. */
static void no_files(void)
{
	const struct landlock_ruleset_attr none = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1
	};
	int rules = (int) syscall(SYS_landlock_create_ruleset, &none, sizeof(none), 0);

	if (rules < 0)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		(void) syscall(SYS_landlock_restrict_self, rules, 0);
	(void) close(rules);
}

int seal(int fd, struct err *e)
{
	if (isolate_descriptors(&fd, 1, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		(void) close(i);
	if (isolate_drop(0, e) < 0)
		return -1;
	no_files();
	if (limits(e) < 0)
		return -1;
	return filter(e);
}
