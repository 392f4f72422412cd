/* What a container must not be able to do, tried; and what it says to its service manager. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/probes.h"

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

const struct probe attempt_probes[] = {
	{ "remount-rw", 1, probe_remount },
	{ "umount", 1, probe_umount },
	{ "new-mount", 2, probe_new_mount },
	{ "unshare-user", 0, probe_unshare },
	{ "ptrace", 1, probe_ptrace },
	{ "escape", 2, probe_escape },
	{ "swap", 2, probe_swap },
	{ "spy", 1, probe_spy },
	{ "notify", 2, probe_notify },
	{ "sleep", 0, probe_sleep },
	{ 0 },
};
