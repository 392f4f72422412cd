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
	struct launch *launch; /* NULL: it was freed */
	struct child child;
	struct loop_io end;
	struct loop_io out;
	int out_fd;
	struct buf text; /* its stdout and stderr, at most 64 KiB */
	/* NULL: nobody waits any more. Called once, after the output was read to its end. */
	void (*fn)(void *arg, const struct child_status *status, const char *text);
	void *arg;
	struct loop_defer gone;
	struct child_status status;
};

/* One bundle as carrel-image wrote it, good for every sandbox of that image, tier and user. */
struct launch_template {
	struct launch_template *next;
	char *image, *tier, *user;
	struct stat index, tiers; /* the files it was made from, as they were then */
	struct json_doc *config, *rootfs;
};

struct launch_start;
struct shim_call;
struct shim_watch;
struct launch_collect;

struct launch {
	struct loop *loop;
	struct launch_config config; /* strings owned */
	int sandboxes_fd, uids_fd, templates_fd;
	char *sandboxes, *uids, *runtime_root; /* absolute paths */
	struct launch_template *templates;
	struct launch_child *children;
	struct launch_start *starts;
	struct shim_call *calls;
	struct launch_collect *collects;
	int64_t next_call;
	uint32_t next_slot;
};

/* launch_child.c */
/* Starts a program; captured: its stdout and stderr go to `text`, else /dev/null. keep_fd (or -1) becomes 3. */
struct launch_child *
launch_child_start(struct launch *l, const char *path, char *const *argv, bool captured,
		   int keep_fd, void (*fn)(void *, const struct child_status *, const char *),
		   void *arg, struct err *e);
void launch_child_forget(struct launch_child *c); /* accepts NULL; it is still reaped */
void launch_children_end(
	struct launch *l); /* forgets all and frees the records; nothing is killed */

/* launch_slot.c */
/* Takes a free slot for `id`: *slot and its file's name. ENOSPC when there is none. */
int launch_slot_take(struct launch *l, const char *id, uint32_t *slot, struct err *e);
void launch_slot_release(struct launch *l, uint32_t slot);
/* Removes every slot file whose sandbox has no directory. */
int launch_slots_sweep(struct launch *l, struct err *e);
/* Removes the slot that holds `id`, if there is one. */
void launch_slot_release_id(struct launch *l, const char *id);

/* launch_template.c */
/* The template when it is known and still true, else NULL. */
const struct launch_template *launch_template_find(struct launch *l,
						   const struct launch_spec *s);
/* Runs carrel-image; fn gets the template or an error. */
struct template_call;
typedef void (*launch_template_fn)(void *arg, const struct launch_template *t,
				   const struct err *err);
struct template_call *launch_template_make(struct launch *l, const struct launch_spec *s,
					   launch_template_fn fn, void *arg, struct err *e);
void launch_template_forget(struct template_call *c); /* accepts NULL */
void launch_templates_free(struct launch *l);
/* config.json and sandbox.json of one sandbox into its directory. */
int launch_template_write(struct launch *l, const struct launch_template *t,
			  const struct launch_spec *s, uint32_t slot, int dir_fd,
			  struct err *e);

/* launch_start.c */
void launch_starts_end(struct launch *l);

/* shim_call.c */
void shim_calls_end(struct launch *l);

/* launch_collect.c */
void launch_collects_end(struct launch *l);

#endif
