/*
 * In this order:
 *   descriptors   all but the named ones are closed (needs /proc or close_range: before seccomp)
 *   limits        no core, no new processes, few files, files of bounded size (the log)
 *   identity      not dumpable: no other process of the same uid reads its memory
 *   capabilities  bounding set, then all sets empty (dropping the bounding set needs CAP_SETPCAP)
 *   no_new_privs  what the filter asks of a process without CAP_SYS_ADMIN
 *   seccomp       last: every step above needs a call that it forbids
 * The user stays root's in number, but without a capability and unable to open anything.
 */
#include "shim/isolate.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "name this architecture's AUDIT_ARCH_ constant"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { LOG_BYTES = 4 << 20 };

/* Beside each group: who needs it. */
static const int allowed[] = {
	/* terminal and pipes; log */
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_close,
	SYS_ioctl,
	SYS_fcntl,
	/* clients, shim.sock, the janitor */
	SYS_sendmsg,
	SYS_recvmsg,
	SYS_sendto,
	SYS_recvfrom,
	SYS_accept4,
	SYS_shutdown,
	SYS_setsockopt,
	SYS_getsockopt,
/* the loop */
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
	SYS_epoll_pwait,
#ifdef SYS_epoll_pwait2
	SYS_epoll_pwait2,
#endif
	SYS_epoll_ctl,
	SYS_rt_sigprocmask,
	SYS_signalfd4,
	SYS_clock_gettime,
	SYS_gettimeofday,
	/* malloc, the ring */
	SYS_brk,
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	/* geteuid for shim.sock; the process's end */
	SYS_geteuid,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_exit,
	SYS_exit_group,
	/* abort: a programmer's mistake shall say SIGABRT, not SIGSYS */
	SYS_getpid,
	SYS_gettid,
	SYS_tgkill,
	SYS_rt_sigaction,
#ifdef SANITIZED
	/* the sanitizers' own work and reports */
	SYS_sigaltstack,
	SYS_mprotect,
	SYS_futex,
	SYS_sched_yield,
	SYS_openat,
	SYS_readlink,
	SYS_getrlimit,
	SYS_prlimit64,
	SYS_newfstatat,
	SYS_stat,
	SYS_fstat,
	SYS_clone,
	SYS_clone3,
	SYS_wait4,
	SYS_ptrace,
	SYS_prctl,
	SYS_getdents64,
	SYS_lseek,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_uname,
	SYS_pipe2,
	SYS_dup2,
	SYS_unlink,
	SYS_process_vm_readv,
	SYS_getuid,
	SYS_access,
	SYS_getppid,
	SYS_sysinfo,
#endif
};

int isolate_descriptors(const int *keep, size_t n, struct err *e)
{
	unsigned from = 3;

	for (;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= (int) from && (unsigned) keep[i] < next)
				next = (unsigned) keep[i];
		if (next > from && syscall(SYS_close_range, from, next - 1, 0) < 0)
			return err_sys(e, "isolate: close_range");
		if (next == ~0U)
			return 0;
		from = next + 1;
	}
}

int isolate_ignore_signals(const int *signals, size_t n, struct err *e)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < n; i++)
		if (sigaction(signals[i], &ignore, NULL) < 0)
			return err_sys(e, "ignore signal %d", signals[i]);
	return 0;
}

static int limit(struct err *e)
{
	static const struct {
		int what;
		rlim_t value;
	} rows[] = {
		{ RLIMIT_CORE, 0 },	     { RLIMIT_NPROC, 0 },   { RLIMIT_NOFILE, 1024 },
		{ RLIMIT_FSIZE, LOG_BYTES }, { RLIMIT_MEMLOCK, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rlimit now,
			want = { .rlim_cur = rows[i].value, .rlim_max = rows[i].value };

		if (getrlimit(rows[i].what, &now) < 0)
			return err_sys(e, "getrlimit %d", rows[i].what);
		if (now.rlim_max < want.rlim_max)
			want.rlim_cur = want.rlim_max = now.rlim_max;
		if (setrlimit(rows[i].what, &want) < 0)
			return err_sys(e, "setrlimit %d", rows[i].what);
	}
	return 0;
}

static int drop_caps(struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (int cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break; /* the first that this kernel does not know */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, "clear the ambient capabilities");
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(e, "drop the capabilities");
	return 0;
}

/* Load the number; leave at once on a foreign architecture; one comparison per allowed call. */
static int filter(struct err *e)
{
	enum { N = ARRAY_SIZE(allowed) };
	struct sock_filter code[N + 6];
	struct sock_fprog prog = { .filter = code };
	size_t n = 0;

	code[n++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	code[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N; i++)
		code[n++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							  (unsigned) allowed[i],
							  (unsigned char) (N - i), 0);
	code[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = (unsigned short) n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_sys(e, "seccomp");
	return 0;
}

int isolate_rights(struct err *e)
{
	if (limit(e) < 0)
		return err_wrap(e, "isolate");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "isolate: dumpable");
	if (drop_caps(e) < 0 || filter(e) < 0)
		return err_wrap(e, "isolate");
	return 0;
}
