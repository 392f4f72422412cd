/*
 * Recordings of terminals: STATE/recordings/ID.cast, written by the sandbox's shim (asciicast v3), kept as long as the
 * sandbox's row.
 */
#ifndef CARREL_SESSIOND_RECORDINGS_H
#define CARREL_SESSIOND_RECORDINGS_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct db;
struct err;

/* malloc'ed. */
char *recordings_dir(const struct config *c);
/* For reading, with its present size; -1 with ENOENT when there is none. `id` is a valid one. */
int recordings_open(const struct config *c, const char *id, uint64_t *size, struct err *e);
bool recordings_has(const struct config *c, const char *id);
/* Nothing to remove is no error. */
int recordings_remove(const struct config *c, const char *id, struct err *e);
/* Removes those whose row is gone. */
int recordings_prune(const struct config *c, struct db *db, struct err *e);

#endif
