/*
 * Where the cgroup hierarchies of this host are mounted, v1 and v2, and where a process stands in them.
 */
#ifndef CARREL_SHIM_CGMOUNT_H
#define CARREL_SHIM_CGMOUNT_H

#include <stddef.h>
#include <sys/types.h>

struct err;

struct cgmount {
	char *root;	   /* which cgroup is shown at `point`: "/" but in containers */
	char *point;	   /* the mount point */
	char *controllers; /* v1: "cpu,cpuacct" or "name=systemd"; v2: "" */
};

struct cgmounts {
	struct cgmount *v;
	size_t n;
};

/* From /proc/self/mountinfo; every hierarchy once. */
int cgmounts_read(struct cgmounts *out, struct err *e);
void cgmounts_fini(struct cgmounts *m);

/* The directory of pid's cgroup in the hierarchy with this controller ("": v2); -1 when there is none. */
int cgmounts_open_of(const struct cgmounts *m, pid_t pid, const char *controller);

/* The same for a cgroup path as config.json names it ("/carrel/ID"), seen from the mount's root. */
int cgmounts_open_path(const struct cgmount *mount, const char *path);

#endif
