/*
 * Users' volumes as rows: whose a volume is, how it is called, which sandbox uses it. What it is (size, kind) stands in its
 * own volume.json, base/volume.h.
 *
 *   absent -> reserved with the first sandbox that names it -> made when that starts -> condemned by DELETE -> removed -> absent
 *
 * A row is there before the volume is and goes after it: whatever is killed, every volume of the daemon has an owner who can delete
 * it, and a condemned one is removed at the latest by the next daemon. A volume without a row is never touched: it is an operator's, or
 * of a database that was lost.
 */
#ifndef CARREL_SESSIOND_VOLUMES_H
#define CARREL_SESSIOND_VOLUMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sessiond/identity.h"

struct db;
struct err;

enum { VOLUME_ID_LEN = 26 };

struct volume_row {
	char id[VOLUME_ID_LEN + 1]; /* its name below the directory of volumes; random_id */
	char user[USER_MAX + 1];
	char name[65]; /* unique among the user's */
	uint64_t created_ms;
	char sandbox[65]; /* that uses it; "": none */
};

/* The volume of that name of the user's, which is reserved when there is none. 1: *out is it; 0: there is none and the user has
 * `max` already (*count). Between db_begin and db_commit. */
int volume_take(struct db *db, const char *user, const char *name, uint32_t max,
		uint64_t now_ms, struct volume_row *out, uint32_t *count, struct err *e);
int volume_count(struct db *db, const char *user, uint32_t *out, struct err *e);

/* By the name that it has for `user`, or by its id if it is his or anybody may (user NULL). 1, 0, -1. */
int volume_find(struct db *db, const char *user, const char *name, struct volume_row *out,
		struct err *e);
/* Those of `user` (NULL: everybody's) behind the one with the id `after` (NULL: from the first), oldest first. The array is the
 * caller's to free. ENOENT: `after` is none of these. */
int volume_list(struct db *db, const char *user, const char *after, size_t limit,
		struct volume_row **out, size_t *n, struct err *e);

/* From here on nobody finds it. 1; 0: a sandbox uses it, or it is condemned already. */
int volume_condemn(struct db *db, const char *id, struct err *e);
/* It could not be removed because somebody uses it. */
int volume_pardon(struct db *db, const char *id, struct err *e);
/* Its removal is done. */
int volume_forget(struct db *db, const char *id, struct err *e);
/* Up to `max` of them, for the next daemon: their ids into v. */
int volume_condemned(struct db *db, char (*v)[VOLUME_ID_LEN + 1], size_t max, size_t *n,
		     struct err *e);

#endif
