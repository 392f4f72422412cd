/*
 * The first process of a container: a table of named steps, run top to bottom inside its new namespaces.
 *
 * Everything that must be opened with the host's rights (bind sources, namespaces, devices, cgroup files, the
 * seccomp program) is opened by the parent and handed over in struct init_args; init itself resolves
 * container paths only through base/path.h. On a failing step it sends SYNC_FAILED ("<step>: <why>") and exits 1.
 */
#ifndef CARREL_RUNTIME_INIT_H
#define CARREL_RUNTIME_INIT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/ns.h"

struct err;
struct spec;
struct cgroup;
struct hook_list;
struct filter_program;

struct init_args {
	const struct spec *spec;
	const struct cgroup *cgroup;
	int *rdt_tasks;			     /* rdt_open_tasks; NULL: none */
	const struct filter_program *filter; /* NULL: none */
	/* For hooks that run inside. It holds "pid":0 once; init puts its own pid there, as the host's procfs
	 * shows it (readlink /proc/self before the pivot). */
	const char *state_json;
	const char *id;
	const char *
		bundle; /* absolute; relative sources start there when init opens them itself */
	int sync_fd;	/* to the parent */
	int start_fd; /* listening SOCK_SEQPACKET of `start`; -1: `run`, exec at once after SYNC_CREATED */
	int console_sock_fd;   /* connected console socket, or -1 */
	bool console_relayed;  /* its other end is the runtime itself, in the foreground */
	int root_fd;	       /* from rootfs_open_source */
	const int *source_fds; /* from mount_open_source, one per spec->mounts */
	int ns_fds
		[NS_COUNT]; /* from ns_open_paths, after ns_clone: namespaces still to be joined */
	bool no_pivot, no_new_keyring;
	unsigned preserve_fds; /* descriptors 3 .. 3+n-1 survive exec */
	int seccomp_notify_fd; /* connected listenerPath socket, or -1 */
	const char *
		notify_state; /* for it, as in struct init_exec; every "pid":0 in it is to be filled in */
};

/* Cloned by ns_clone_at with the root's directory. Never returns to a caller that goes on: the result is the exit code of the failed start. */
int init_main(const struct init_args *a);

/* Whether init needs SYNC_IDMAP for this mount. */
struct mount_spec;
bool init_asks_idmap(const struct spec *s, const struct mount_spec *m);

/* Whether the process asks for labels, so that init_exec needs a procfs. */
struct process_spec;
bool init_wants_proc(const struct process_spec *p);

/* In a user namespace: becomes uid and gid 0 of it and drops the host's groups. Undumpable from then on. */
int init_become_root(bool keep_groups, struct err *e);

/* The second half, shared with exec: from "everything is mounted" to execve (owner of stdio, limits, labels, user,
 * capabilities, seccomp, program). Every descriptor but stdio, the preserved ones and those below is closed first,
 * and nothing is logged any more. Returns only on failure. */
struct init_exec {
	const struct process_spec *process;
	const struct filter_program *filter;
	unsigned preserve_fds;
	int report_fd; /* close-on-exec: receives SYNC_FAILED when exec fails, end of file when it worked */
	int proc_fd; /* with init_wants_proc: procfs_open, from before the container's root was entered; else 0 */
	int seccomp_notify_fd; /* connected listenerPath socket, or -1 */
	const char *
		notify_state; /* the container process state JSON that goes with the listener */
	const struct hook_list *start_hooks; /* startContainer, or NULL */
	const char *state_json;		     /* for them */
};
int init_exec(const struct init_exec *x, struct err *e);

/* Closes every descriptor from 3 + preserved on but those in keep[] (sorted in place; below 3: none). The log's is
 * among them. */
int init_close_others(unsigned preserved, int *keep, size_t n, struct err *e);

#endif
