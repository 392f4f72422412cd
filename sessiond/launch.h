/*
 * Starting sandboxes and talking to their shims, over the caller's loop: everything here returns at
 * once and reports by a callback; only the functions marked so do a bounded blocking read.
 *
 * This is mechanism for `carrel-sessiond` and `carrel run` alike: no users, quotas or database here.
 * What a start leaves on disk is written in docs/architecture.md; the order is
 *
 *   sandboxes/ID made, flock on the directory itself   "a start is under way" until the ready line
 *   uids/N linked, holding ID                           ENOSPC when all slots are taken
 *   bundle/config.json from the template                made by one `carrel-image bundle` per image
 *                                                       digest, tier and content of the tiers file
 *   sandbox.json, carrel-shim --dir ... --ready-fd 3    the callback comes with the ready line
 *
 * so that whoever finds the directory after a crash at any point can undo it (launch_collect).
 * Callbacks are never called from inside the function that was given them, always from the loop. A
 * callback may call any function of this header except launch_free.
 */
#ifndef CARREL_SESSIOND_LAUNCH_H
#define CARREL_SESSIOND_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct json;
struct loop;

/* launch_network.c: an IPv4 network with an address for each uid slot; prefix 0: none. */
struct launch_network {
	uint32_t base; /* host order */
	unsigned prefix;
};
int launch_network_parse(const char *text, uint32_t slots, struct launch_network *out,
			 struct err *e);

/* All paths absolute; all strings are copied by launch_new. */
struct launch_config {
	const char *
		run_dir; /* /run/carrel: sandboxes/, runtime/, uids/, templates/ are made in it */
	const char *store; /* image store, given to carrel-image */
	const char
		*tiers; /* tiers.yaml; NULL: sandboxes without a tier's limits (`carrel run`) */
	const char *volumes; /* where they lie; NULL: no sandbox has one */
	const char *image;   /* carrel-image */
	const char *shim;    /* carrel-shim */
	const char *runtime; /* carrel-runtime */
	const char *init;    /* carrel-init; NULL: the command is the first process itself */
	const char *seccomp; /* profile; NULL: carrel-image's own choice */
	const char *cgroup;  /* parent of the sandboxes' cgroups: "/carrel" */
	const char *scanner; /* carrel-scan; NULL: no sandbox can be under a policy */
	const char *
		policy_key; /* of the fingerprints of what policies find; NULL: they have none */
	const char *recordings; /* directory for ID.cast; NULL: nothing can be recorded */
	struct launch_network network; /* of the sandboxes whose tier has one */
	uint32_t uid_base;  /* slot N maps container ids to uid_base + N * uid_count ... */
	uint32_t uid_count; /* 65536 */
	uint32_t uid_slots; /* how many sandboxes fit: 4096 */
	unsigned ready_ms;  /* how long a start may take before it is killed: 15000 */
};

struct launch;

/* Makes the directories (0700) and opens them; refuses a program that is not there. */
int launch_new(struct loop *loop, const struct launch_config *config, struct launch **out,
	       struct err *e);
/* Ends starts that are under way (their callbacks are not called; a later scan finds what they left),
 * forgets calls and collectors. Watches stay their owners'. Running sandboxes stay. Accepts NULL. */
void launch_free(struct launch *l);

/* ---- one start ---- */

/* A volume that is mounted in the sandbox. */
struct launch_volume {
	const char
		*name; /* below launch_config.volumes; NULL: none, the workspace is a tmpfs */
	const char *path; /* where the sandbox sees it */
	uint64_t size;	  /* of a new one; 0: it has to be there already */
	const char *kind; /* of a new one: "loop", "quota"; NULL: the better of what there is */
};

/* Copied by launch_start. Zero is the default where a comment names one. */
struct launch_spec {
	const char
		*id; /* 26 characters from random_id, or a name that launch_id_valid accepts */
	const char *image;	/* name or digest in the store */
	const char *tier;	/* NULL with launch_config.tiers NULL */
	char *const *command;	/* NULL-terminated; NULL: the image's */
	char *const *env;	/* "K=V", NULL-terminated, on top of the image's; NULL: none */
	const char *cwd, *user; /* NULL: the image's */
	const char *hostname;	/* NULL: "sandbox" */
	struct launch_volume volume;
	bool no_terminal;
	bool remove_dir;      /* the shim removes the directory itself */
	uint16_t cols, rows;  /* 0: 80 x 24 */
	uint64_t idle_ms;     /* 0: no limit */
	uint64_t lifetime_ms; /* 0: no limit */
	uint64_t detached_ms; /* without a client; 0: no limit */
	uint64_t warn_ms;     /* 0: 60000 */
	uint64_t recording;   /* bytes at most; 0: not recorded */
	const char *
		policy; /* what carrel-scan compiled, without the ends of the names, absolute; NULL: none */
	uint32_t history_bytes; /* 0: 262144 */
	uint32_t ack_window;	/* 0: 262144 */
	uint32_t max_clients;	/* 0: 16 */
};

/* [a-zA-Z0-9][a-zA-Z0-9_.-]{0,63} */
bool launch_id_valid(const char *id);

/* err NULL: the sandbox's program runs and shim.sock listens. Else nothing is left of the start, and
 * err->code tells whose fault it is: ENOENT the image is not in the store, EINVAL the request (user,
 * cwd, command), EEXIST the ID is taken, EBUSY another sandbox uses the volume, ENOSPC no uid slot is free, ETIMEDOUT ready_ms, ECANCELED;
 * anything else is ours. */
typedef void (*launch_fn)(void *arg, const struct err *err);

/* -1: refused at once (then fn is never called). */
int launch_start(struct launch *l, const struct launch_spec *spec, launch_fn fn, void *arg,
		 struct err *e);
/* Kills a start that is under way; its fn gets ECANCELED. False when no such start is. */
bool launch_cancel(struct launch *l, const char *id);

/* A directory for files that a start reads and nobody needs behind it. One whose owner was killed goes with the next scan. */
struct launch_work {
	char *path; /* NULL: there is none */
	int fd;
};
#define LAUNCH_WORK_NONE ((struct launch_work){ .fd = -1 })
int launch_work_make(struct launch *l, struct launch_work *out, struct err *e);
void launch_work_remove(struct launch *l, struct launch_work *w);

/* What a sandbox's policy finds, as its shim writes it, readable also when its directory is gone. -1: there is no such file. */
int launch_open_findings(const struct launch *l, const char *id);

/* Removes a volume and what is in it. fn's err->code: EBUSY, a sandbox uses it; ENOENT, there is none. */
int launch_volume_remove(struct launch *l, const char *name, launch_fn fn, void *arg,
			 struct err *e);

/* The carrel-shim that sandboxes are started with. */
const char *launch_shim(const struct launch *l);

/* ---- a live shim ---- */

/* One connection that carries nothing and tells when the shim ends (its end of file). */
struct shim_watch;
typedef void (*shim_gone_fn)(void *arg);
/* ENOENT or ECONNREFUSED: there is no live shim of that ID: see launch_collect. After `gone` was called
 * the watch is to be given to shim_watch_free as always. */
int shim_watch_new(struct launch *l, const char *id, shim_gone_fn gone, void *arg,
		   struct shim_watch **out, struct err *e);
void shim_watch_free(struct shim_watch *w); /* accepts NULL */

/* answer: the whole object {"ok":true,...}, valid during the call. err: the shim's own refusal
 * ({"ok":false}: code ENOENT for not_found, ESRCH gone, EUSERS limit, EBUSY paused, EINVAL invalid), ETIMEDOUT,
 * ECONNRESET when it ended before it answered, or what connect said. Exactly one of both is NULL. */
typedef void (*shim_answer_fn)(void *arg, const struct json *answer, const struct err *err);

struct shim_request {
	const char *json; /* {"op":...}; copied, like tail */
	const void *tail; /* bytes behind the object (attach, input) */
	size_t n_tail;
	int fd;		     /* sent along, borrowed until fn; -1: none */
	unsigned timeout_ms; /* 0: 5000; "wait" passes UINT_MAX for none */
};
/* One request on a connection of its own. Returns a number > 0 for shim_call_forget. */
int64_t shim_call(struct launch *l, const char *id, const struct shim_request *rq,
		  shim_answer_fn fn, void *arg, struct err *e);
/* fn is not called any more; the request itself may still be carried out. */
void shim_call_forget(struct launch *l, int64_t call);

/* ---- after the end ---- */

enum launch_reason {
	LAUNCH_EXITED,
	LAUNCH_SIGNALLED,
	LAUNCH_OOM,
	LAUNCH_IDLE,
	LAUNCH_LIFETIME,
	LAUNCH_DELETED,
	LAUNCH_ERROR,
	LAUNCH_DETACHED,
	LAUNCH_POLICY,
	LAUNCH_REASONS,
};
/* "exited", ...; never NULL. */
const char *launch_reason_name(enum launch_reason r);
/* -1 with *e when s is none of them. */
int launch_reason_parse(const char *s, enum launch_reason *out, struct err *e);

/* exit.json, decoded; when the shim left none, reason is LAUNCH_ERROR and error says so. */
struct launch_exit {
	enum launch_reason reason;
	int code, signal;
	uint32_t oom_kills;
	uint64_t
		oom_limit; /* of the control group whose processes were killed; 0: none, or nobody was */
	bool oom_own_limit;		   /* that limit was met, not one of a group above */
	char started_at[40], ended_at[40]; /* RFC 3339, "" unknown */
	char error[508];		   /* "" none */
	uint64_t cpu_ns, memory_peak, io_read_bytes, io_write_bytes, output_bytes, input_bytes;
};

/* Reads DIR/exit.json (blocking, small). 1: read; 0: there is none; -1: it is there and wrong. */
int launch_exit_read(struct launch *l, const char *id, struct launch_exit *out, struct err *e);

/* What the shim of `id` left behind: waits (in the loop) until DIR/lock is free, reads exit.json,
 * undoes whatever is left (processes, cgroup, the runtime's state, uid slot), removes the directory, then calls
 * fn. exit is NULL when there was no directory. err is set when something could not be removed;
 * the directory then stays and a later scan finds it again. */
typedef void (*launch_collect_fn)(void *arg, const struct launch_exit *exit,
				  const struct err *err);
int launch_collect(struct launch *l, const char *id, launch_collect_fn fn, void *arg,
		   struct err *e);

enum launch_found {
	LAUNCH_ALIVE,	 /* DIR/lock is held: a shim serves it */
	LAUNCH_STARTING, /* somebody is starting or collecting it this moment: leave it alone */
	LAUNCH_DEAD,	 /* nobody holds it: launch_collect */
};
/* Calls fn for every directory in sandboxes/, and for what the runtime remembers without one (blocking: a readdir and two flocks each), then removes uid
 * slots whose ID has no directory, and what killed processes left in templates/. */
typedef void (*launch_scan_fn)(void *arg, const char *id, enum launch_found found);
int launch_scan(struct launch *l, launch_scan_fn fn, void *arg, struct err *e);

#endif
