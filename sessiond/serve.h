/*
 * The running daemon: its parts put together, started in order, and stopped in order.
 */
#ifndef CARREL_SESSIOND_SERVE_H
#define CARREL_SESSIOND_SERVE_H

struct config;
struct db;
struct err;
struct tiers;

/* Makes state_dir (0700) and opens the database; for `serve` and `key`. */
int serve_open_db(const struct config *c, struct db **out, struct err *e);

/* Called once, when requests are answered: addresses are "http://127.0.0.1:7681" or "unix:/path",
 * key is a first-use key or NULL. */
typedef void (*serve_ready_fn)(const char *const *addresses, const char *key);

/* Runs until SIGTERM or SIGINT. */
int serve_run(const struct config *c, serve_ready_fn ready, struct err *e);

#endif
