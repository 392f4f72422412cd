#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/util.h"

/* Reads the digits at *s; false when there are none or the value exceeds 64 bits. */
static bool take_digits(const char **s, uint64_t *out, bool *overflow)
{
	const char *p = *s;
	uint64_t v = 0;

	*overflow = false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t) (*p - '0'), &v))
			*overflow = true;
	}
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

int str_to_u64(const char *s, uint64_t max, const char *what, uint64_t *out, struct err *e)
{
	const char *p = s;
	bool overflow;
	uint64_t v;

	if (!take_digits(&p, &v, &overflow) || *p)
		return err_set(e, EINVAL, "%s: \"%.80s\" is not a whole number from 0 up", what,
			       s);
	if (overflow || v > max)
		return err_set(e, ERANGE, "%s: %.80s is above the largest value, %llu", what, s,
			       (unsigned long long) max);
	*out = v;
	return 0;
}

int str_to_i64(const char *s, int64_t min, int64_t max, const char *what, int64_t *out,
	       struct err *e)
{
	bool negative = *s == '-', overflow;
	const char *p = s + negative;
	uint64_t v, bound = (uint64_t) INT64_MAX + negative;
	int64_t i;

	if (!take_digits(&p, &v, &overflow) || *p)
		return err_set(e, EINVAL, "%s: \"%.80s\" is not a whole number", what, s);
	if (overflow || v > bound)
		return err_set(e, ERANGE, "%s: %.80s is outside %lld..%lld", what, s,
			       (long long) min, (long long) max);
	i = negative ? (int64_t) (0 - v) : (int64_t) v;
	if (i < min || i > max)
		return err_set(e, ERANGE, "%s: %.80s is outside %lld..%lld", what, s,
			       (long long) min, (long long) max);
	*out = i;
	return 0;
}

int str_to_id(const char *s, const char *what, uint32_t *out, struct err *e)
{
	uint64_t v;

	/* 2^32-1 is -1 to every system call that takes an id: "leave it as it is". */
	if (str_to_u64(s, UINT32_MAX - 1, what, &v, e) < 0)
		return -1;
	*out = (uint32_t) v;
	return 0;
}

static void skip_blanks(const char **s)
{
	while (**s == ' ' || **s == '\t')
		(*s)++;
}

/* "A" or "A-B" at *s. */
static bool take_range(const char **s, uint64_t *first, uint64_t *last, bool *overflow)
{
	bool over = false;

	if (!take_digits(s, first, overflow))
		return false;
	skip_blanks(s);
	*last = *first;
	if (**s != '-')
		return true;
	(*s)++;
	skip_blanks(s);
	if (!take_digits(s, last, &over))
		return false;
	*overflow |= over;
	skip_blanks(s);
	return *overflow || *first <= *last;
}

int str_to_bits(const char *s, const char *what, unsigned long *bits, size_t n, struct err *e)
{
	const size_t width = 8 * sizeof(bits[0]);
	const char *p = s;
	uint64_t first, last;
	bool overflow;

	for (;; p++) {
		skip_blanks(&p);
		if (*p != ',' && *p != '\0') {
			if (!take_range(&p, &first, &last, &overflow) ||
			    (*p != ',' && *p != '\0'))
				return err_set(e, EINVAL, "%s: \"%.80s\" is no list like 0-3,7",
					       what, s);
			if (overflow || last >= n)
				return err_set(
					e, ERANGE,
					"%s: \"%.80s\" names more than the %zu there can be",
					what, s, n);
			for (uint64_t i = first; i <= last; i++)
				bits[i / width] |= 1UL << i % width;
		}
		if (*p == '\0')
			return 0;
	}
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{ "", 1 },
	{ "b", 1 },
	{ "k", 1ull << 10 },
	{ "kb", 1ull << 10 },
	{ "ki", 1ull << 10 },
	{ "kib", 1ull << 10 },
	{ "m", 1ull << 20 },
	{ "mb", 1ull << 20 },
	{ "mi", 1ull << 20 },
	{ "mib", 1ull << 20 },
	{ "g", 1ull << 30 },
	{ "gb", 1ull << 30 },
	{ "gi", 1ull << 30 },
	{ "gib", 1ull << 30 },
	{ "t", 1ull << 40 },
	{ "tb", 1ull << 40 },
	{ "ti", 1ull << 40 },
	{ "tib", 1ull << 40 },
};

static const struct unit time_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};

static bool same_unit(const char *a, const char *b, bool fold)
{
	for (; *a || *b; a++, b++) {
		char c = fold && *a >= 'A' && *a <= 'Z' ? (char) (*a - 'A' + 'a') : *a;

		if (c != *b)
			return false;
	}
	return true;
}

static int scaled(const char *s, const struct unit *units, size_t n_units, bool fold,
		  const char *what, const char *form, uint64_t *out, struct err *e)
{
	const char *p = s;
	bool overflow;
	uint64_t v;

	if (!take_digits(&p, &v, &overflow))
		return err_set(e, EINVAL, "%s: \"%.80s\" is not %s", what, s, form);
	for (size_t i = 0; i < n_units; i++) {
		if (!same_unit(p, units[i].name, fold))
			continue;
		if (overflow || __builtin_mul_overflow(v, units[i].factor, &v))
			return err_set(e, ERANGE, "%s: %.80s is too large", what, s);
		*out = v;
		return 0;
	}
	return err_set(e, EINVAL, "%s: \"%.80s\" is not %s", what, s, form);
}

int str_to_bytes(const char *s, const char *what, uint64_t *out, struct err *e)
{
	return scaled(s, byte_units, ARRAY_SIZE(byte_units), true, what,
		      "a size such as 4096, 64k, 32M or 1GiB", out, e);
}

int str_to_ms(const char *s, const char *what, uint64_t *out, struct err *e)
{
	return scaled(s, time_units, ARRAY_SIZE(time_units), false, what,
		      "a duration such as 500ms, 90s, 15m, 24h or 7d", out, e);
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && memcmp(s + n - k, suffix, k) == 0;
}

int str_copy(char *dst, size_t n, const char *src, const char *what, struct err *e)
{
	size_t len = strlen(src);

	if (n == 0 || len >= n) {
		size_t fits = n ? n - 1 : 0;

		if (n) {
			memcpy(dst, src, fits);
			dst[fits] = '\0';
		}
		return err_set(e, ENAMETOOLONG, "%s: longer than %zu bytes", what, fits);
	}
	memcpy(dst, src, len + 1);
	return 0;
}

size_t str_utf8_len(const void *p, size_t n)
{
	const unsigned char *s = p;

	if (n == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || n < 2 || (s[1] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xe0)
		return 2;
	if (n < 3 || (s[2] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xf0) {
		if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
			return 0; /* overlong; surrogate */
		return 3;
	}
	if (n < 4 || (s[3] & 0xc0) != 0x80 || s[0] > 0xf4 || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0; /* overlong; above U+10FFFF */
	return 4;
}

bool str_utf8_is_cut(const void *p, size_t n)
{
	const unsigned char *s = p;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */

	if (s[0] < 0xc2 || s[0] > 0xf4 || n >= (s[0] >= 0xf0 ? 4u : s[0] >= 0xe0 ? 3u : 2u))
		return false;
	switch (s[0]) {
	case 0xe0: /* overlong */
		low = 0xa0;
		break;
	case 0xed: /* surrogates */
		high = 0x9f;
		break;
	case 0xf0: /* overlong */
		low = 0x90;
		break;
	case 0xf4: /* above U+10FFFF */
		high = 0x8f;
		break;
	}
	return (n < 2 || (s[1] >= low && s[1] <= high)) && (n < 3 || (s[2] & 0xc0) == 0x80);
}

void str_hex(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int str_unhex(const char *s, void *out, size_t n)
{
	uint8_t *b = out;

	if (strnlen(s, 2 * n + 1) != 2 * n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (hex_digit(s[2 * i]) < 0 || hex_digit(s[2 * i + 1]) < 0)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t) (hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
	return 0;
}

void str_base64url(const void *p, size_t n, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *b = p;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | b[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = digits[bits >> (have - 6) & 63];
	}
	if (have)
		*out++ = digits[bits << (6 - have) & 63];
	*out = '\0';
}

void random_bytes(void *p, size_t n)
{
	uint8_t *b = p;

	while (n) {
		ssize_t r = getrandom(b, n, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			abort(); /* no such call: nothing random may be made up instead */
		b += r;
		n -= (size_t) r;
	}
}

void random_id(char out[27])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t r[16];
	uint32_t bits = 0;
	unsigned have =
		2; /* two leading zero bits make 130 = 26 x 5, and the first digit a..h */

	random_bytes(r, sizeof(r));
	for (size_t i = 0; i < sizeof(r); i++) {
		bits = bits << 8 | r[i];
		for (have += 8; have >= 5; have -= 5)
			*out++ = digits[bits >> (have - 5) & 31];
	}
	*out = '\0';
}

bool bytes_equal_ct(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}
