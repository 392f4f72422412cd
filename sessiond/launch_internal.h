/* What the files of launch.h share. Nobody else includes this. */
#ifndef CARREL_SESSIOND_LAUNCH_INTERNAL_H
#define CARREL_SESSIOND_LAUNCH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/loop.h"
#include "sessiond/launch.h"

struct json;
struct json_doc;

/* A program that was started and is reaped whenever it ends; with a reader of its output when `out` is used. */
struct launch_child {
	struct launch_child *next;
	struct launch *launch;
	struct child child;
	struct loop_io end;
	struct loop_io out;
	int out_fd;
	struct buf text; /* its stdout and stderr, at most 64 KiB */
	/* NULL: nobody waits any more. Called once, with what was written until the program itself ended. */
	void (*fn)(void *arg, const struct child_status *status, const char *text);
	void *arg;
};

/* The files that a bundle is made from, as they are at one moment. */
struct launch_inputs {
	struct stat index, tiers, seccomp;
};

/* One bundle as carrel-image wrote it, good for every sandbox of that image, tier and user. */
struct launch_template {
	struct launch_template *next;
	char *image, *tier, *user;
	struct launch_inputs inputs;
	struct json_doc *config, *rootfs;
};

struct launch_start;
struct template_call;
struct shim_call;
struct exec_run;
struct shim_watch;
struct launch_collect;
struct volume_call;

struct launch {
	struct loop *loop;
	struct launch_config config; /* strings owned */
	int sandboxes_fd, uids_fd, templates_fd, runtime_fd;
	char *sandboxes, *uids, *runtime_root; /* absolute paths */
	struct launch_template *templates;     /* newest first */
	struct template_call *template_calls;
	struct launch_child *children;
	struct launch_start *starts;
	struct shim_call *calls;
	struct exec_run *runs; /* exec_run.c */
	struct launch_collect *collects;
	struct volume_call *volume_calls;
	int64_t next_call;
	uint32_t next_slot;
};

/* launch_child.c */
/* Starts a program; captured: its stdout and stderr go to `text`, else /dev/null. keep_fd (or -1) becomes 3. */
struct launch_child *
launch_child_start(struct launch *l, const char *path, char *const *argv, bool captured,
		   int keep_fd, void (*fn)(void *, const struct child_status *, const char *),
		   void *arg, struct err *e);
/* Its fn is not called any more; it is still reaped. Accepts NULL. */
void launch_child_forget(struct launch_child *c);
/* Kills it, waits for its end and frees the record; fn is not called. */
void launch_child_end(struct launch_child *c);
/* Forgets all and frees the records; nothing is killed. */
void launch_children_end(struct launch *l);

/* What a failed carrel-image COMMAND said last, without its own name; EINVAL. */
void launch_image_words(const char *command, const char *text, struct err *e);

/* launch_volume.c */
bool launch_volume_there(const struct launch *l, const char *name);
/* Makes it, or waits for whoever is making it. */
struct volume_call *launch_volume_make(struct launch *l, const struct launch_volume *v,
				       launch_fn fn, void *arg, struct err *e);
void launch_volume_forget(struct volume_call *c); /* accepts NULL */
void launch_volumes_end(struct launch *l);

/* launch_slot.c */
/* Takes a free slot for `id`: *slot and its file's name. ENOSPC when there is none. */
int launch_slot_take(struct launch *l, const char *id, uint32_t *slot, struct err *e);
/* Removes every slot file whose sandbox has no directory. */
int launch_slots_sweep(struct launch *l, struct err *e);
/* Removes the slots that hold `id`: the one that its sandbox.json names, or whatever there is when it has none. */
void launch_slot_release_id(struct launch *l, const char *id, int dir_fd);

/* launch_template.c */
/* The template when it is known and still true, else NULL. */
const struct launch_template *launch_template_find(struct launch *l,
						   const struct launch_spec *s);
/* Runs carrel-image, or joins a run of the same that is under way; fn gets the template or an error. */
struct template_wait;
typedef void (*launch_template_fn)(void *arg, const struct launch_template *t,
				   const struct err *err);
struct template_wait *launch_template_make(struct launch *l, const struct launch_spec *s,
					   launch_template_fn fn, void *arg, struct err *e);
void launch_template_forget(struct template_wait *w); /* accepts NULL */
/* Removes what killed processes left half made. */
void launch_templates_sweep(struct launch *l);
void launch_templates_end(struct launch *l);

/* launch_bundle.c */
/* bundle/config.json and sandbox.json of one sandbox into its directory. */
int launch_bundle_write(struct launch *l, const struct launch_template *t,
			const struct launch_spec *s, uint32_t slot, int dir_fd, struct err *e);

/* launch_network.c */
struct launch_address {
	char s[24];
};
struct launch_address launch_network_address(const struct launch_network *n, uint32_t slot,
					     bool with_prefix);
struct launch_address launch_network_gateway(const struct launch_network *n);
/* Its own address into a bundle that has a network; others are left alone. */
int launch_network_set(struct json_doc *doc, const struct launch_network *n, uint32_t slot,
		       struct err *e);

/* launch_start.c */
void launch_starts_end(struct launch *l);

/* shim_call.c */
void shim_calls_end(struct launch *l);

/* launch_collect.c */
void launch_collects_end(struct launch *l);

#endif
