#include "sessiond/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/db.h"
#include "sessiond/launch.h"
#include "sessiond/tiers.h"

static const char *const states[] = {
	[RECORD_STARTING] = "starting",
	[RECORD_RUNNING] = "running",
	[RECORD_ENDED] = "ended",
};

#define COLUMNS                                                                                 \
	"seq, id, user, tier, state, image, command, labels, idle_ms, lifetime_ms, created_ms," \
	" ended_ms, reason, exit, network, workspace, volume, policy"

const char *record_state_name(enum record_state s)
{
	return states[s];
}

void record_fini(struct record *r)
{
	free(r->command);
	free(r->labels);
	free(r->exit);
	*r = (struct record){ 0 };
}

/* ---- quota ---- */

int quota_read(struct db *db, const char *user, uint64_t now_ms, struct quota_use *out,
	       struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	uint64_t hour_ago = now_ms - RECORD_HOUR_MS;
	int64_t oldest;

	if (db_query(db, &rows, e,
		     "SELECT (SELECT count(*) FROM sandboxes WHERE user = ?1 AND state IN"
		     " ('starting', 'running')), count(*), min(at_ms) FROM creations"
		     " WHERE user = ?1 AND at_ms > ?2",
		     "ti", user, (int64_t) hour_ago) < 0)
		return -1;
	oldest = db_int(&rows, 2);
	*out = (struct quota_use){
		.sandboxes = (uint32_t) db_int(&rows, 0),
		.creations = (uint32_t) db_int(&rows, 1),
		.retry_ms = oldest > (int64_t) hour_ago ? (uint64_t) oldest - hour_ago : 0,
	};
	return 0;
}

static int insert(struct db *db, const struct record *r, struct err *e)
{
	if (db_exec(db, e,
		    "INSERT INTO sandboxes(id, user, tier, state, image, command, labels, idle_ms,"
		    " lifetime_ms, created_ms, network, workspace, volume, policy)"
		    " VALUES(?, ?, ?, 'starting', ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), nullif(?, ''),"
		    " nullif(?, ''))",
		    "ttttttiiitttt", r->id, r->user, r->tier, r->image, r->command, r->labels,
		    (int64_t) r->idle_ms, (int64_t) r->lifetime_ms, (int64_t) r->created_ms,
		    r->network, r->workspace, r->volume, r->policy) < 0)
		return -1;
	return db_exec(db, e, "INSERT INTO creations(id, user, at_ms) VALUES(?, ?, ?)", "tti",
		       r->id, r->user, (int64_t) r->created_ms);
}

static int reserve_volume(struct db *db, struct record *r, const struct tier *tier,
			  struct quota_use *use, struct err *e)
{
	struct volume_row v = { 0 };
	int got;

	if (!r->workspace[0])
		return QUOTA_OK;
	got = volume_take(db, r->user, r->workspace, tier->workspace.volumes, r->created_ms, &v,
			  &use->volumes, e);
	if (got < 0)
		return -1;
	if (got == 0)
		return QUOTA_VOLUMES;
	if (v.sandbox[0]) {
		memcpy(use->sandbox, v.sandbox, sizeof(use->sandbox));
		return QUOTA_VOLUME_BUSY;
	}
	memcpy(r->volume, v.id, sizeof(r->volume));
	return QUOTA_OK;
}

static int reserve(struct db *db, struct record *r, const struct tier *tier,
		   struct quota_use *use, struct err *e)
{
	int v;

	if (quota_read(db, r->user, r->created_ms, use, e) < 0)
		return -1;
	if (use->sandboxes >= tier->sandboxes)
		return QUOTA_SANDBOXES;
	if (use->creations >= tier->creations_per_hour)
		return QUOTA_CREATIONS;
	v = reserve_volume(db, r, tier, use, e);
	if (v != QUOTA_OK)
		return v;
	return insert(db, r, e) < 0 ? -1 : QUOTA_OK;
}

int quota_reserve(struct db *db, struct record *r, const struct tier *tier,
		  struct quota_use *use, struct err *e)
{
	int result;

	if (db_begin(db, e) < 0)
		return -1;
	result = reserve(db, r, tier, use, e);
	if (result == QUOTA_OK)
		return db_commit(db, e) < 0 ? -1 : QUOTA_OK;
	db_rollback(db);
	return result;
}

int quota_release(struct db *db, const char *id, struct err *e)
{
	if (db_begin(db, e) < 0)
		return -1;
	if (db_exec(db, e, "DELETE FROM sandboxes WHERE id = ?", "t", id) < 0 ||
	    db_exec(db, e, "DELETE FROM creations WHERE id = ?", "t", id) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, e);
}

/* ---- one row ---- */

int record_running(struct db *db, const char *id, struct err *e)
{
	return db_exec(
		db, e,
		"UPDATE sandboxes SET state = 'running' WHERE id = ? AND state = 'starting'",
		"t", id);
}

int record_extend(struct db *db, const char *id, uint64_t lifetime_ms, struct err *e)
{
	return db_exec(db, e,
		       "UPDATE sandboxes SET lifetime_ms = ? WHERE id = ? AND state <> 'ended'",
		       "it", (int64_t) lifetime_ms, id);
}

static int exit_json(const struct launch_exit *x, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "reason", launch_reason_name(x->reason));
	jw_int(w, "code", x->code);
	jw_int(w, "signal", x->signal);
	jw_uint(w, "oom_kills", x->oom_kills);
	if (x->oom_kills > 0) {
		jw_object(w, "oom");
		jw_uint(w, "kills", x->oom_kills);
		jw_uint(w, "limit", x->oom_limit);
		jw_bool(w, "own_limit", x->oom_own_limit);
		jw_close(w);
	}
	if (x->error[0])
		jw_str(w, "error", x->error);
	jw_object(w, "usage");
	jw_uint(w, "cpu_ns", x->cpu_ns);
	jw_uint(w, "memory_peak", x->memory_peak);
	jw_uint(w, "io_read_bytes", x->io_read_bytes);
	jw_uint(w, "io_write_bytes", x->io_write_bytes);
	jw_uint(w, "output_bytes", x->output_bytes);
	jw_uint(w, "input_bytes", x->input_bytes);
	jw_close(w);
	jw_close(w);
	return json_writer_end(w, e);
}

int record_ended(struct db *db, const char *id, const struct launch_exit *exit, uint64_t now_ms,
		 struct err *e)
{
	auto_buf struct buf json = BUF_LIMIT(8192);

	if (exit_json(exit, &json, e) < 0)
		return -1;
	return db_exec(
		db, e,
		"UPDATE sandboxes SET state = 'ended', ended_ms = ?, reason = ?, exit = ?"
		" WHERE id = ? AND state <> 'ended'",
		"ittt", (int64_t) now_ms, launch_reason_name(exit->reason), buf_str(&json), id);
}

static void copy(char *dst, size_t n, const char *src)
{
	struct err ignored = ERR_NONE;

	/* Columns were checked when they were written. */
	if (str_copy(dst, n, src, "column", &ignored) < 0)
		dst[0] = 0;
}

static void fill(const struct db_rows *rows, struct record *out)
{
	*out = (struct record){
		.seq = db_int(rows, 0),
		.state = RECORD_ENDED,
		.command = xstrdup(db_text(rows, 6)),
		.labels = xstrdup(db_text(rows, 7)),
		.idle_ms = (uint64_t) db_int(rows, 8),
		.lifetime_ms = (uint64_t) db_int(rows, 9),
		.created_ms = (uint64_t) db_int(rows, 10),
		.ended_ms = (uint64_t) db_int(rows, 11),
		.exit = db_is_null(rows, 13) ? NULL : xstrdup(db_text(rows, 13)),
	};
	copy(out->id, sizeof(out->id), db_text(rows, 1));
	copy(out->user, sizeof(out->user), db_text(rows, 2));
	copy(out->tier, sizeof(out->tier), db_text(rows, 3));
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (strcmp(db_text(rows, 4), states[i]) == 0)
			out->state = (enum record_state) i;
	}
	copy(out->image, sizeof(out->image), db_text(rows, 5));
	copy(out->reason, sizeof(out->reason), db_text(rows, 12));
	copy(out->network, sizeof(out->network), db_text(rows, 14));
	copy(out->workspace, sizeof(out->workspace), db_text(rows, 15));
	copy(out->volume, sizeof(out->volume), db_text(rows, 16));
	copy(out->policy, sizeof(out->policy), db_text(rows, 17));
}

int record_find(struct db *db, const char *id, struct record *out, struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(db, &rows, e, "SELECT " COLUMNS " FROM sandboxes WHERE id = ?", "t",
			 id);

	if (r > 0)
		fill(&rows, out);
	return r;
}

int record_remove(struct db *db, const char *id, struct err *e)
{
	return db_exec(db, e, "DELETE FROM sandboxes WHERE id = ?", "t", id);
}

/* ---- many ---- */

/* Its place in the order of creation. */
static int find_seq(struct db *db, const char *user, const char *id, int64_t *out,
		    struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(
		db, &rows, e,
		"SELECT seq FROM sandboxes WHERE id = ?1 AND (?2 IS NULL OR user = ?2)", "tt",
		id, user);

	if (r == 0)
		return err_set(e, ENOENT, "after: there is no such sandbox");
	if (r > 0)
		*out = db_int(&rows, 0);
	return r;
}

int record_list(struct db *db, const char *user, const char *after, size_t limit,
		struct record **out, size_t *n, struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int64_t seq = 0;
	struct record *v;
	size_t got = 0;
	int r;

	if (after && find_seq(db, user, after, &seq, e) < 0)
		return -1;
	v = xalloc(limit * sizeof(*v) + 1);
	r = db_query(db, &rows, e,
		     "SELECT " COLUMNS " FROM sandboxes WHERE (?1 IS NULL OR user = ?1)"
		     " AND seq > ?2 ORDER BY seq LIMIT ?3",
		     "tii", user, seq, (int64_t) limit);
	for (; r > 0 && got < limit; r = db_next(&rows, e))
		fill(&rows, &v[got++]);
	if (r < 0) {
		for (size_t i = 0; i < got; i++)
			record_fini(&v[i]);
		free(v);
		return -1;
	}
	*out = v;
	*n = got;
	return 0;
}

int record_each_live(struct db *db, void (*fn)(void *arg, const char *id), void *arg,
		     struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(db, &rows, e, "SELECT id FROM sandboxes WHERE state <> 'ended'", "");

	for (; r > 0; r = db_next(&rows, e))
		fn(arg, db_text(&rows, 0));
	return r;
}

int records_have_policy(struct db *db, struct err *e)
{
	auto_rows struct db_rows rows = { 0 };

	return db_query(
		db, &rows, e,
		"SELECT 1 FROM sandboxes WHERE policy IS NOT NULL AND state <> 'ended' LIMIT 1",
		"");
}

int records_prune(struct db *db, uint64_t before_ms, uint64_t now_ms, struct err *e)
{
	if (db_exec(db, e, "DELETE FROM sandboxes WHERE ended_ms IS NOT NULL AND ended_ms < ?",
		    "i", (int64_t) before_ms) < 0)
		return -1;
	return db_exec(db, e, "DELETE FROM creations WHERE at_ms <= ?", "i",
		       (int64_t) (now_ms - RECORD_HOUR_MS));
}
