/*
 * Fingerprints: HMAC-SHA256 of a finding's text, cut to 64 bits, so that the same secret is known again by whoever sees two
 * findings, and can be guessed by nobody who lacks the key.
 *
 * The text comes in pieces and is normalised: white space does not count, and where a rule checks digits nothing else does. A
 * secret has one fingerprint, whichever rule finds it and however it is laid out.
 */
#ifndef CARREL_SHIM_SCAN_PRINT_H
#define CARREL_SHIM_SCAN_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The plain functions: a context of theirs is copied where a finding begins, and they need no start. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

/* What is left of a key. */
struct print_key {
	SHA256_CTX inner, outer;
};
void print_key_set(struct print_key *k, const uint8_t *key, size_t n); /* n at most 64 */

enum { PRINT_HEX = 16 };
struct print {
	SHA256_CTX hash;
	bool digits; /* alone count */
};
void print_begin(struct print *p, const struct print_key *k, bool digits);
void print_add(struct print *p, const uint8_t *text, size_t n);
/* More may be added afterwards. */
void print_end(const struct print *p, const struct print_key *k, char out[PRINT_HEX + 1]);

#endif
