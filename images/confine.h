/*
 * A child that may do one thing: it holds the descriptors it was given and no other right.
 *
 * All kinds run in their own user, mount, network, IPC, UTS, PID and cgroup namespaces, without
 * dumpability, under rlimits, Landlock (where the kernel has it) and a seccomp filter.
 *
 *   CONFINE_STREAM  reads one descriptor and writes another. No ids, no capabilities, no file system.
 *   CONFINE_IMAGE   also writes to one file at any place. No more rights than that.
 *   CONFINE_TREE    also makes files below one directory, which has become its root directory. It has
 *                   the owner ids of the parent's namespace and the five capabilities that setting
 *                   owners and modes takes; it sees no other mount.
 *
 *   CONFINE_READ    also reads below one directory, which has become its root directory, read-only, with what is
 *                   mounted there. Its ids are as in CONFINE_TREE, its one capability is CAP_DAC_READ_SEARCH; it
 *                   cannot ask for the trusted attributes.
 *
 * None may have memory that is both written and run: whoever takes one over has the code that is there.
 *
 * Parent and child share a SOCK_SEQPACKET pair, given to the child's function as `sock`.
 */
#ifndef CARREL_IMAGES_CONFINE_H
#define CARREL_IMAGES_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/child.h"

struct err;

enum confine_kind { CONFINE_STREAM, CONFINE_IMAGE, CONFINE_TREE, CONFINE_READ };

enum { CONFINE_MAX_FDS = 4 };

/* Runs in the child; its return value becomes the exit code (0 good, anything else a failure). What it has
 * to say it has sent over `sock` before. */
typedef int (*confine_fn)(void *arg, int sock);

struct confine_spec {
	enum confine_kind kind;
	int tree_fd; /* CONFINE_TREE, CONFINE_READ: the directory; else -1 (borrowed) */
	int keep_fds[CONFINE_MAX_FDS]; /* stay open in the child under the same numbers */
	size_t n_keep_fds;
	uint64_t file_bytes; /* no file may become larger */
	uint64_t seconds;    /* of CPU time */
	confine_fn main;
	void *arg;
	/* CONFINE_STREAM only. Not -1: this program instead of main (borrowed), which confines itself; its
	 * argv[sock_arg] becomes the number of its socket. */
	int exec_fd;
	char **argv;
	size_t sock_arg;
};

/* Starts it; *sock is the parent's end. Everything the confinement needs is required: what the kernel
 * refuses is an error that names it. Landlock alone may be absent, see confine_landlock_abi. */
int confine_start(const struct confine_spec *spec, struct child *out, int *sock, struct err *e);

/* For a program that was started that way: gives up what the confinement forbids. An error has been sent over
 * `sock` when it returns -1. */
int confine_self(const struct confine_spec *spec, int sock);

/* The kernel's Landlock version, 0 without. */
int confine_landlock_abi(void);

#endif
