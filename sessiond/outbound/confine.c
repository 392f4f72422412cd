/*
 * In this order:
 *   limits        no core; descriptors for the connections
 *   bounding set  while there is CAP_SETPCAP
 *   user          groups, gid, uid: they need capabilities
 *   capabilities  all sets empty
 *   dumpable      off: no other process of the same user reads keys out of its memory
 *   no_new_privs  what Landlock and the filter ask for
 *   Landlock      files, TCP ports, other processes' abstract sockets and signals
 *   seccomp       last: every step above needs a call that it forbids
 *
 * A call outside the list fails with EPERM rather than ending the process: resolver modules of the C library that we do
 * not know are to fail alone. What only an attacker calls ends it.
 */
#include "sessiond/outbound/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"

enum { FILES_WANTED = 65536 };

/* ---- limits, user, capabilities ---- */

static int set_limits(struct err *e)
{
	struct rlimit files, none = { 0 };

	if (setrlimit(RLIMIT_CORE, &none) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_sys(e, "limits");
	files.rlim_cur = MIN(files.rlim_max, (rlim_t) FILES_WANTED);
	return setrlimit(RLIMIT_NOFILE, &files) < 0 ? err_sys(e, "RLIMIT_NOFILE") : 0;
}

static int become(const char *user, struct err *e)
{
	const struct passwd *p;

	if (!user)
		return 0;
	errno = 0;
	p = getpwnam(user);
	if (!p)
		return err_set(e, ENOENT,
			       "user %s: there is none; make one with useradd --system", user);
	if (initgroups(user, p->pw_gid) < 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0)
		return err_sys(e, "become user %s", user);
	return 0;
}

static int drop_bounding(struct err *e)
{
	for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
		if (cap_drop_bound(cap) < 0 && errno != EPERM)
			return err_sys(e, "the bounding set");
	return 0;
}

static int drop_caps(struct err *e)
{
	cap_t none = cap_init();
	int r = none ? cap_set_proc(none) : -1;

	if (none)
		(void) cap_free(none);
	return r < 0 ? err_sys(e, "drop the capabilities") : 0;
}

/* ---- Landlock ---- */

/* Newer than the headers that this is built with. */
struct ruleset {
	uint64_t files, net, scoped;
};
struct net_port {
	uint64_t access, port;
};
enum {
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	NET_BIND = 1 << 0,
	NET_CONNECT = 1 << 1,
	SCOPE_ABSTRACT = 1 << 0,
	SCOPE_SIGNAL = 1 << 1,
	RULE_PORT = 2,
};

static const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

static int allow_path(int rules, const char *path, struct err *e)
{
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = { .parent_fd = fd };
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : err_sys(e, "%s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	rule.allowed_access =
		S_ISDIR(st.st_mode) ? reading : (uint64_t) LANDLOCK_ACCESS_FS_READ_FILE;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_sys(e, "landlock: %s", path);
	return 0;
}

static int allow_all(int rules, const struct confine *c, bool ports, struct err *e)
{
	for (size_t i = 0; i < c->n_readable; i++)
		if (c->readable[i] && allow_path(rules, c->readable[i], e) < 0)
			return -1;
	for (size_t i = 0; ports && i < c->n_ports; i++) {
		const struct net_port rule = { .access = NET_CONNECT, .port = c->ports[i] };

		if (syscall(SYS_landlock_add_rule, rules, RULE_PORT, &rule, 0) < 0)
			return err_sys(e, "landlock: port %u", c->ports[i]);
	}
	return 0;
}

static int landlock(const struct confine *c, const char **without, struct err *e)
{
	long abi =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset attr = { .files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;

	if (abi < 1) {
		*without = "this kernel has no Landlock: files and ports are kept from it by "
			   "its user and by systemd alone";
		return 0;
	}
	attr.files |= (abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
		      (abi >= 5 ? FS_IOCTL_DEV : 0);
	attr.net = abi >= 4 ? NET_BIND | NET_CONNECT : 0;
	attr.scoped = abi >= 6 ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0;
	if (abi < 4)
		*without = "this kernel's Landlock knows no ports: connections are not kept "
			   "to the relay's";
	auto_close int rules = (int) syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (rules < 0)
		return err_sys(e, "landlock_create_ruleset");
	if (allow_all(rules, c, abi >= 4, e) < 0)
		return -1;
	if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return err_sys(e, "landlock_restrict_self");
	return 0;
}

/* ---- seccomp ---- */

/* clang-format off */
static const int permits[] = {
	/* sockets, TLS, the log */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg),
	SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(shutdown),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(fcntl),
	SCMP_SYS(ioctl),
	/* the loop */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
	/* malloc */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	/* resolver, certificate authorities, files that are read again; Landlock says which */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(lseek), SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(access), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	/* the end, and an abort that says SIGABRT */
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid),
};

static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(bpf), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(perf_event_open),
};
/* clang-format on */

/* In the system headers' macros fields are missing, which clang minds. */
static struct scmp_arg_cmp argument(unsigned n, enum scmp_compare op, scmp_datum_t a)
{
	return (struct scmp_arg_cmp){ .arg = n, .op = op, .datum_a = a };
}

/* Sockets of these families; memory that is never run; signals to itself. 0, or a negative errno. */
static int permit_checked(scmp_filter_ctx f)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	static const int mappers[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     argument(0, SCMP_CMP_EQ, (scmp_datum_t) families[i]));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(mappers); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, mappers[i], 1,
				     argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     argument(0, SCMP_CMP_EQ, (scmp_datum_t) getpid()));
	return r;
}

/* What child_clone and child_end call, with the flags of that one: no thread, no namespace. clone3's are out of a filter's sight. */
static int permit_forks(scmp_filter_ctx f)
{
	static const int calls[] = { SCMP_SYS(pipe2), SCMP_SYS(waitid),
				     SCMP_SYS(pidfd_send_signal) };
	int r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(calls); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     argument(0, SCMP_CMP_EQ, CLONE_PIDFD | SIGCHLD));
	return r;
}

static int filter(bool forks, struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = f ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(permits); i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, permits[i], 0);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(deadly); i++)
		r = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	if (r == 0)
		r = permit_checked(f);
	if (r == 0 && forks)
		r = permit_forks(f);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	errno = -r;
	return r < 0 ? err_sys(e, "seccomp") : 0;
}

/* *without: what this kernel cannot take away, or NULL. */
static int give_up(const struct confine *c, const char **without, struct err *e)
{
	*without = NULL;
	if (set_limits(e) < 0 || drop_bounding(e) < 0 || become(c->user, e) < 0 ||
	    drop_caps(e) < 0)
		return err_wrap(e, "confine");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "confine: prctl");
	if (landlock(c, without, e) < 0 || filter(c->forks, e) < 0)
		return err_wrap(e, "confine");
	return 0;
}

int confine(const struct confine *c, struct err *e)
{
	const char *without;

	if (!c->user && geteuid() == 0 && !c->quiet)
		log_warn("it runs as root, though without capabilities; give it a user of "
			 "its own with --user");
	if (give_up(c, &without, e) < 0)
		return -1;
	if (without && !c->quiet)
		log_warn("%s", without);
	return 0;
}
