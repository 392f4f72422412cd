/*
 * The floor: the isolation work of one container and nothing around it. No configuration, no state, no errors worth
 * reading, no attention to hostile images: what a runtime takes on top of this is the price of being one.
 *
 *   floor [-u] ROOTFS FILTER PROGRAM [ARG...]
 *
 * FILTER: a seccomp program as the kernel takes it (struct sock_filter after struct sock_filter), "-" for none. -u: user and time
 * namespaces as well. Same namespaces, mounts, masks, limits and filter as bench.py's config.json has. cgroup v1, where
 * the child moves itself into its groups while it has one thread: the cheap way; on v2 it is born inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILTER_MAX = 65536, ID_BASE = 524288, ID_COUNT = 65536 };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	(void) fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text), path);
	(void) close(fd);
}

/* ---- control groups ---- */

static const struct group {
	const char *controller, *files[10][2];
} groups[] = {
	{ "memory", { { "memory.limit_in_bytes", "536870912" } } },
	{ "pids", { { "pids.max", "128" } } },
	{ "cpu", { { "cpu.cfs_period_us", "100000" }, { "cpu.cfs_quota_us", "50000" } } },
	{ "devices",
	  { { "devices.deny", "a" },
	    { "devices.allow", "c 1:3 rwm" },
	    { "devices.allow", "c 1:5 rwm" },
	    { "devices.allow", "c 1:7 rwm" },
	    { "devices.allow", "c 1:8 rwm" },
	    { "devices.allow", "c 1:9 rwm" },
	    { "devices.allow", "c 5:0 rwm" },
	    { "devices.allow", "c 5:2 rwm" },
	    { "devices.allow", "c 136:* rwm" } } },
	{ "freezer", { { NULL } } },
};
enum { N_GROUPS = sizeof(groups) / sizeof(groups[0]), N_FILES = 10 };

static void group_dir(char out[128], const char *controller)
{
	(void) snprintf(out, 128, "/sys/fs/cgroup/%s%scarrel-floor-%d", controller,
			*controller ? "/" : "", (int) getpid());
}

/* Returns how many `tasks` the child has to write itself into; on v2 none, and *v2_fd. */
static int make_groups(int tasks[N_GROUPS], int *v2_fd)
{
	char dir[128], path[256];

	*v2_fd = -1;
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
		group_dir(dir, "");
		must(mkdir(dir, 0755) == 0, dir);
		(void) snprintf(path, sizeof(path), "%s/memory.max", dir);
		put(path, "536870912");
		(void) snprintf(path, sizeof(path), "%s/pids.max", dir);
		put(path, "128");
		(void) snprintf(path, sizeof(path), "%s/cpu.max", dir);
		put(path, "50000 100000");
		*v2_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return 0;
	}
	for (int i = 0; i < N_GROUPS; i++) {
		group_dir(dir, groups[i].controller);
		must(mkdir(dir, 0755) == 0, dir);
		for (int k = 0; k < N_FILES && groups[i].files[k][0]; k++) {
			(void) snprintf(path, sizeof(path), "%s/%s", dir,
					groups[i].files[k][0]);
			put(path, groups[i].files[k][1]);
		}
		(void) snprintf(path, sizeof(path), "%s/tasks", dir);
		tasks[i] = open(path, O_WRONLY | O_CLOEXEC);
		must(tasks[i] >= 0, path);
	}
	return N_GROUPS;
}

static void remove_groups(int n)
{
	char dir[128];

	for (int i = 0; i < (n ? n : 1); i++) {
		group_dir(dir, n ? groups[i].controller : "");
		/* The last process was reaped; its group may be told a moment later. */
		for (int tries = 0; rmdir(dir) < 0 && errno == EBUSY && tries < 1000; tries++)
			(void) sched_yield();
	}
}

/* ---- the child ---- */

static void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0, "lo");
	(void) close(fd);
}

static void mnt(const char *source, const char *target, const char *type, unsigned long flags,
		const char *data)
{
	must(mount(source, target, type, flags, data) == 0, target);
}

static void make_dev(bool user)
{
	static const struct {
		const char *name;
		unsigned minor, major;
	} nodes[] = { { "null", 3, 1 }, { "zero", 5, 1 },   { "full", 7, 1 },
		      { "tty", 0, 5 },	{ "random", 8, 1 }, { "urandom", 9, 1 } };
	char path[32], host[32];

	mnt("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		(void) snprintf(path, sizeof(path), "dev/%s", nodes[i].name);
		if (!user) {
			must(mknod(path, S_IFCHR | 0666,
				   makedev(nodes[i].major, nodes[i].minor)) == 0,
			     path);
			continue;
		}
		(void) snprintf(host, sizeof(host), "/dev/%s", nodes[i].name);
		must(mknod(path, S_IFREG | 0666, 0) == 0, path);
		mnt(host, path, NULL, MS_BIND, NULL);
	}
	must(mkdir("dev/pts", 0755) == 0 && mkdir("dev/shm", 01777) == 0, "dev");
	mnt("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	    "newinstance,ptmxmode=0666,mode=0620");
	mnt("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=8m");
	must(symlink("pts/ptmx", "dev/ptmx") == 0 && symlink("/proc/self/fd", "dev/fd") == 0 &&
		     symlink("/proc/self/fd/0", "dev/stdin") == 0 &&
		     symlink("/proc/self/fd/1", "dev/stdout") == 0 &&
		     symlink("/proc/self/fd/2", "dev/stderr") == 0,
	     "dev links");
}

static void mask(void)
{
	static const char *const hidden[] = { "proc/kcore", "proc/keys", "proc/timer_list" };
	static const char *const read_only[] = { "proc/bus", "proc/fs", "proc/irq", "proc/sys",
						 "proc/sysrq-trigger" };

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (mount("dev/null", hidden[i], NULL, MS_BIND, NULL) < 0)
			must(errno == ENOENT, hidden[i]);
	mnt("tmpfs", "sys/firmware", "tmpfs", MS_RDONLY, "nr_inodes=2");
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		if (access(read_only[i], F_OK) < 0)
			continue;
		mnt(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL);
		mnt(NULL, read_only[i], NULL,
		    MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	}
}

static void enter_root(const char *rootfs, bool user)
{
	mnt(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL);
	mnt(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL);
	must(chdir(rootfs) == 0, rootfs);
	mnt("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	make_dev(user);
	mnt("tmp", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=8m");
	mnt("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL);
	mask();
	must(syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0,
	     "pivot_root");
	mnt(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
	must(chdir("/") == 0, "/");
}

static void drop_rights(const struct sock_fprog *filter)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		(void) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	/* The filter goes last but one: loading it needs no rights now, and capset is in it. */
	must(syscall(SYS_capset, &head, none) == 0, "capset");
	if (filter->len)
		must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) == 0, "seccomp");
}

static void child(char **argv, const struct sock_fprog *filter, bool user, const int *tasks,
		  int n_tasks, int go)
{
	char byte;

	if (user)
		must(read(go, &byte, 1) == 1 && setresgid(0, 0, 0) == 0 &&
			     setresuid(0, 0, 0) == 0,
		     "become root");
	for (int i = 0; i < n_tasks; i++)
		must(write(tasks[i], "0", 1) == 1, "tasks");
	must(unshare(CLONE_NEWCGROUP) == 0, "cgroup namespace");
	loopback_up();
	enter_root(argv[0], user);
	must(sethostname("floor", 5) == 0, "hostname");
	must(setsid() >= 0, "setsid");
	drop_rights(filter);
	(void) execv(argv[2], argv + 2);
	must(false, argv[2]);
}

/* ---- the parent ---- */

static struct sock_fprog read_filter(const char *path)
{
	static struct sock_filter code[FILTER_MAX];
	int fd = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, code, sizeof(code));

	must(fd >= 0 || strcmp(path, "-") == 0, path);
	return (struct sock_fprog){ .len = (unsigned short) ((size_t) n / sizeof(code[0])),
				    .filter = code };
}

static void write_maps(pid_t pid)
{
	char path[64], text[64];

	(void) snprintf(text, sizeof(text), "0 %d %d", ID_BASE, ID_COUNT);
	(void) snprintf(path, sizeof(path), "/proc/%d/uid_map", (int) pid);
	put(path, text);
	(void) snprintf(path, sizeof(path), "/proc/%d/gid_map", (int) pid);
	put(path, text);
}

int main(int argc, char **argv)
{
	bool user = argc > 1 && strcmp(argv[1], "-u") == 0;
	struct clone_args args = { .flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
					    CLONE_NEWUTS | CLONE_NEWNS,
				   .exit_signal = SIGCHLD };
	struct sock_fprog filter;
	int tasks[N_GROUPS], n_tasks, v2_fd, go[2], status;
	pid_t pid;

	argv += 1 + user;
	must(argc - user >= 4, "usage: floor [-u] ROOTFS FILTER PROGRAM [ARG...]");
	filter = read_filter(argv[1]);
	n_tasks = make_groups(tasks, &v2_fd);
	must(pipe2(go, O_CLOEXEC) == 0, "pipe");
	if (user) {
		/* The time namespace holds for children: entered by the exec after a fork, as clone3 has it. */
		args.flags |= CLONE_NEWUSER;
		must(unshare(CLONE_NEWTIME) == 0, "time namespace");
	}
	if (v2_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t) v2_fd;
	}
	pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
	must(pid >= 0, "clone3");
	if (pid == 0)
		child(argv, &filter, user, tasks, n_tasks, go[0]);
	if (user) {
		write_maps(pid);
		must(write(go[1], "", 1) == 1, "pipe");
	}
	must(waitpid(pid, &status, 0) == pid, "wait");
	remove_groups(n_tasks);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
