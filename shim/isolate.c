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
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
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

/* In a permit, instead of a value known now. */
#define OWN_PID 0xffffffffU

enum check { ANY, EQUAL, WITHOUT };

/* A system call that stays allowed; with EQUAL only when the argument has this value, with WITHOUT only when it
 * has none of these bits. */
struct permit {
	int nr;
	enum check check;
	unsigned arg;
	uint32_t value;
};

#define FREE(name)                                                                             \
	{                                                                                      \
		.nr = SYS_##name                                                               \
	}

/* clang-format off */
/* Beside each group: who needs it. */
static const struct permit permits[] = {
	/* terminal and pipes; log */
	FREE(read), FREE(write), FREE(readv), FREE(writev), FREE(close),
	{ SYS_ioctl, EQUAL, 1, TIOCSWINSZ }, /* no TIOCSTI into a terminal that we hold both sides of */
	FREE(fcntl),
	FREE(ftruncate), /* a recording's last line on a full disk */
	/* clients, shim.sock, the janitor */
	FREE(sendmsg), FREE(recvmsg), FREE(sendto), FREE(recvfrom), FREE(accept4), FREE(shutdown),
	FREE(setsockopt), FREE(getsockopt),
	/* the loop */
#ifdef SYS_epoll_wait
	FREE(epoll_wait),
#endif
	FREE(epoll_pwait),
#ifdef SYS_epoll_pwait2
	FREE(epoll_pwait2),
#endif
	FREE(epoll_ctl), FREE(clock_gettime), FREE(gettimeofday),
	/* malloc, the ring */
	FREE(brk), FREE(munmap), FREE(mremap), FREE(madvise),
	{ SYS_mmap, WITHOUT, 2, PROT_EXEC },
	{ SYS_mprotect, WITHOUT, 2, PROT_EXEC }, /* musl's heap grows into pages that it mapped before */
	/* geteuid for shim.sock; the process's end */
	FREE(geteuid), FREE(rt_sigreturn), FREE(restart_syscall), FREE(exit), FREE(exit_group),
	/* abort: a programmer's mistake shall say SIGABRT, not SIGSYS. Only itself. */
	FREE(getpid), FREE(gettid), FREE(rt_sigprocmask), FREE(rt_sigaction),
	{ SYS_tgkill, EQUAL, 0, OWN_PID },
#ifdef SANITIZED
	/* the sanitizers' own work and reports */
	FREE(mmap), FREE(sigaltstack), FREE(mprotect), FREE(futex), FREE(sched_yield), FREE(openat),
	FREE(readlink), FREE(getrlimit), FREE(prlimit64), FREE(newfstatat), FREE(stat), FREE(fstat),
	FREE(clone), FREE(clone3), FREE(wait4), FREE(ptrace), FREE(prctl), FREE(getdents64),
	FREE(lseek), FREE(set_robust_list), FREE(rseq), FREE(uname), FREE(pipe2), FREE(dup2),
	FREE(unlink), FREE(process_vm_readv), FREE(getuid), FREE(access), FREE(getppid),
	FREE(sysinfo), FREE(ioctl),
#endif
};
/* clang-format on */

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

static int limit(rlim_t file_bytes, struct err *e)
{
	const struct {
		int what;
		rlim_t value;
	} rows[] = {
		{ RLIMIT_CORE, 0 },	      { RLIMIT_NPROC, 0 },   { RLIMIT_NOFILE, 1024 },
		{ RLIMIT_FSIZE, file_bytes }, { RLIMIT_MEMLOCK, 0 },
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

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define VERDICT(v)  BPF_STMT(BPF_RET | BPF_K, v)

/* The instructions of one row. On our architectures the low half of an argument comes first. */
static size_t permit_code(const struct permit *p, struct sock_filter *out)
{
	uint32_t value = p->value == OWN_PID ? (uint32_t) getpid() : p->value;
	const unsigned arg = offsetof(struct seccomp_data, args) + p->arg * sizeof(uint64_t);
	const struct sock_filter plain[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) p->nr, 0, 1),
		VERDICT(SECCOMP_RET_ALLOW),
	};
	const struct sock_filter checked[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned) p->nr, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg),
		p->check == EQUAL
			? (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)
			: (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, value, 1,
							0),
		VERDICT(SECCOMP_RET_ALLOW),
		/* The number again, for a later row that allows the same call otherwise. */
		LOAD(nr),
	};

	if (p->check == ANY) {
		memcpy(out, plain, sizeof(plain));
		return ARRAY_SIZE(plain);
	}
	memcpy(out, checked, sizeof(checked));
	return ARRAY_SIZE(checked);
}

/* Leave at once on a foreign architecture; then one row after the other. */
static int filter(struct err *e)
{
	const struct sock_filter head[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		VERDICT(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
	};
	struct sock_filter code[ARRAY_SIZE(permits) * 5 + ARRAY_SIZE(head) + 1];
	struct sock_fprog prog = { .filter = code };
	size_t n = ARRAY_SIZE(head);

	memcpy(code, head, sizeof(head));
	for (size_t i = 0; i < ARRAY_SIZE(permits); i++)
		n += permit_code(&permits[i], code + n);
	code[n++] = (struct sock_filter) VERDICT(SECCOMP_RET_KILL_PROCESS);
	prog.len = (unsigned short) n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_sys(e, "seccomp");
	return 0;
}

int isolate_drop(uint64_t file_bytes, struct err *e)
{
	if (limit(file_bytes, e) < 0)
		return err_wrap(e, "isolate");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "isolate: dumpable");
	return drop_caps(e) < 0 ? err_wrap(e, "isolate") : 0;
}

int isolate_rights(uint64_t file_bytes, struct err *e)
{
	if (isolate_drop(MAX(file_bytes, (uint64_t) LOG_BYTES), e) < 0)
		return -1;
	return filter(e) < 0 ? err_wrap(e, "isolate") : 0;
}
