#include "shim/vt.h"

#include "shim/scan.h"

/*
 * Characters beyond ASCII, many at once.
 *
 * The treatment of what is no UTF-8 is that of one byte after another: a first byte with too few bytes behind it is dropped with
 * those it has, a byte that belongs to none is dropped, and so is a whole character that may not be. So it is
 * enough to know of 64 bytes at once which are first bytes with enough behind them; everything else is nothing.
 */

enum {
	BLOCK = 64,
	USED = BLOCK - 3, /* first bytes of which the whole character lies in the block */
	C1_FIRST = 0x80,
	C1_LAST = 0x9f,
};

/* A bit for each byte of a block. */
struct kinds {
	uint64_t high, more, two, three, four;
};

static struct kinds kinds_of(const uint8_t *p)
{
	struct kinds k = { 0 };

	for (int i = 0; i < BLOCK; i += SCAN_BYTES) {
		scan_vector v = scan_load(p + i);

		k.high |= (uint64_t) scan_mask((scan_signed) v) << i;
		k.more |= (uint64_t) scan_mask((scan_signed) ((v & 0xc0) == 0x80)) << i;
		k.two |= (uint64_t) scan_mask((scan_signed) ((v & 0xe0) == 0xc0)) << i;
		k.three |= (uint64_t) scan_mask((scan_signed) ((v & 0xf0) == 0xe0)) << i;
		k.four |= (uint64_t) scan_mask((scan_signed) ((v & 0xf8) == 0xf0)) << i;
	}
	return k;
}

bool vt_is_character(uint32_t code, size_t n)
{
	static const uint32_t least[] = { [2] = 0x80, [3] = 0x800, [4] = 0x10000 };

	/* As xterm.js: a byte order mark is nothing. */
	return (code >= least[n]) & (code <= 0x10ffff) & (code - 0xd800 > 0xdfff - 0xd800) &
	       ((code != 0xfeff) | (n != 3));
}

/* n bytes, 2 to 4; four can be read. Without a branch on n, which nobody could foretell in bytes that are no text. */
static inline uint32_t code_of(const uint8_t p[4], size_t n)
{
	uint32_t code = (p[0] & (0xffU >> (n + 1))) << 18 | (p[1] & 0x3fU) << 12 |
			(p[2] & 0x3fU) << 6 | (p[3] & 0x3fU);

	return code >> (4 - n) * 6;
}

/* Takes a block's characters; false when it came to a C1 control, which begins at *used. */
static bool take_block(const uint8_t *p, size_t *used, uint32_t *codes, size_t *n_codes)
{
	struct kinds k = kinds_of(p);
	uint64_t whole = (k.two & k.more >> 1) | (k.three & k.more >> 1 & k.more >> 2) |
			 (k.four & k.more >> 1 & k.more >> 2 & k.more >> 3);
	size_t end = ~k.high ? (size_t) __builtin_ctzll(~k.high) : BLOCK;

	*used = end < USED ? end : USED;
	whole &= ((uint64_t) 1 << *used) - 1;
	for (; whole; whole &= whole - 1) {
		size_t at = (size_t) __builtin_ctzll(whole);
		size_t n = (size_t) 2 + (p[at] >= 0xe0) + (p[at] >= 0xf0);
		uint32_t code = code_of(p + at, n);

		if (code - C1_FIRST <= C1_LAST - C1_FIRST && n == 2) {
			*used = at;
			return false;
		}
		codes[*n_codes] = code;
		*n_codes += vt_is_character(code, n);
	}
	return true;
}

/* How long a character is that begins so; 1: none begins so. */
static size_t length_of(uint8_t first)
{
	if (first < 0xc0 || first >= 0xf8)
		return 1;
	return 2 + (first >= 0xe0) + (first >= 0xf0);
}

/* What stands at p: how many bytes; 0: it is not whole. *code is 0 when it is no character. */
static size_t take_one(const uint8_t *p, size_t n, uint32_t *code)
{
	size_t length = length_of(*p), i = 1;

	*code = 0;
	while (i < length && i < n && (p[i] & 0xc0) == 0x80)
		i++;
	if (i < length)
		return i < n ? i : 0;
	if (length > 1) {
		uint8_t whole[4] = { 0 };

		memcpy(whole, p, length);
		*code = code_of(whole, length);
		if (!vt_is_character(*code, length))
			*code = 0;
	}
	return i;
}

size_t vt_glyphs(const uint8_t *p, size_t n, uint32_t codes[VT_GLYPHS], size_t *n_codes)
{
	size_t i = 0;

	*n_codes = 0;
	while (i < n && p[i] >= 0x80 && *n_codes <= VT_GLYPHS - BLOCK / 2) {
		uint32_t code;
		size_t used;

		if (n - i >= BLOCK && scan_mask((scan_signed) scan_load(p + i)) == 0xffff) {
			bool on = take_block(p + i, &used, codes, n_codes);

			i += used;
			if (!on)
				break;
			continue;
		}
		used = take_one(p + i, n - i, &code);
		if (used == 0 || (code >= C1_FIRST && code <= C1_LAST))
			break;
		i += used;
		if (code)
			codes[(*n_codes)++] = code;
	}
	return i;
}
