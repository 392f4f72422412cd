/*
 * The first byte of a kind in a piece of output, 16 bytes at a time: what the parser and the short cut spend most of their time on.
 *
 * Vectors of the compiler, so that one text serves every processor; only the mask of a comparison is spelled for one.
 */
#ifndef CARREL_SHIM_SCAN_H
#define CARREL_SHIM_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SCAN_BYTES = 16 };

typedef uint8_t scan_vector __attribute__((vector_size(SCAN_BYTES)));
typedef int8_t scan_signed __attribute__((vector_size(SCAN_BYTES)));

/* The highest bit of each byte. */
#ifdef __SSE2__
typedef char scan_char __attribute__((vector_size(SCAN_BYTES)));
static inline uint32_t scan_mask(scan_signed v)
{
	return (uint32_t) __builtin_ia32_pmovmskb128((scan_char) v);
}
#else
static inline uint32_t scan_mask(scan_signed v)
{
	uint32_t mask = 0;

	for (int i = 0; i < SCAN_BYTES; i++)
		mask |= (uint32_t) (v[i] < 0) << i;
	return mask;
}
#endif

static inline scan_vector scan_load(const uint8_t *p)
{
	scan_vector v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* How many bytes from the first on are printable ASCII. */
static inline size_t scan_text(const uint8_t *p, size_t n)
{
	size_t i = 0;

	for (; i + SCAN_BYTES <= n; i += SCAN_BYTES) {
		scan_vector v = scan_load(p + i);
		uint32_t bad = scan_mask(((scan_signed) v < 0x20) | (scan_signed) (v == 0x7f));

		if (bad)
			return i + (size_t) __builtin_ctz(bad);
	}
	while (i < n && p[i] >= 0x20 && p[i] < 0x7f)
		i++;
	return i;
}

/* ... are no control, nor DEL, nor 0xc2, with which C1 controls begin. */
static inline size_t scan_plain(const uint8_t *p, size_t n)
{
	size_t i = 0;

	for (; i + SCAN_BYTES <= n; i += SCAN_BYTES) {
		scan_vector v = scan_load(p + i);
		uint32_t bad = scan_mask((scan_signed) (v < 0x20) | (scan_signed) (v == 0x7f) |
					 (scan_signed) (v == 0xc2));

		if (bad)
			return i + (size_t) __builtin_ctz(bad);
	}
	while (i < n && p[i] >= 0x20 && p[i] != 0x7f && p[i] != 0xc2)
		i++;
	return i;
}

#endif
