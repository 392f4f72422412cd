/*
 * A sha256 digest: how content is named, and the running hash that finds a name.
 */
#ifndef CARREL_IMAGES_DIGEST_H
#define CARREL_IMAGES_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

struct err;

enum { DIGEST_HEX = 64 };

struct digest {
	char hex[DIGEST_HEX + 1]; /* lower case; "" = none */
};

/* "sha256:HEX", for printing and for JSON. */
struct digest_text {
	char s[DIGEST_HEX + 8];
};
struct digest_text digest_text(const struct digest *d);

/* Only "sha256:" and 64 lower-case hex digits; anything else is an error that names `what`. */
int digest_parse(const char *s, const char *what, struct digest *out, struct err *e);
/* 64 lower-case hex digits and nothing else. */
bool digest_is_hex(const char *s);
bool digest_equal(const struct digest *a, const struct digest *b);

struct hash;
#define auto_hash auto_cleanup(hash_free_ptr)

int hash_new(struct hash **out, struct err *e);
void hash_free_ptr(struct hash **h);
int hash_update(struct hash *h, const void *p, size_t n, struct err *e);
/* Ends it; only hash_free_ptr may follow. */
int hash_final(struct hash *h, struct digest *out, struct err *e);

/* The digest of n bytes in memory. */
int digest_of(const void *p, size_t n, struct digest *out, struct err *e);

#endif
