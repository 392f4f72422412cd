/*
 * What a container looks like from inside: a static program with a table of probes, for images that have nothing.
 *
 *   guest PROBE [ARG...] [-- PROBE [ARG...]]...
 *
 * Each prints one line per fact, "name value"; an attempt prints "name ok" or the name of the errno. The exit code
 * is 0 unless the command line is wrong: what the facts should be is the test's business.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static void attempt(const char *what, const char *on, long r)
{
	printf("%s%s%s %s\n", what, on[0] ? " " : "", on,
	       r < 0 ? strerrorname_np(errno) : "ok");
}

/* ---- identity ---- */

static void probe_ids(char **a)
{
	uid_t r, e, s;
	gid_t groups[256];
	const int n = getgroups(256, groups);
	const mode_t mask = umask(0);

	(void) getresuid(&r, &e, &s);
	printf("uid %u %u %u\n", r, e, s);
	(void) getresgid(&r, &e, &s);
	printf("gid %u %u %u\ngroups", r, e, s);
	for (int i = 0; i < n; i++)
		printf(" %u", groups[i]);
	printf("\numask %04o\n", mask);
	(void) umask(mask);
}

static void probe_caps(char **a)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	unsigned long long bounding = 0, ambient = 0;

	(void) capget(&h, d);
	for (int i = 0; i < 64; i++) {
		bounding |= (unsigned long long) (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1) << i;
		ambient |= (unsigned long long) (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i,
						       0, 0) == 1)
			   << i;
	}
	printf("inheritable %08x%08x\npermitted %08x%08x\neffective %08x%08x\n",
	       d[1].inheritable, d[0].inheritable, d[1].permitted, d[0].permitted,
	       d[1].effective, d[0].effective);
	printf("bounding %016llx\nambient %016llx\n", bounding, ambient);
	printf("nnp %d\nsecurebits %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	       prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
}

static void probe_session(char **a)
{
	char text[512] = "";
	const int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	const long n = syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text,
			       sizeof(text) - 1, 0);

	printf("pid %d\nppid %d\nsid %d\npgid %d\n", getpid(), getppid(), getsid(0), getpgrp());
	printf("ctty %s\n", tty >= 0 ? "yes" : strerrorname_np(errno));
	printf("keyring %s\n", n < 0 ? strerrorname_np(errno) : strrchr(text, ';') + 1);
}

static void probe_sched(char **a)
{
	struct sched_param p = { 0 };

	(void) sched_getparam(0, &p);
	printf("policy %d\npriority %d\nnice %d\n", sched_getscheduler(0), p.sched_priority,
	       getpriority(PRIO_PROCESS, 0));
	printf("ioprio %ld\npersonality %#x\n", syscall(SYS_ioprio_get, 1, 0),
	       (unsigned) personality(0xffffffff));
}

static void probe_limit(char **a)
{
	static const struct {
		const char *name;
		int resource;
	} names[] = { { "NOFILE", RLIMIT_NOFILE }, { "CORE", RLIMIT_CORE },
		      { "NPROC", RLIMIT_NPROC },   { "FSIZE", RLIMIT_FSIZE },
		      { "STACK", RLIMIT_STACK },   { "AS", RLIMIT_AS } };
	struct rlimit l;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void) getrlimit((__rlimit_resource_t) names[i].resource, &l);
		printf("%s %lld %lld\n", names[i].name, (long long) l.rlim_cur,
		       (long long) l.rlim_max);
	}
}

static void probe_env(char **a)
{
	for (char **e = environ; *e; e++)
		printf("env %s\n", *e);
}

static void probe_signals(char **a)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Sig", 3) == 0 || strncmp(line, "Seccomp", 7) == 0)
			fputs(line, stdout);
	}
	if (f)
		(void) fclose(f);
}

/* ---- descriptors and directories ---- */

static void probe_fds(char **a)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char link[512];
		const int fd = atoi(e->d_name);
		const ssize_t n =
			e->d_name[0] == '.' || fd == dirfd(d)
				? -1
				: readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		if (n < 0)
			continue;
		link[n] = '\0';
		printf("fd %d %s\n", fd, link);
	}
	if (d)
		(void) closedir(d);
}

static void probe_cwd(char **a)
{
	char path[4096];
	const long n = syscall(SYS_getcwd, path, sizeof(path));

	printf("cwd %s\n", n < 0 ? strerrorname_np(errno) : path);
}

static void probe_clock(char **a)
{
	struct timespec m, b;

	(void) clock_gettime(CLOCK_MONOTONIC, &m);
	(void) clock_gettime(CLOCK_BOOTTIME, &b);
	printf("monotonic %lld\nboottime %lld\n", (long long) m.tv_sec, (long long) b.tv_sec);
}

/* ---- files ---- */

static void probe_stat(char **a)
{
	static const char *const kinds[16] = {
		[1] = "fifo", [2] = "char",  [4] = "dir",  [6] = "block",
		[8] = "file", [10] = "link", [12] = "sock"
	};
	struct stat st;

	for (; *a; a++) {
		if (lstat(*a, &st) < 0) {
			printf("stat %s %s\n", *a, strerrorname_np(errno));
			continue;
		}
		printf("stat %s %s %04o %u:%u", *a, kinds[(st.st_mode >> 12) & 15],
		       st.st_mode & 07777, st.st_uid, st.st_gid);
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			printf(" %u:%u", major(st.st_rdev), minor(st.st_rdev));
		printf("\n");
	}
}

static void probe_read(char **a)
{
	char buf[4096];

	for (; *a; a++) {
		const int fd = open(*a, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		const ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

		if (n < 0)
			attempt("read", *a, -1);
		else
			printf("read %s %zd\n", *a, n);
		if (fd >= 0)
			(void) close(fd);
	}
}

static void probe_write(char **a)
{
	const int fd = open(a[0], O_WRONLY | O_CLOEXEC);
	const char *text = a[0] && a[1] ? a[1] : "x";

	attempt("write", a[0], fd < 0 ? -1 : write(fd, text, strlen(text)));
}

static void probe_make(char **a)
{
	attempt("make", a[0], open(a[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static void probe_mknod(char **a)
{
	if (a[0] && a[1] && a[2] && a[3])
		attempt("mknod", a[0],
			mknod(a[0], 0666 | (a[1][0] == 'b' ? S_IFBLK : S_IFCHR),
			      makedev((unsigned) atoi(a[2]), (unsigned) atoi(a[3]))));
}

/* The last mount on this point: its own options, propagation, type, source and the superblock's options. */
static void probe_mount(char **a)
{
	for (; *a; a++) {
		char line[4096], found[4096] = "none\n", point[1024];
		FILE *f = fopen("/proc/self/mountinfo", "re");
		int rest = 0;

		while (f && fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%*s %*s %*s %*s %1023s %n", point, &rest) == 1 &&
			    strcmp(point, *a) == 0)
				(void) snprintf(found, sizeof(found), "%s", line + rest);
		}
		if (f)
			(void) fclose(f);
		printf("mount %s %s", *a, found);
	}
}

static void probe_fstype(char **a)
{
	struct statfs s;

	for (; *a; a++) {
		if (statfs(*a, &s) < 0)
			attempt("fstype", *a, -1);
		else
			printf("fstype %s %lx flags %lx size %llu\n", *a,
			       (unsigned long) s.f_type, (unsigned long) s.f_flags,
			       (unsigned long long) s.f_blocks *
				       (unsigned long long) s.f_bsize);
	}
}

static void probe_names(char **a)
{
	char host[256] = "", domain[256] = "";

	if (gethostname(host, sizeof(host) - 1) < 0 ||
	    getdomainname(domain, sizeof(domain) - 1) < 0)
		return;
	printf("hostname %s\ndomainname %s\n", host, domain);
}

static void probe_ns(char **a)
{
	static const char *const names[] = { "user", "mnt", "pid",    "net",
					     "ipc",  "uts", "cgroup", "time" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64], link[64];

		(void) snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		const ssize_t n = readlink(path, link, sizeof(link) - 1);
		printf("ns %s %.*s\n", names[i], n < 0 ? 0 : (int) n, link);
	}
}

/* ---- attempts ---- */

static void probe_remount(char **a)
{
	attempt("remount-rw", a[0], mount(NULL, a[0], NULL, MS_REMOUNT | MS_BIND, NULL));
}

static void probe_umount(char **a)
{
	attempt("umount", a[0], umount2(a[0], MNT_DETACH));
}

static void probe_new_mount(char **a)
{
	if (a[0] && a[1])
		attempt("new-mount", a[1], mount("none", a[1], a[0], 0, NULL));
}

static void probe_unshare(char **a)
{
	attempt("unshare-user", "", unshare(CLONE_NEWUSER));
}

static void probe_ptrace(char **a)
{
	attempt("ptrace", a[0], ptrace(PTRACE_ATTACH, atoi(a[0]), NULL, NULL));
}

/* Leaves a chroot of its own with a working directory outside of it, climbs as far up as it goes and looks around. */
static void probe_escape(char **a)
{
	(void) mkdir(a[0], 0755);
	attempt("chroot", a[0], chroot(a[0]));
	for (int i = 0; i < 64; i++) {
		if (chdir("..") < 0)
			break;
	}
	attempt("chroot", ".", chroot("."));
	probe_stat(a + 1);
}

/* Exchanges two names without end: at any instant each is either. */
static void probe_swap(char **a)
{
	printf("swapping\n");
	(void) fflush(stdout);
	while (renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE) == 0)
		;
	attempt("swap", a[0], -1);
}

/* Looks at the descriptors of every other process, as often as it can, and tells of each that is no stdio. */
static void spy_on(const char *pid)
{
	char path[64], link[256];
	struct dirent *e;
	DIR *d;

	(void) snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		const ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		if (n < 0 || atoi(e->d_name) < 3)
			continue;
		link[n] = '\0';
		printf("spied %s %s\n", e->d_name, link);
		(void) fflush(stdout);
	}
	if (d)
		(void) closedir(d);
}

static void probe_spy(char **a)
{
	const time_t end = time(NULL) + atoi(a[0]);
	unsigned long seen = 0;

	printf("spying\n");
	(void) fflush(stdout);
	while (time(NULL) < end) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d))) {
			if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
			    atoi(e->d_name) == getpid())
				continue;
			seen++;
			spy_on(e->d_name);
		}
		if (d)
			(void) closedir(d);
	}
	printf("spy %s\n", seen > 0 ? "saw" : "blind");
}

static void probe_tty(char **a)
{
	struct termios t;
	struct winsize w = { 0 };

	printf("isatty %d %d %d\n", isatty(0), isatty(1), isatty(2));
	if (tcgetattr(0, &t) == 0)
		printf("onlcr %d\n", (t.c_oflag & ONLCR) != 0);
	(void) ioctl(0, TIOCGWINSZ, &w);
	printf("size %u %u\n", w.ws_row, w.ws_col);
}

static void probe_loopback(char **a)
{
	char line[256] = "";
	FILE *f = fopen("/proc/net/fib_trie", "re");
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, "127.0.0.1") != NULL;
	if (f)
		(void) fclose(f);
	printf("loopback %s\n", found ? "up" : "down");
}

/* ---- the service manager ---- */

/* The message N times, each with a descriptor. */
static void probe_notify(char **a)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = a[1], .iov_len = strlen(a[1]) };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	const int one = 1, fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	long r = 0;

	(void) snprintf(to.sun_path, sizeof(to.sun_path), "%s", path ? path : "/nothing");
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &one, sizeof(int));
	for (int i = atoi(a[0]); i > 0 && r >= 0; i--)
		r = sendmsg(fd, &m, MSG_NOSIGNAL);
	attempt("notify", "", r);
}

static void probe_sleep(char **a)
{
	struct timespec t = { .tv_sec = a[0] ? atoi(a[0]) : 1000 };

	(void) fflush(stdout);
	(void) nanosleep(&t, NULL);
}

static const struct {
	const char *name;
	int args;
	void (*run)(char **a);
} probes[] = {
	{ "ids", 0, probe_ids },
	{ "caps", 0, probe_caps },
	{ "session", 0, probe_session },
	{ "sched", 0, probe_sched },
	{ "limits", 0, probe_limit },
	{ "env", 0, probe_env },
	{ "signals", 0, probe_signals },
	{ "fds", 0, probe_fds },
	{ "cwd", 0, probe_cwd },
	{ "clock", 0, probe_clock },
	{ "stat", 1, probe_stat },
	{ "read", 1, probe_read },
	{ "write", 1, probe_write },
	{ "make", 1, probe_make },
	{ "mknod", 4, probe_mknod },
	{ "mount", 1, probe_mount },
	{ "fstype", 1, probe_fstype },
	{ "names", 0, probe_names },
	{ "ns", 0, probe_ns },
	{ "remount-rw", 1, probe_remount },
	{ "umount", 1, probe_umount },
	{ "new-mount", 2, probe_new_mount },
	{ "unshare-user", 0, probe_unshare },
	{ "ptrace", 1, probe_ptrace },
	{ "escape", 2, probe_escape },
	{ "swap", 2, probe_swap },
	{ "spy", 1, probe_spy },
	{ "tty", 0, probe_tty },
	{ "loopback", 0, probe_loopback },
	{ "notify", 2, probe_notify },
	{ "sleep", 0, probe_sleep },
};

static int run_one(char **argv, int n)
{
	for (size_t i = 0; n > 0 && i < sizeof(probes) / sizeof(probes[0]); i++) {
		if (strcmp(probes[i].name, argv[0]) != 0)
			continue;
		if (n - 1 < probes[i].args)
			break;
		probes[i].run(argv + 1);
		(void) fflush(stdout);
		return 0;
	}
	fprintf(stderr, "guest: unknown probe or missing argument: %s\n", n > 0 ? argv[0] : "");
	return 2;
}

int main(int argc, char **argv)
{
	int start = 1;

	for (int i = 1; i <= argc; i++) {
		if (i < argc && strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		const int r = run_one(argv + start, i - start);
		if (r != 0)
			return r;
		start = i + 1;
	}
	return 0;
}
