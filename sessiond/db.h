/*
 * The daemon's SQLite file: one connection, write-ahead log, a schema with a version, statements
 * prepared once.
 *
 * The only file that knows how a statement is stepped; which tables there are is in db.c, what is done
 * with them in keys, quota and records. One process serves a file, but `key add` may run beside it:
 * every change is one statement or stands between db_begin and db_commit.
 */
#ifndef CARREL_SESSIOND_DB_H
#define CARREL_SESSIOND_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct db;
struct err;
struct sqlite3_stmt;

/* dirfd/name is made with mode 0600 when it is not there. A file of a newer schema is refused. */
int db_open(const char *dir, const char *name, struct db **out, struct err *e);
void db_close(struct db *db); /* accepts NULL */

/* BEGIN IMMEDIATE: the write lock is taken at once, so what is read after it cannot change before
 * db_commit. db_rollback is for error paths and without effect outside of a transaction. */
int db_begin(struct db *db, struct err *e);
int db_commit(struct db *db, struct err *e);
void db_rollback(struct db *db);

struct db_rows {
	struct sqlite3_stmt *st; /* NULL: none open */
	struct db *db;
};
#define auto_rows auto_cleanup(db_rows_done)

/*
 * Binds and makes the first step. sql is a string literal: its address is the key under which the
 * prepared statement is kept. `types` has a letter for each "?": t text (NULL is null), i int64_t,
 * b blob (const void *, size_t).
 * 1: a row is there, read it with db_text and friends; 0: none; -1.
 */
int db_query(struct db *db, struct db_rows *rows, struct err *e, const char *sql,
	     const char *types, ...);
int db_next(struct db_rows *rows, struct err *e); /* 1, 0, -1 */
void db_rows_done(struct db_rows *rows);

const char *db_text(const struct db_rows *rows,
		    int column); /* "" for null; until the next step */
int64_t db_int(const struct db_rows *rows, int column);
const void *db_blob(const struct db_rows *rows, int column, size_t *n);
bool db_is_null(const struct db_rows *rows, int column);

/* A statement without rows. Returns how many rows it changed. */
int db_exec(struct db *db, struct err *e, const char *sql, const char *types, ...);

#endif
