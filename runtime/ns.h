/* Namespaces: which are made, which are joined, and the clocks of the time namespace. */
#ifndef CARREL_RUNTIME_NS_H
#define CARREL_RUNTIME_NS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

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

/* CLONE_NEW* of all that are listed without a path, time excepted (clone3 knows no CLONE_NEWTIME with
 * offsets: those need unshare in a parent, see init.h). */
unsigned long ns_clone_flags(const struct ns_spec *s);

/* Opens and verifies the namespace files to be joined (NS_GET_NSTYPE must match); fds[k] = -1 for none. */
int ns_open_paths(const struct ns_spec *s, int fds[NS_COUNT], struct err *e);
/* setns into each that is open, in enum order. */
int ns_join(const int fds[NS_COUNT], struct err *e);
/* Enters the namespaces of a process by one setns(pidfd, flags) (Linux 5.8). */
int ns_join_process(int pidfd, unsigned long flags, struct err *e);
/* Writes /proc/PID/timens_offsets before the first process is in. */
int ns_write_offsets(const struct ns_spec *s, const char *proc_pid, struct err *e);

#endif
