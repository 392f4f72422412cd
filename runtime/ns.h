/* Namespaces: which are made, which are joined, and the clocks of the time namespace. */
#ifndef CARREL_RUNTIME_NS_H
#define CARREL_RUNTIME_NS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct child;

/* In the order in which they must be joined: user first, mnt last. */
enum ns_kind { NS_USER, NS_CGROUP, NS_IPC, NS_UTS, NS_NET, NS_PID, NS_TIME, NS_MNT, NS_COUNT };

struct ns_entry {
	bool listed;	  /* in linux.namespaces: made, or joined when path is set */
	const char *path; /* NULL: a new one */
};

struct ns_clock {
	int64_t secs;
	uint32_t nanosecs;
	bool set;
};

struct ns_spec {
	struct ns_entry ns[NS_COUNT];
	struct ns_clock monotonic, boottime; /* linux.timeOffsets */
};

/* "user", "mnt", ... as in /proc/PID/ns; the OCI name ("mount", "network") for decoding. */
const char *ns_proc_name(enum ns_kind k);
const char *ns_oci_name(enum ns_kind k);
int ns_kind_parse(const char *oci_name, enum ns_kind *out, struct err *e);
unsigned long ns_clone_flag(enum ns_kind k);

/* True when the container gets one of its own, new or joined. */
static inline bool ns_has(const struct ns_spec *s, enum ns_kind k)
{
	return s->ns[k].listed;
}
static inline bool ns_is_new(const struct ns_spec *s, enum ns_kind k)
{
	return s->ns[k].listed && !s->ns[k].path;
}

/* CLONE_NEW* of all that are new, cgroup and time excepted: init unshares those itself (ns_unshare_late), the
 * cgroup namespace because its root is the cgroup of that moment, time because its clocks are set before it is
 * entered. */
unsigned long ns_clone_flags(const struct ns_spec *s);

/* Opens and verifies the namespace files to be joined (NS_GET_NSTYPE must match); fds[k] = -1 for none. A mount
 * namespace that is the caller's own is refused: the host's root would be exchanged. */
int ns_open_paths(const struct ns_spec *s, int fds[NS_COUNT], struct err *e);
void ns_close(int fds[NS_COUNT]);

/* child_clone for a container's first process: returns 0 in it, 1 in the parent, -1. Joined pid namespaces are
 * entered for the clone only; a joined user namespace is entered by an intermediate process, so that the new
 * ones belong to it, and the result is still the caller's child. That process joins all others before, and does so
 * for a new user namespace as well: theirs may be another owner, whom only the caller has rights over. Sets fds[] that need no more joining to -1
 * in the child. cgroup_fd: -1 or for CLONE_INTO_CGROUP. */
int ns_clone(const struct ns_spec *s, int fds[NS_COUNT], int cgroup_fd, struct child *out,
	     struct err *e);

/* The same with dir_fd as the first process' working directory. It is entered before the clone, because that alone
 * takes it along into a new mount namespace (a descriptor stays on the old one's mount), and needs no right to
 * walk the path again. The caller's own is as before when this returns. */
int ns_clone_at(int dir_fd, const struct ns_spec *s, int fds[NS_COUNT], int cgroup_fd,
		struct child *out, struct err *e);

/* setns into each that is open, in enum order; closes them. */
int ns_join(int fds[NS_COUNT], struct err *e);
/* Enters the namespaces of a process by one setns(pidfd, flags) (Linux 5.8). */
int ns_join_process(int pidfd, unsigned long flags, struct err *e);

/* In init, when its cgroup is joined and its user namespace mapped: the new cgroup and time namespaces, the
 * clocks of the latter set. The caller is in them when this returns. */
int ns_unshare_late(const struct ns_spec *s, struct err *e);

/* Brings up `lo` of a new network namespace. */
int ns_loopback_up(struct err *e);

#endif
