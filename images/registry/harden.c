/*
 * Order: the resolver is told to load nothing, and asked once, so that all its code is there; then ids, for a changed
 * id would make the process dumpable again; then Landlock, which opens files; seccomp last.
 */
#include "images/registry/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <nss.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "images/sanitized.h"

enum { NOBODY = 65534, MAX_FILES = 128 };

/* glibc has both inside; a module that nsswitch.conf names would be a shared library. */
static void warm_resolver(void)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	(void) __nss_configure_lookup("hosts", "files dns");
	if (getaddrinfo("localhost", "443", &hints, &found) == 0)
		freeaddrinfo(found);
}

/* EINVAL: a user namespace that has one id only, whose root is somebody else's ordinary user. */
static int leave_root(struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (geteuid() == 0) {
		if (setgroups(0, NULL) < 0 && errno != EPERM)
			return err_sys(e, "setgroups");
		if (setresgid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL)
			return err_sys(e, "setresgid");
		if (setresuid(NOBODY, NOBODY, NOBODY) < 0 && errno != EINVAL)
			return err_sys(e, "setresuid");
	}
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(e, "capset");
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "prctl");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* the change of ids has cleared it */
		return err_sys(e, "PR_SET_PDEATHSIG");
	return 0;
}

static int set_rlimits(struct err *e)
{
	const struct {
		__rlimit_resource_t what;
		rlim_t value;
		const char *name;
	} rows[] = {
		{ RLIMIT_CORE, 0, "RLIMIT_CORE" },
		{ RLIMIT_FSIZE, 0, "RLIMIT_FSIZE" }, /* it writes to pipes and sockets only */
		{ RLIMIT_NOFILE, MAX_FILES, "RLIMIT_NOFILE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct rlimit r = { .rlim_cur = rows[i].value,
					  .rlim_max = rows[i].value };

		if (setrlimit(rows[i].what, &r) < 0)
			return err_sys(e, "%s", rows[i].name);
	}
	return 0;
}

static const char *const resolver_files[] = {
	"/etc/resolv.conf",   "/etc/hosts",    "/etc/host.conf", "/etc/gai.conf",
	"/etc/nsswitch.conf", "/etc/services", "/etc/localtime", "/dev/urandom",
};

static int allow_file(int rules, const char *path, struct err *e)
{
	struct landlock_path_beneath_attr rule = { .allowed_access =
							   LANDLOCK_ACCESS_FS_READ_FILE };
	auto_close int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0) /* not everybody has all of them */
		return 0;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_sys(e, "landlock_add_rule %s", path);
	return 0;
}

static int landlock(struct err *e)
{
	/* All of version 1; a kernel without it has no other way to say this to an ordinary process. */
	const struct landlock_ruleset_attr all = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1
	};

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
		return 0;
	auto_close int rules = (int) syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (rules < 0)
		return err_sys(e, "landlock_create_ruleset");
	for (size_t i = 0; i < ARRAY_SIZE(resolver_files); i++) {
		if (allow_file(rules, resolver_files[i], e) < 0)
			return -1;
	}
	if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return err_sys(e, "landlock_restrict_self");
	return 0;
}

/* What libcurl, OpenSSL and the resolver (a thread for each name) use. */
static const int calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(stat),
	SCMP_SYS(lseek),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(uname),
	SCMP_SYS(fcntl),
	SCMP_SYS(ioctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pipe2),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(socketpair),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(mprotect),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(prctl), /* glibc names its threads */
#if IMAGES_SANITIZED
	SCMP_SYS(readlink),
	SCMP_SYS(prlimit64),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getrlimit),
	SCMP_SYS(openat),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(kill),
	SCMP_SYS(tgkill),
#endif
};

static int add_rules(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_NETLINK };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) families[i], 0));
	/* Files for reading; threads, not processes; of clone3 the filter cannot see the flags. */
	if (r == 0 && !IMAGES_SANITIZED)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC,
					     O_RDONLY));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

static int filter(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? add_rules(ctx) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r == 0 ? 0 : err_set(e, -r, "seccomp: %s", strerror(-r));
}

int harden(struct err *e)
{
	warm_resolver();
	if (leave_root(e) < 0 || set_rlimits(e) < 0 || landlock(e) < 0)
		return -1;
	return filter(e);
}
