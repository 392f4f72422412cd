#include "sessiond/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

enum {
	SCHEMA_VERSION = 4,
	STATEMENTS_MAX = 64,
	BUSY_MS =
		2000, /* `key add` beside a running daemon holds the lock for less than that */
};

struct statement {
	const char *sql; /* by address */
	sqlite3_stmt *st;
};

struct db {
	sqlite3 *sq;
	struct statement statements[STATEMENTS_MAX];
	size_t n_statements;
};

/* seq is the order of creation: pages of a list go by it. */
static const char schema[] =
	"CREATE TABLE keys("
	" id TEXT PRIMARY KEY, hash BLOB NOT NULL, user TEXT NOT NULL, tier TEXT NOT NULL,"
	" admin INTEGER NOT NULL, first_use INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
	" used_ms INTEGER, expires_ms INTEGER);"
	"CREATE TABLE sessions("
	" id TEXT PRIMARY KEY, hash BLOB NOT NULL,"
	" key_id TEXT NOT NULL REFERENCES keys(id) ON DELETE CASCADE, expires_ms INTEGER NOT NULL);"
	"CREATE TABLE sandboxes("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL,"
	" tier TEXT NOT NULL, state TEXT NOT NULL, image TEXT NOT NULL, command TEXT NOT NULL,"
	" labels TEXT NOT NULL, idle_ms INTEGER NOT NULL, lifetime_ms INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL, ended_ms INTEGER, reason TEXT, exit TEXT);"
	"CREATE INDEX sandboxes_by_user ON sandboxes(user, state);"
	"CREATE INDEX sandboxes_by_end ON sandboxes(ended_ms) WHERE ended_ms IS NOT NULL;"
	"CREATE TABLE creations(id TEXT PRIMARY KEY, user TEXT NOT NULL, at_ms INTEGER NOT NULL);"
	"CREATE INDEX creations_by_user ON creations(user, at_ms);";

/* A user's names are unique but for those of volumes that are being removed. */
static const char volumes[] =
	"CREATE TABLE volumes("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL,"
	" name TEXT NOT NULL, created_ms INTEGER NOT NULL, condemned INTEGER NOT NULL DEFAULT 0);"
	"CREATE UNIQUE INDEX volumes_by_name ON volumes(user, name) WHERE condemned = 0;"
	"ALTER TABLE sandboxes ADD COLUMN workspace TEXT;"
	"ALTER TABLE sandboxes ADD COLUMN volume TEXT;"
	"CREATE INDEX sandboxes_by_volume ON sandboxes(volume) WHERE volume IS NOT NULL;";

static int fail(struct db *db, struct err *e, const char *what)
{
	int code = sqlite3_extended_errcode(db->sq);

	return err_set(e, (code & 0xff) == SQLITE_BUSY ? EBUSY : EIO, "database: %s: %s", what,
		       sqlite3_errmsg(db->sq));
}

static int script(struct db *db, const char *sql, const char *what, struct err *e)
{
	if (sqlite3_exec(db->sq, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail(db, e, what);
	return 0;
}

static int read_version(struct db *db, int64_t *out, struct err *e)
{
	auto_rows struct db_rows rows = { 0 };

	if (db_query(db, &rows, e, "PRAGMA user_version", "") < 0)
		return -1;
	*out = db_int(&rows, 0);
	return 0;
}

/* From each version to the next; a new file takes all steps. */
static const char *const steps[SCHEMA_VERSION] = {
	schema,
	"ALTER TABLE sandboxes ADD COLUMN network TEXT NOT NULL DEFAULT 'none'",
	volumes,
	"ALTER TABLE sandboxes ADD COLUMN policy TEXT",
};

static int take_steps(struct db *db, int64_t from, struct err *e)
{
	auto_free char *set = xasprintf("PRAGMA user_version = %d", SCHEMA_VERSION);

	for (int64_t i = from; i < SCHEMA_VERSION; i++) {
		if (script(db, steps[i], "make the tables", e) < 0)
			return -1;
	}
	return from < SCHEMA_VERSION ? script(db, set, "set the version", e) : 0;
}

static int upgrade_schema(struct db *db, struct err *e)
{
	int64_t version;

	if (read_version(db, &version, e) < 0)
		return -1;
	if (version == SCHEMA_VERSION)
		return 0;
	if (version < 0 || version > SCHEMA_VERSION)
		return err_set(e, ENOTSUP,
			       "database: its schema is version %lld, this program knows %d",
			       (long long) version, SCHEMA_VERSION);
	/* Read again under the write lock: two programs may find a new or older file at the same time. */
	if (db_begin(db, e) < 0)
		return -1;
	if (read_version(db, &version, e) < 0 || take_steps(db, version, e) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, e);
}

/* SQLite gives its -wal and -shm files the mode of the database, so this one open decides. */
static int make_file(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || fchmod(fd, 0600) < 0)
		return err_sys(e, "database %s", path);
	return 0;
}

int db_open(const char *dir, const char *name, struct db **out, struct err *e)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	struct db *db;

	if (make_file(path, e) < 0)
		return -1;
	db = xalloc(sizeof(*db));
	if (sqlite3_open_v2(path, &db->sq, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		(void) fail(db, e, "open");
		goto failed;
	}
	(void) sqlite3_busy_timeout(db->sq, BUSY_MS);
	/* NORMAL: a power cut may lose the last commits, never the file. What a lost row described
	 * is gone after a power cut as well. */
	if (script(db,
		   "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		   "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
		   "settings", e) < 0 ||
	    upgrade_schema(db, e) < 0)
		goto failed;
	*out = db;
	return 0;
failed:
	err_wrap(e, "%s", path);
	db_close(db);
	return -1;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->n_statements; i++)
		(void) sqlite3_finalize(db->statements[i].st);
	(void) sqlite3_close(db->sq);
	free(db);
}

int db_begin(struct db *db, struct err *e)
{
	return db_exec(db, e, "BEGIN IMMEDIATE", "") < 0 ? -1 : 0;
}

int db_commit(struct db *db, struct err *e)
{
	if (db_exec(db, e, "COMMIT", "") >= 0)
		return 0;
	db_rollback(db);
	return -1;
}

void db_rollback(struct db *db)
{
	struct err ignored = ERR_NONE;

	if (!sqlite3_get_autocommit(db->sq))
		(void) db_exec(db, &ignored, "ROLLBACK", "");
}

static sqlite3_stmt *statement(struct db *db, const char *sql, struct err *e)
{
	struct statement *s = db->statements;

	for (size_t i = 0; i < db->n_statements; i++, s++) {
		if (s->sql == sql)
			return s->st;
	}
	if (db->n_statements == STATEMENTS_MAX) {
		err_set(e, EOVERFLOW, "database: more than %d statements", STATEMENTS_MAX);
		return NULL;
	}
	if (sqlite3_prepare_v3(db->sq, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st, NULL) !=
	    SQLITE_OK) {
		(void) fail(db, e, sql);
		return NULL;
	}
	s->sql = sql;
	db->n_statements++;
	return s->st;
}

static int bind_one(sqlite3_stmt *st, int at, char type, va_list *ap)
{
	const void *p;

	if (type == 'i')
		return sqlite3_bind_int64(st, at, va_arg(*ap, int64_t));
	p = va_arg(*ap, const void *);
	if (type == 't')
		return sqlite3_bind_text(st, at, p, -1, SQLITE_TRANSIENT);
	return sqlite3_bind_blob64(st, at, p, va_arg(*ap, size_t), SQLITE_TRANSIENT);
}

static int start(struct db *db, struct db_rows *rows, struct err *e, const char *sql,
		 const char *types, va_list *ap)
{
	sqlite3_stmt *st = statement(db, sql, e);

	if (!st)
		return -1;
	for (int i = 0; types[i]; i++) {
		if (bind_one(st, i + 1, types[i], ap) != SQLITE_OK)
			return fail(db, e, sql);
	}
	*rows = (struct db_rows){ .st = st, .db = db };
	return db_next(rows, e);
}

int db_query(struct db *db, struct db_rows *rows, struct err *e, const char *sql,
	     const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = start(db, rows, e, sql, types, &ap);
	va_end(ap);
	return r;
}

int db_next(struct db_rows *rows, struct err *e)
{
	int r = sqlite3_step(rows->st);

	if (r == SQLITE_ROW)
		return 1;
	if (r != SQLITE_DONE)
		(void) fail(rows->db, e, sqlite3_sql(rows->st));
	db_rows_done(rows);
	return r == SQLITE_DONE ? 0 : -1;
}

void db_rows_done(struct db_rows *rows)
{
	if (!rows->st)
		return;
	(void) sqlite3_reset(rows->st);
	(void) sqlite3_clear_bindings(rows->st);
	rows->st = NULL;
}

const char *db_text(const struct db_rows *rows, int column)
{
	const unsigned char *s = sqlite3_column_text(rows->st, column);

	return s ? (const char *) s : "";
}

int64_t db_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_int64(rows->st, column);
}

const void *db_blob(const struct db_rows *rows, int column, size_t *n)
{
	const void *p = sqlite3_column_blob(rows->st, column);

	*n = (size_t) sqlite3_column_bytes(rows->st, column);
	return p;
}

bool db_is_null(const struct db_rows *rows, int column)
{
	return sqlite3_column_type(rows->st, column) == SQLITE_NULL;
}

int db_exec(struct db *db, struct err *e, const char *sql, const char *types, ...)
{
	auto_rows struct db_rows rows = { 0 };
	va_list ap;
	int r;

	va_start(ap, types);
	r = start(db, &rows, e, sql, types, &ap);
	va_end(ap);
	return r < 0 ? -1 : sqlite3_changes(db->sq);
}
