/*
 * Text to numbers and back, strictly: the whole string or an error, no signs, blanks, leading "+",
 * octal surprises or overflow.
 */
#ifndef CARREL_BASE_STR_H
#define CARREL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Decimal digits only, value <= max. `what` names the thing in the error. */
int str_to_u64(const char *s, uint64_t max, const char *what, uint64_t *out, struct err *e);
int str_to_i64(const char *s, int64_t min, int64_t max, const char *what, int64_t *out,
	       struct err *e);
/* A uid or gid: 0 .. 2^32-2. */
int str_to_id(const char *s, const char *what, uint32_t *out, struct err *e);
/* "0-3,7": bits first..last of each range set in the n-bit bits[]; blanks around and empty parts are allowed. EINVAL for
 * what is no such list, ERANGE for a number of n or more. */
int str_to_bits(const char *s, const char *what, unsigned long *bits, size_t n, struct err *e);
/* "256", "64k", "32M", "1Gi", "2GiB": powers of 1024. */
int str_to_bytes(const char *s, const char *what, uint64_t *out, struct err *e);
/* "90s", "15m", "24h", "7d", "500ms": milliseconds. */
int str_to_ms(const char *s, const char *what, uint64_t *out, struct err *e);

bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
/* strlcpy's contract, but truncation is -1 and ENAMETOOLONG. */
int str_copy(char *dst, size_t n, const char *src, const char *what, struct err *e);

/* Length (1..4) of the valid UTF-8 sequence at p, 0 when there is none: no overlong forms, no
 * surrogates, nothing above U+10FFFF. */
size_t str_utf8_len(const void *p, size_t n);
/* True when the n bytes, 1 or more, are a valid sequence that has been cut: some bytes after them make it whole. */
bool str_utf8_is_cut(const void *p, size_t n);

void str_hex(const void *p, size_t n, char *out);  /* out: 2n + 1 bytes */
int str_unhex(const char *s, void *out, size_t n); /* exactly 2n digits, else -1 */
/* base64url without padding; out must hold 4 * ((n + 2) / 3) + 1 bytes. */
void str_base64url(const void *p, size_t n, char *out);

/* n random bytes from getrandom(2); never fails once the kernel's pool is up. */
void random_bytes(void *p, size_t n);
/* An identifier of 128 random bits as 26 lower-case base32 characters (a-z2-7), first one a letter. */
void random_id(char out[27]);
/* Equal in a time that depends on n only. */
bool bytes_equal_ct(const void *a, const void *b, size_t n);

#endif
