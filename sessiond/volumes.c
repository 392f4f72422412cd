#include "sessiond/volumes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "sessiond/db.h"

#define COLUMNS                                                                                \
	"seq, id, user, name, created_ms,"                                                     \
	" (SELECT s.id FROM sandboxes s WHERE s.volume = volumes.id AND s.state <> 'ended')"

static void copy(char *dst, size_t n, const char *src)
{
	struct err ignored = ERR_NONE;

	/* Columns were checked when they were written. */
	if (str_copy(dst, n, src, "column", &ignored) < 0)
		dst[0] = 0;
}

static void fill(const struct db_rows *rows, struct volume_row *out)
{
	*out = (struct volume_row){ .created_ms = (uint64_t) db_int(rows, 4) };
	copy(out->id, sizeof(out->id), db_text(rows, 1));
	copy(out->user, sizeof(out->user), db_text(rows, 2));
	copy(out->name, sizeof(out->name), db_text(rows, 3));
	copy(out->sandbox, sizeof(out->sandbox), db_text(rows, 5));
}

int volume_count(struct db *db, const char *user, uint32_t *out, struct err *e)
{
	auto_rows struct db_rows rows = { 0 };

	if (db_query(db, &rows, e,
		     "SELECT count(*) FROM volumes WHERE user = ? AND condemned = 0", "t",
		     user) < 0)
		return -1;
	*out = (uint32_t) db_int(&rows, 0);
	return 0;
}

static int find_named(struct db *db, const char *user, const char *name, struct volume_row *out,
		      struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(db, &rows, e,
			 "SELECT " COLUMNS
			 " FROM volumes WHERE user = ? AND name = ? AND condemned = 0",
			 "tt", user, name);

	if (r > 0)
		fill(&rows, out);
	return r;
}

static int find_id(struct db *db, const char *user, const char *id, struct volume_row *out,
		   struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(db, &rows, e,
			 "SELECT " COLUMNS
			 " FROM volumes WHERE id = ?1 AND (?2 IS NULL OR user = ?2)"
			 " AND condemned = 0",
			 "tt", id, user);

	if (r > 0)
		fill(&rows, out);
	return r;
}

int volume_find(struct db *db, const char *user, const char *name, struct volume_row *out,
		struct err *e)
{
	int r = user ? find_named(db, user, name, out, e) : 0;

	return r != 0 ? r : find_id(db, user, name, out, e);
}

int volume_take(struct db *db, const char *user, const char *name, uint32_t max,
		uint64_t now_ms, struct volume_row *out, uint32_t *count, struct err *e)
{
	struct volume_row fresh = { .created_ms = now_ms };
	int r = find_named(db, user, name, out, e);

	if (r != 0)
		return r;
	if (volume_count(db, user, count, e) < 0)
		return -1;
	if (*count >= max)
		return 0;
	random_id(fresh.id);
	copy(fresh.user, sizeof(fresh.user), user);
	copy(fresh.name, sizeof(fresh.name), name);
	if (db_exec(db, e, "INSERT INTO volumes(id, user, name, created_ms) VALUES(?, ?, ?, ?)",
		    "ttti", fresh.id, user, name, (int64_t) now_ms) < 0)
		return -1;
	*out = fresh;
	return 1;
}

/* Its place in the order of creation. */
static int find_seq(struct db *db, const char *user, const char *id, int64_t *out,
		    struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(db, &rows, e,
			 "SELECT seq FROM volumes WHERE id = ?1 AND (?2 IS NULL OR user = ?2)",
			 "tt", id, user);

	if (r == 0)
		return err_set(e, ENOENT, "after: there is no such volume");
	if (r > 0)
		*out = db_int(&rows, 0);
	return r;
}

int volume_list(struct db *db, const char *user, const char *after, size_t limit,
		struct volume_row **out, size_t *n, struct err *e)
{
	auto_free struct volume_row *v = xalloc(limit * sizeof(*v) + 1);
	auto_rows struct db_rows rows = { 0 };
	int64_t seq = 0;
	size_t got = 0;
	int r;

	if (after && find_seq(db, user, after, &seq, e) < 0)
		return -1;
	r = db_query(db, &rows, e,
		     "SELECT " COLUMNS
		     " FROM volumes WHERE (?1 IS NULL OR user = ?1) AND condemned = 0"
		     " AND seq > ?2 ORDER BY seq LIMIT ?3",
		     "tii", user, seq, (int64_t) limit);
	for (; r > 0 && got < limit; r = db_next(&rows, e))
		fill(&rows, &v[got++]);
	if (r < 0)
		return -1;
	*out = take_ptr(&v);
	*n = got;
	return 0;
}

int volume_condemn(struct db *db, const char *id, struct err *e)
{
	return db_exec(
		db, e,
		"UPDATE volumes SET condemned = 1 WHERE id = ?1 AND condemned = 0 AND NOT EXISTS"
		" (SELECT 1 FROM sandboxes WHERE volume = ?1 AND state <> 'ended')",
		"t", id);
}

int volume_pardon(struct db *db, const char *id, struct err *e)
{
	return db_exec(db, e, "UPDATE volumes SET condemned = 0 WHERE id = ?", "t", id) < 0 ? -1
											    : 0;
}

int volume_forget(struct db *db, const char *id, struct err *e)
{
	return db_exec(db, e, "DELETE FROM volumes WHERE id = ?", "t", id) < 0 ? -1 : 0;
}

int volume_condemned(struct db *db, char (*v)[VOLUME_ID_LEN + 1], size_t max, size_t *n,
		     struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(db, &rows, e, "SELECT id FROM volumes WHERE condemned = 1", "");

	for (*n = 0; r > 0 && *n < max; r = db_next(&rows, e))
		copy(v[(*n)++], sizeof(v[0]), db_text(&rows, 0));
	return r < 0 ? -1 : 0;
}
