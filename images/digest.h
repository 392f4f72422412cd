/*
 * A digest, sha256 or sha512: how content is named, and the running hash that finds a name.
 *
 * The number of hex digits tells the algorithm, so hex alone is a name without a second meaning.
 */
#ifndef CARREL_IMAGES_DIGEST_H
#define CARREL_IMAGES_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

struct err;

enum digest_kind { DIGEST_SHA256, DIGEST_SHA512 };

enum { DIGEST_HEX_SHA256 = 64, DIGEST_HEX_MAX = 128 };

struct digest {
	char hex[DIGEST_HEX_MAX + 1]; /* lower case; "" = none */
};

enum digest_kind digest_kind(const struct digest *d);

/* "sha256:HEX", for printing and for JSON. */
struct digest_text {
	char s[DIGEST_HEX_MAX + 8];
};
struct digest_text digest_text(const struct digest *d);

/* "sha256/HEX": where a layout has the blob, below blobs/. */
struct digest_text digest_path(const struct digest *d);

/* Only "sha256:" and 64, or "sha512:" and 128, lower-case hex digits; anything else is an error that
 * names `what`. */
int digest_parse(const char *s, const char *what, struct digest *out, struct err *e);
/* 64 or 128 lower-case hex digits and nothing else. */
bool digest_is_hex(const char *s);
bool digest_equal(const struct digest *a, const struct digest *b);

struct hash;
#define auto_hash auto_cleanup(hash_free_ptr)

int hash_new(enum digest_kind kind, struct hash **out, struct err *e);
void hash_free_ptr(struct hash **h);
int hash_update(struct hash *h, const void *p, size_t n, struct err *e);
/* Ends it; only hash_free_ptr may follow. */
int hash_final(struct hash *h, struct digest *out, struct err *e);

/* The digest of n bytes in memory. */
int digest_of(enum digest_kind kind, const void *p, size_t n, struct digest *out,
	      struct err *e);

#endif
