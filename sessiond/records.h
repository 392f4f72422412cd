/*
 * Sandboxes as rows: reserved before they start, running, ended with a reason, forgotten.
 *
 * A reservation is one transaction that counts and inserts, so N parallel creations cannot exceed a
 * limit, also when several programs share the file.
 */
#ifndef CARREL_SESSIOND_RECORDS_H
#define CARREL_SESSIOND_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sessiond/identity.h"
#include "sessiond/volumes.h"

struct db;
struct err;
struct launch_exit;

enum record_state { RECORD_STARTING, RECORD_RUNNING, RECORD_ENDED };
const char *record_state_name(enum record_state s);

struct record {
	int64_t seq;
	char id[65];
	char user[USER_MAX + 1];
	char tier[32];
	char network[16]; /* net_mode_name: what the sandbox was started with */
	enum record_state state;
	char image[256];
	char workspace[65];		/* its volume's name for the user; "": a tmpfs */
	char volume[VOLUME_ID_LEN + 1]; /* its volume's id */
	char policy[64];		/* that it was started under; "": none */
	char *command, *labels;		/* JSON: array or null, object */
	uint64_t idle_ms, lifetime_ms;
	uint64_t created_ms, ended_ms; /* ended_ms 0: has not */
	char reason[16];	       /* "" while it lives */
	char *exit;		       /* JSON; NULL while it lives */
};
#define auto_record auto_cleanup(record_fini)
void record_fini(struct record *r);

enum { RECORD_HOUR_MS = 3600 * 1000 };

/* What stands in the way of another sandbox. */
enum quota_result {
	QUOTA_OK,
	QUOTA_SANDBOXES,
	QUOTA_CREATIONS,
	QUOTA_VOLUMES,	   /* it would be one volume too many */
	QUOTA_VOLUME_BUSY, /* another sandbox uses the volume */
};
struct quota_use {
	uint32_t sandboxes, creations; /* live now; made in the last hour */
	uint32_t volumes;	       /* with QUOTA_VOLUMES */
	char sandbox[65];	       /* with QUOTA_VOLUME_BUSY: which */
	uint64_t retry_ms;	       /* until the oldest of the hour's creations leaves it */
};

int quota_read(struct db *db, const char *user, uint64_t now_ms, struct quota_use *out,
	       struct err *e);
/* Counts and inserts `r` (state STARTING; seq is ignored). With r->workspace the volume of that name is reserved when there is none,
 * and r->volume set. A quota_result or -1. */
int quota_reserve(struct db *db, struct record *r, const struct tier *tier,
		  struct quota_use *use, struct err *e);
/* A start that failed: the row goes and the creation is not counted. */
int quota_release(struct db *db, const char *id, struct err *e);

int record_running(struct db *db, const char *id, struct err *e);
/* Its time from its creation becomes so long; 0 rows when it has ended meanwhile. */
int record_extend(struct db *db, const char *id, uint64_t lifetime_ms, struct err *e);
/* 1: it was live and is ended now; 0: no such row, or ended before. */
int record_ended(struct db *db, const char *id, const struct launch_exit *exit, uint64_t now_ms,
		 struct err *e);
/* 1: found; 0: not. */
int record_find(struct db *db, const char *id, struct record *out, struct err *e);
int record_remove(struct db *db, const char *id, struct err *e);

/* Those of `user` (NULL: everybody's) behind `after` (NULL from the first), oldest first, at most limit. The
 * array is the caller's: record_fini each, then free. ENOENT: `after` is none of these. */
int record_list(struct db *db, const char *user, const char *after, size_t limit,
		struct record **out, size_t *n, struct err *e);
/* Every id that is not ended, for recovery. The callback may not use the database. */
int record_each_live(struct db *db, void (*fn)(void *arg, const char *id), void *arg,
		     struct err *e);
/* Whether one that has not ended is under a policy: 1, 0, -1. */
int records_have_policy(struct db *db, struct err *e);
/* Forgets what ended before `before_ms`, and creations that no hour counts any more. */
int records_prune(struct db *db, uint64_t before_ms, uint64_t now_ms, struct err *e);

#endif
