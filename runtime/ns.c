#include "runtime/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "base/util.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
	const char *proc, *oci;
	unsigned long flag;
} kinds[NS_COUNT] = {
	[NS_USER] = { "user", "user", CLONE_NEWUSER },
	[NS_CGROUP] = { "cgroup", "cgroup", CLONE_NEWCGROUP },
	[NS_IPC] = { "ipc", "ipc", CLONE_NEWIPC },
	[NS_UTS] = { "uts", "uts", CLONE_NEWUTS },
	[NS_NET] = { "net", "network", CLONE_NEWNET },
	[NS_PID] = { "pid", "pid", CLONE_NEWPID },
	[NS_TIME] = { "time", "time", CLONE_NEWTIME },
	[NS_MNT] = { "mnt", "mount", CLONE_NEWNS },
};

const char *ns_proc_name(enum ns_kind k)
{
	return kinds[k].proc;
}

const char *ns_oci_name(enum ns_kind k)
{
	return kinds[k].oci;
}

unsigned long ns_clone_flag(enum ns_kind k)
{
	return kinds[k].flag;
}

int ns_kind_parse(const char *oci_name, enum ns_kind *out, struct err *e)
{
	for (int k = 0; k < NS_COUNT; k++) {
		if (strcmp(kinds[k].oci, oci_name) == 0) {
			*out = (enum ns_kind) k;
			return 0;
		}
	}
	return err_set(e, EINVAL, "unknown namespace type \"%s\"", oci_name);
}

unsigned long ns_clone_flags(const struct ns_spec *s)
{
	unsigned long flags = 0;

	for (int k = 0; k < NS_COUNT; k++) {
		if (ns_is_new(s, (enum ns_kind) k) && k != NS_CGROUP && k != NS_TIME)
			flags |= kinds[k].flag;
	}
	return flags;
}

void ns_close(int fds[NS_COUNT])
{
	for (int k = 0; k < NS_COUNT; k++)
		fd_close(&fds[k]);
}

static int refuse_own(int fd, struct err *e)
{
	struct stat own, other;

	if (stat("/proc/self/ns/mnt", &own) < 0 || fstat(fd, &other) < 0)
		return err_sys(e, "stat");
	if (own.st_dev == other.st_dev && own.st_ino == other.st_ino)
		return err_set(
			e, EINVAL,
			"this is the mount namespace of the host; leave the path out to get a new one");
	return 0;
}

static int open_one(enum ns_kind k, const char *path, int *out, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open");

	const int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return err_set(e, EINVAL, "not a namespace file");
	if ((unsigned long) type != kinds[k].flag)
		return err_set(e, EINVAL, "not a %s namespace", kinds[k].oci);
	if (k == NS_MNT && refuse_own(fd, e) < 0)
		return -1;
	*out = take_fd(&fd);
	return 0;
}

int ns_open_paths(const struct ns_spec *s, int fds[NS_COUNT], struct err *e)
{
	for (int k = 0; k < NS_COUNT; k++)
		fds[k] = FD_NONE;
	for (int k = 0; k < NS_COUNT; k++) {
		const char *path = s->ns[k].path;

		if (s->ns[k].listed && path &&
		    open_one((enum ns_kind) k, path, &fds[k], e) < 0) {
			ns_close(fds);
			return err_wrap(e, "linux.namespaces: %s %s", kinds[k].oci, path);
		}
	}
	return 0;
}

static int join_one(enum ns_kind k, int *fd, struct err *e)
{
	if (setns(*fd, (int) kinds[k].flag) < 0)
		return err_sys(e, "join the %s namespace", kinds[k].oci);
	fd_close(fd);
	return 0;
}

int ns_join(int fds[NS_COUNT], struct err *e)
{
	for (int k = 0; k < NS_COUNT; k++) {
		if (fds[k] >= 0 && join_one((enum ns_kind) k, &fds[k], e) < 0)
			return -1;
	}
	return 0;
}

int ns_join_process(int pidfd, unsigned long flags, struct err *e)
{
	if (setns(pidfd, (int) flags) < 0)
		return err_sys(e, "join the container's namespaces");
	return 0;
}

/* ---- clone ---- */

/* The pid namespace of a process cannot change, only that of its children to come: it is entered, the
 * child is made, and the runtime's own is put back. */
static int clone_into_pid(uint64_t flags, int fds[NS_COUNT], int own, int cgroup_fd,
			  struct child *out, struct err *e)
{
	if (setns(fds[NS_PID], CLONE_NEWPID) < 0)
		return err_sys(e, "join the pid namespace");

	const int r = child_clone(flags, cgroup_fd, out, e);
	if (r == 0) {
		fd_close(&fds[NS_PID]);
		return 0;
	}
	if (setns(own, CLONE_NEWPID) < 0) {
		if (r > 0)
			child_end(out);
		return err_sys(e, "return to the runtime's own pid namespace");
	}
	return r;
}

/* With the caller's own rights, as long as there are any over namespaces that the user namespace does not own: a
 * network that an engine made, for one. Where those do not suffice init tries with its own. The mount namespace is
 * left to it in any case: the host's files are still needed; and the time namespace, for init must note its start time as
 * the host counts it. */
static int join_early(int fds[NS_COUNT], struct err *e)
{
	for (int k = 0; k < NS_COUNT; k++) {
		if (k == NS_USER || k == NS_MNT || k == NS_TIME || fds[k] < 0)
			continue;
		if (join_one((enum ns_kind) k, &fds[k], e) == 0)
			continue;
		if (e->code != EPERM)
			return -1;
		*e = ERR_NONE;
	}
	return 0;
}

/* In the intermediate process: joins what can be joined, then the user namespace, and makes init as its parent's child.
 * Returns 0 in init. */
static int clone_from_user(uint64_t flags, int fds[NS_COUNT], int cgroup_fd, int report_fd,
			   struct err *e)
{
	auto_close int pidfd = FD_NONE;
	struct child made = CHILD_NONE;

	if (join_early(fds, e) < 0 ||
	    (fds[NS_USER] >= 0 && join_one(NS_USER, &fds[NS_USER], e) < 0))
		return -1;
	if (fds[NS_PID] >= 0 && join_one(NS_PID, &fds[NS_PID], e) < 0)
		return -1;

	const int r = child_clone(flags | CLONE_PARENT, cgroup_fd, &made, e);
	if (r <= 0)
		return r;
	pidfd = made.pidfd;
	return sock_send(report_fd, &made.pid, sizeof(made.pid), &pidfd, 1, e) < 0 ? -1 : 1;
}

/* What the intermediate process reports: a pid with its pidfd, or an error. */
static int await_report(int fd, struct child *out, struct err *e)
{
	union {
		pid_t pid;
		struct err err;
	} u = { 0 };
	int pidfd = FD_NONE;
	size_t n_fds = 1;
	const ssize_t n = sock_recv(fd, &u, sizeof(u), &pidfd, &n_fds, e);

	if (n < 0)
		return -1;
	if (n == sizeof(pid_t) && n_fds == 1) {
		*out = (struct child){ .pid = u.pid, .pidfd = pidfd };
		return 1;
	}
	if (n_fds == 1)
		fd_close(&pidfd);
	if (n != sizeof(u.err))
		return err_set(e, EPIPE,
			       "the process that joins the user namespace ended early");
	u.err.msg[sizeof(u.err.msg) - 1] = '\0';
	*e = u.err;
	return -1;
}

static int clone_via_user(uint64_t flags, int fds[NS_COUNT], int cgroup_fd, struct child *out,
			  struct err *e)
{
	struct child middle = CHILD_NONE;
	struct child_status status;
	int pair[2];

	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	auto_close int ours = pair[0], theirs = pair[1];

	const int made = child_clone(0, -1, &middle, e);
	if (made < 0)
		return -1;
	if (made == 0) {
		fd_close(&ours);
		const int r = clone_from_user(flags, fds, cgroup_fd, theirs, e);

		if (r == 0)
			return 0; /* init: goes on in the caller */
		if (r < 0) {
			struct err ignored = ERR_NONE;

			(void) sock_send(theirs, e, sizeof(*e), NULL, 0, &ignored);
		}
		_exit(r < 0);
	}
	fd_close(&theirs);

	const int r = await_report(ours, out, e);
	struct err ignored = ERR_NONE;
	(void) child_wait(&middle, &status, &ignored);
	return r;
}

static bool joins_any(const int fds[NS_COUNT])
{
	for (int k = 0; k < NS_COUNT; k++) {
		if (fds[k] >= 0 && k != NS_MNT)
			return true;
	}
	return false;
}

int ns_clone(const struct ns_spec *s, int fds[NS_COUNT], int cgroup_fd, struct child *out,
	     struct err *e)
{
	const uint64_t flags = ns_clone_flags(s);

	if (fds[NS_USER] >= 0 || (ns_is_new(s, NS_USER) && joins_any(fds)))
		return clone_via_user(flags, fds, cgroup_fd, out, e);
	if (fds[NS_PID] < 0)
		return child_clone(flags, cgroup_fd, out, e);

	auto_close int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(e, "open /proc/self/ns/pid");
	/* Root of a user namespace that does not own it (rootless podman calls us so) could not come back. */
	if (setns(own, CLONE_NEWPID) < 0)
		return errno == EPERM ? clone_via_user(flags, fds, cgroup_fd, out, e)
				      : err_sys(e, "join the runtime's own pid namespace");
	return clone_into_pid(flags, fds, own, cgroup_fd, out, e);
}

int ns_clone_at(int dir_fd, const struct ns_spec *s, int fds[NS_COUNT], int cgroup_fd,
		struct child *out, struct err *e)
{
	auto_close int own = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (own < 0)
		return err_sys(e, "open .");
	if (fchdir(dir_fd) < 0)
		return err_sys(e, "enter the root's directory");

	const int r = ns_clone(s, fds, cgroup_fd, out, e);
	if (r != 0 && fchdir(own) < 0) {
		if (r > 0)
			child_end(out);
		return err_sys(e, "return to the working directory");
	}
	return r;
}

/* ---- late ---- */

static int write_offset(int fd, const char *name, const struct ns_clock *c, struct err *e)
{
	char text[64];
	const int n = snprintf(text, sizeof(text), "%s %" PRId64 " %" PRIu32 "\n", name,
			       c->secs, c->nanosecs);

	if (!c->set)
		return 0;
	if (write(fd, text, (size_t) n) != n)
		return err_sys(e, "linux.timeOffsets: %s %" PRId64 " s", name, c->secs);
	return 0;
}

/* The offsets can be written only while nobody is inside; a process enters the new namespace by setns, which
 * works for a single-threaded one at once, or by its next fork or exec. */
static int unshare_time(const struct ns_spec *s, struct err *e)
{
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(e, "make a time namespace");

	auto_close int offsets = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (offsets < 0)
		return err_sys(e, "open /proc/self/timens_offsets");
	if (write_offset(offsets, "monotonic", &s->monotonic, e) < 0 ||
	    write_offset(offsets, "boottime", &s->boottime, e) < 0)
		return -1;

	auto_close int ns = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWTIME) < 0)
		return err_sys(e, "enter the new time namespace");
	return 0;
}

int ns_unshare_late(const struct ns_spec *s, struct err *e)
{
	if (ns_is_new(s, NS_CGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, "make a cgroup namespace");
	if (ns_is_new(s, NS_TIME))
		return unshare_time(s, e);
	return 0;
}

int ns_loopback_up(struct err *e)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return err_sys(e, "socket");
	}
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_sys(e, "bring up lo");
	return 0;
}
