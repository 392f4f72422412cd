/*
 * The life of sandboxes as the daemon sees it: what is starting, live or ending now, found again after a
 * restart, and written down when it ends.
 *
 * The rows (records.h) are the truth about what a user has; a live sandbox has besides a watch on its
 * shim. States and what moves them:
 *
 *   reserve -> STARTING --ready--> RUNNING --shim gone--> ENDING --collected--> row "ended"
 *                 |                  ^  `--delete: asks the shim to end---^
 *                 `--failed: row removed       `--adopted at start of the daemon
 */
#ifndef CARREL_SESSIOND_SANDBOXES_H
#define CARREL_SESSIOND_SANDBOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct launch_spec;
struct sandboxes;
struct server;

struct sandboxes *sandboxes_new(struct server *server);
void sandboxes_free(struct sandboxes *s); /* accepts NULL; running sandboxes stay */

/* Finds shims that outlived the last daemon, undoes what dead ones left, ends rows without either. */
int sandboxes_recover(struct sandboxes *s, struct err *e);

/* err NULL: done. Called once, from the loop. */
typedef void (*sandbox_fn)(void *arg, const struct err *err);

/* The row is reserved already; when the start fails, the row is released before fn is called. */
int sandbox_start(struct sandboxes *s, const struct launch_spec *spec, sandbox_fn fn, void *arg,
		  struct err *e);

/* Ends it; fn when it is recorded as ended. Also for one that is starting or ending already. ENOENT: it is
 * none of these; EBUSY: too many wait already. */
int sandbox_end(struct sandboxes *s, const char *id, sandbox_fn fn, void *arg, struct err *e);

/* fn must not end any. */
void sandboxes_each(struct sandboxes *s, void (*fn)(void *arg, const char *id), void *arg);
size_t sandboxes_live(const struct sandboxes *s);
/* Asks all to end (an ephemeral daemon that stops). */
void sandboxes_end_all(struct sandboxes *s);
/* Cancels starts: their callbacks come with ECANCELED. */
void sandboxes_cancel_starts(struct sandboxes *s);

#endif
