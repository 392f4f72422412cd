/*
 * What is known of a container between two calls: a directory per container, named by its id.
 *
 *   state.json   written whole before anything else of the container exists, and again only where fewer cgroups
 *                could be made than were planned (rootless). So it is also the journal: it names the cgroup before
 *                that is made, and `delete --force` can clean up after a runtime killed at any instruction.
 *   init         a symlink "PID:START": made in one system call by init, as its first act. START is its start
 *                time, so that a pid that the kernel gave to somebody else is never signalled.
 *   start.sock   where init waits for `start`; its name is removed before init is told. There: created; gone: running.
 *   seccomp.bpf  the filter program, for exec.
 *
 * The directory's own flock orders the callers: create, start and delete hold it exclusively, exec shared.
 */
#ifndef CARREL_RUNTIME_STATE_H
#define CARREL_RUNTIME_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"
#include "runtime/rdt.h"

struct buf;
struct cgroup;
struct err;
struct filter_program;
struct json;
struct json_doc;
struct json_writer;
struct spec;

#define STATE_START_SOCKET "start.sock"

enum state_status {
	STATE_CREATING, /* half-made: by a runtime that still works, or was killed */
	STATE_CREATED,
	STATE_RUNNING,
	STATE_PAUSED,
	STATE_STOPPED
};
const char *state_status_name(enum state_status s);

enum state_lock { STATE_UNLOCKED, STATE_SHARED, STATE_EXCLUSIVE };

struct state {
	struct json_doc *doc; /* owns the strings */
	const char *id, *bundle, *rootfs, *created, *oci_version;
	const char *config; /* absolute, when it is not the bundle's config.json; else NULL */
	const char *cgroup; /* cgroup_save's text */
	const char *listener_path, *listener_metadata; /* linux.seccomp's, or NULL */
	const struct json *annotations, *hooks;	       /* or NULL */
	const struct json *linux_part; /* what exec takes over (spec_add_inherited), or NULL */
	struct rdt_place rdt;
	uint32_t owner;	     /* uid of the creator */
	unsigned namespaces; /* 1 << enum ns_kind: the container's own, made or joined */
	const char *port;    /* network_port_name, when it has a network of its own; or NULL */
	const struct json *net_devices; /* linux.netDevices to be brought back, or NULL */
	bool has_filter;

	pid_t pid; /* 0: no init (yet) */
	uint64_t start_time;
};

/* Letters, digits and _+-. only, neither "." nor "..", at most 255 bytes. */
int state_id_check(const char *id, struct err *e);

/* The directory of all containers. make: it and its parents are made (0700) when missing; else -1 with ENOENT. */
int state_root_open(const char *path, bool make, struct err *e);

/* Makes the container's directory, exclusively locked; returns its descriptor. EEXIST: "container with given ID
 * already exists". */
int state_dir_make(int root_fd, const char *id, struct err *e);
/* ENOENT: "container ID does not exist". Waits for the lock. */
int state_dir_open(int root_fd, const char *id, enum state_lock lock, struct err *e);
void state_unlock(int dir_fd);
/* Exclusively; *gone: the directory was removed meanwhile. */
int state_lock_again(int dir_fd, bool *gone, struct err *e);
/* Everything in it and itself. */
int state_dir_remove(int root_fd, int dir_fd, const char *id, struct err *e);

/* What state_write needs beside the spec. */
struct state_facts {
	const char *id, *bundle, *rootfs, *cgroup;
	const char *config; /* or NULL */
	const char *port;   /* or NULL */
	bool has_filter;
	const struct rdt_place *rdt;
};
int state_write(int dir_fd, const struct spec *s, const struct state_facts *f, struct err *e);
/* By init itself, as its first act: however early its runtime is killed, `delete --force` finds it, or it finds that
 * the directory is gone and ends. */
int state_write_init_self(int dir_fd, struct err *e);
/* By a runtime that knows init before init knows anything (restore), in place of the one that stood for it until now. */
int state_write_init(int dir_fd, pid_t pid, struct err *e);
/* Fills pid and start_time, when init has written them by now. */
int state_read_init(int dir_fd, struct state *s, struct err *e);
int state_write_filter(int dir_fd, const struct filter_program *p, struct err *e);
int state_read_filter(int dir_fd, struct filter_program *out, struct err *e);

/* 0: *out is set; 1: the runtime that made the directory was killed before it wrote anything. */
int state_load(int dir_fd, struct state **out, struct err *e);
/* The same from text, without init (for fuzzing). */
int state_parse(const char *text, size_t n, struct state **out, struct err *e);
void state_free_ptr(struct state **s);
#define auto_state auto_cleanup(state_free_ptr)

/* A pidfd of init, proven to be the one that was started; FD_NONE when it is gone (a zombie counts as gone). */
int state_open_init(const struct state *s, struct err *e);
/* cg may be NULL: then paused is not told from running. */
int state_status(int dir_fd, const struct state *s, struct cgroup *cg, enum state_status *out,
		 struct err *e);

/* OCI's state document. pid 0 leaves a "pid":0 that init replaces by its own. */
struct state_view {
	const char *oci_version, *id, *bundle, *rootfs, *created;
	enum state_status status;
	pid_t pid;
	const struct json *annotations;
	bool extended; /* rootfs, created and owner, as `state` prints them; hooks get the standard's fields */
	const char *owner;
};
/* Its members, into an open object. */
void state_render_fields(const struct state_view *v, struct json_writer *w);
int state_render(const struct state_view *v, bool pretty, struct buf *out, struct err *e);

#endif
