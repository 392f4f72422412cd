/*
 * Who does what when a confined child starts:
 *
 *   parent                                   child
 *   open_tree(layer) -> a detached mount
 *   clone3(all namespaces) ................. waits on its socket
 *   writes uid_map, gid_map
 *   sends one byte ......................... becomes uid 0 of its namespace
 *                                            puts the mount over "/", pivots into it, drops the old root
 *                                            closes all but its descriptors, drops capabilities
 *                                            rlimits, Landlock, seccomp
 *                                            runs spec->main, exits
 *
 * The order in the child: mounts before capabilities go, capabilities before Landlock (which needs
 * no_new_privs only), seccomp last because every earlier step uses calls that it forbids.
 */
#include "images/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "images/confine_filter.h"
#include "images/confine_landlock.h"
#include "images/sanitized.h"

static const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC |
				   CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWCGROUP;

/* The whole address space of a child. */
static const rlim_t address_space = 256U << 20;

/* ---- the child ---- */

/* The detached mount goes over "/" and then becomes "/": nothing of the host's tree is left below. */
static int enter_tree(int mount_fd, struct err *e)
{
	if (syscall(SYS_move_mount, mount_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "move_mount");
	if (fchdir(mount_fd) < 0)
		return err_sys(e, "fchdir");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, "detach the old root");
	if (chdir("/") < 0)
		return err_sys(e, "chdir /");
	return 0;
}

static int become_root(struct err *e)
{
	if (setresgid(0, 0, 0) < 0)
		return err_sys(e, "setresgid");
	if (setresuid(0, 0, 0) < 0)
		return err_sys(e, "setresuid");
	return 0;
}

static bool has_tree(enum confine_kind kind)
{
	return kind == CONFINE_TREE || kind == CONFINE_READ;
}

static int keep_caps(enum confine_kind kind, struct err *e)
{
	const uint32_t owner_caps = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE |
				    1U << CAP_FOWNER | 1U << CAP_FSETID | 1U << CAP_SETFCAP;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (kind == CONFINE_TREE)
		data[0].effective = data[0].permitted = owner_caps;
	else if (kind == CONFINE_READ)
		data[0].effective = data[0].permitted = 1U << CAP_DAC_READ_SEARCH;
	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(e, "capset");
	return 0;
}

static int set_rlimit(__rlimit_resource_t what, rlim_t value, const char *name, struct err *e)
{
	struct rlimit r = { .rlim_cur = value, .rlim_max = value };

	if (setrlimit(what, &r) < 0)
		return err_sys(e, "%s", name);
	return 0;
}

static int set_rlimits(const struct confine_spec *s, struct err *e)
{
	if (set_rlimit(RLIMIT_CORE, 0, "RLIMIT_CORE", e) < 0 ||
	    set_rlimit(RLIMIT_NOFILE, 256, "RLIMIT_NOFILE", e) < 0 ||
	    set_rlimit(RLIMIT_CPU, (rlim_t) s->seconds, "RLIMIT_CPU", e) < 0 ||
	    set_rlimit(RLIMIT_FSIZE, (rlim_t) s->file_bytes, "RLIMIT_FSIZE", e) < 0)
		return -1;
	if (!IMAGES_SANITIZED)
		return set_rlimit(RLIMIT_AS, address_space, "RLIMIT_AS", e);
	return 0;
}

/* Closes every descriptor but keep[0..n), which is sorted here. */
static int close_others(int *keep, size_t n, struct err *e)
{
	unsigned from = 0;

	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j > 0 && keep[j - 1] > keep[j]; j--) {
			int t = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = t;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned) keep[i] > from &&
		    close_range(from, (unsigned) keep[i] - 1, 0) < 0)
			return err_sys(e, "close_range");
		from = (unsigned) keep[i] + 1;
	}
	if (close_range(from, ~0U, 0) < 0)
		return err_sys(e, "close_range");
	return 0;
}

static int keep_only(const struct confine_spec *s, int sock, struct err *e)
{
	int keep[CONFINE_MAX_FDS + 3];
	size_t n = 0;

	if (IMAGES_SANITIZED)
		keep[n++] = STDERR_FILENO; /* for its reports */
	for (size_t i = 0; i < s->n_keep_fds; i++)
		keep[n++] = s->keep_fds[i];
	keep[n++] = sock;
	if (s->exec_fd >= 0)
		keep[n++] = s->exec_fd;
	return close_others(keep, n, e);
}

static int give_up_rights(const struct confine_spec *s, int sock, struct err *e)
{
	if (keep_only(s, sock, e) < 0 || keep_caps(s->kind, e) < 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "prctl");
	if (set_rlimits(s, e) < 0)
		return -1;
	if (confine_landlock(s->kind, e) < 0)
		return -1;
	return confine_filter(s->kind, e);
}

static int enter(const struct confine_spec *s, int mount_fd, int sock, struct err *e)
{
	char go;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "PR_SET_PDEATHSIG");
	if (sock_recv(sock, &go, 1, NULL, NULL, e) != 1)
		return err_set(e, EPIPE, "the parent is gone");
	if (child_reset_signals(e) < 0)
		return -1;
	(void) umask(0); /* modes are the archive's */
	if (has_tree(s->kind) && (become_root(e) < 0 || enter_tree(mount_fd, e) < 0))
		return -1;
	return 0;
}

/* Its descriptors survive the exec under their numbers. The death signal does, too. */
static int run_program(const struct confine_spec *s, int sock, struct err *e)
{
	static char *const no_env[] = { NULL };
	char number[16];

	if (keep_only(s, sock, e) < 0)
		return -1;
	for (size_t i = 0; i <= s->n_keep_fds; i++) {
		if (fcntl(i < s->n_keep_fds ? s->keep_fds[i] : sock, F_SETFD, 0) < 0)
			return err_sys(e, "F_SETFD");
	}
	snprintf(number, sizeof(number), "%d", sock);
	s->argv[s->sock_arg] = number;
	(void) execveat(s->exec_fd, "", s->argv, no_env, AT_EMPTY_PATH);
	return err_sys(e, "%s", s->argv[0]);
}

static int complain(int sock, struct err *e)
{
	(void) err_wrap(e, "confine the child");
	(void) send(sock, e, sizeof(*e), MSG_NOSIGNAL);
	return -1;
}

static int child_main(const struct confine_spec *s, int mount_fd, int sock)
{
	struct err e = ERR_NONE;
	int r = enter(s, mount_fd, sock, &e);

	if (r == 0)
		r = s->exec_fd >= 0 ? run_program(s, sock, &e) : give_up_rights(s, sock, &e);
	if (r < 0) {
		(void) complain(sock, &e);
		return 1;
	}
	return s->main(s->arg, sock);
}

int confine_self(const struct confine_spec *spec, int sock)
{
	struct err e = ERR_NONE;

	return give_up_rights(spec, sock, &e) < 0 ? complain(sock, &e) : 0;
}

/* ---- the parent ---- */

/* The parent's own ranges, each mapped to itself: owners in the store are the host's numbers, whatever
 * namespace the parent lives in. */
static int identity_map(const char *path, struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(65536);
	unsigned inside, outside, count;
	const char *p;
	int used;

	if (fd_read_file(AT_FDCWD, path, 65536, &text, e) < 0)
		return -1;
	p = buf_str(&text);
	while (sscanf(p, "%u %u %u%n", &inside, &outside, &count, &used) == 3) {
		if (buf_printf(out, e, "%u %u %u\n", inside, inside, count) < 0)
			return -1;
		p += used;
	}
	return 0;
}

static int write_map(pid_t pid, const char *which, struct err *e)
{
	auto_buf struct buf map = BUF_LIMIT(65536);
	char mine[64], its[64];

	snprintf(mine, sizeof(mine), "/proc/self/%s", which);
	snprintf(its, sizeof(its), "/proc/%d/%s", (int) pid, which);
	if (identity_map(mine, &map, e) < 0)
		return -1;
	return fd_write_file(AT_FDCWD, its, buf_str(&map), e);
}

static int release(const struct confine_spec *s, const struct child *c, int sock, struct err *e)
{
	if (has_tree(s->kind) &&
	    (write_map(c->pid, "uid_map", e) < 0 || write_map(c->pid, "gid_map", e) < 0))
		return -1;
	return sock_send(sock, "", 1, NULL, 0, e);
}

/* For a reader with what is mounted below, so that it sees that there is something. */
static int detach_tree(const struct confine_spec *s, struct err *e)
{
	const bool read = s->kind == CONFINE_READ;
	const unsigned all = read ? AT_RECURSIVE : 0;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	auto_close int fd =
		(int) syscall(SYS_open_tree, s->tree_fd, "",
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | all);

	if (fd < 0) {
		(void) err_sys(e, "open_tree");
		return e->code == EPERM ? err_hint(e, "CAP_SYS_ADMIN is needed here") : -1;
	}
	if (read &&
	    syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | all, &attr, sizeof(attr)) < 0)
		return err_sys(e, "make it read-only (mount_setattr, Linux 5.12)");
	return take_fd(&fd);
}

static int check_root(enum confine_kind kind, struct err *e)
{
	if (geteuid() == 0)
		return 0;
	if (kind == CONFINE_READ)
		return err_set(e, EPERM,
			       "packing a layer needs root: its files are read whoever they "
			       "belong to");
	return err_set(e, EPERM,
		       "unpacking a layer needs root: its files keep the owners that the "
		       "archive gives them");
}

int confine_start(const struct confine_spec *spec, struct child *out, int *sock, struct err *e)
{
	auto_close int mount_fd = -1, mine = -1, its = -1;
	struct child c = CHILD_NONE;
	int pair[2], r;

	if (has_tree(spec->kind)) {
		mount_fd = check_root(spec->kind, e) < 0 ? -1 : detach_tree(spec, e);
		if (mount_fd < 0)
			return -1;
	}
	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	mine = pair[0];
	its = pair[1];
	r = child_clone(namespaces, -1, &c, e);
	if (r < 0)
		return err_hint(
			e, "the child that does it lives in namespaces of its own; are user "
			   "namespaces disabled (user.max_user_namespaces)?");
	if (r == 0) {
		/* A parent that is killed before the child has asked for the death signal is known by the end of the stream. */
		fd_close(&mine);
		_exit(child_main(spec, mount_fd, its));
	}
	if (release(spec, &c, mine, e) < 0) {
		child_end(&c);
		return -1;
	}
	*out = c;
	*sock = take_fd(&mine);
	return 0;
}

int confine_landlock_abi(void)
{
	return confine_landlock_version();
}
