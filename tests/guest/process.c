/* What a process sees of itself: who it is, what it holds and where it is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/probes.h"

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

/* ---- where it is ---- */

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

const struct probe process_probes[] = {
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
	{ "names", 0, probe_names },
	{ "ns", 0, probe_ns },
	{ "tty", 0, probe_tty },
	{ "loopback", 0, probe_loopback },
	{ 0 },
};
