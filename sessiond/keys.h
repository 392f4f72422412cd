/*
 * API keys and browser sessions, in the database as hashes only.
 *
 * A key reads "crl_" ID "_" SECRET: 12 characters to find its row by and 43 of secret (256 random
 * bits), of which the row has the SHA-256. A session's token has the same form with "crs_". The secret
 * is compared in constant time; the ID is no secret and may be logged.
 */
#ifndef CARREL_SESSIOND_KEYS_H
#define CARREL_SESSIOND_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "sessiond/identity.h"

struct db;
struct err;

enum {
	SECRET_LEN = 43,
	KEY_LEN = 4 + KEY_ID_LEN + 1 + SECRET_LEN,
};

struct key_spec {
	const char *user, *tier;
	bool admin;
	bool first_use;	     /* good for one POST /v1/session, nothing else */
	uint64_t expires_ms; /* since 1970; 0: never */
};

struct key_row {
	char id[KEY_ID_LEN + 1];
	char user[USER_MAX + 1];
	char tier[32];
	bool admin, first_use;
	int64_t created_ms, used_ms, expires_ms; /* 0: never */
};

/* [a-zA-Z0-9][a-zA-Z0-9_.@-]{0,63} */
int key_check_user(const char *user, struct err *e);

/* out_key: the only time that the whole key is to be had. */
int key_add(struct db *db, const struct key_spec *spec, char out_key[KEY_LEN + 1],
	    char out_id[KEY_ID_LEN + 1], struct err *e);
/* Rows in order of creation; the callback returns false to stop. */
int key_each(struct db *db, bool (*fn)(void *arg, const struct key_row *row), void *arg,
	     struct err *e);
/* With its sessions. 1: removed, 0: there is none. */
int key_remove(struct db *db, const char *id, struct err *e);

/* 1: good, *out filled (tier NULL, via VIA_KEY); 0: not a key, unknown, wrong, expired, or a first-use
 * key; -1. */
int key_find(struct db *db, const char *key, struct identity *out, struct err *e);
/* 1: the key is still there and has not expired: for what was handed out in its name earlier. */
int key_valid(struct db *db, const char *id, struct err *e);

/* A session for the holder of `key`: any good key, or a first-use key, which is spent by it. out_token
 * is the cookie's value. 1: made; 0: no good; -1. */
int session_new(struct db *db, const char *key, uint64_t lifetime_ms,
		char out_token[KEY_LEN + 1], struct identity *out, struct err *e);
int session_find(struct db *db, const char *token, struct identity *out, struct err *e);
int session_remove(struct db *db, const char *token, struct err *e);
/* Forgets what has expired. */
int keys_prune(struct db *db, struct err *e);

#endif
