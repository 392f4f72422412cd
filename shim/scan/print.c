#include "shim/scan/print.h"

#include <endian.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"

/* ---- SHA-256 (FIPS 180-4) ---- */

/* clang-format off */
static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
/* clang-format on */

static uint32_t turn(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void schedule(const uint8_t block[64], uint32_t w[64])
{
	for (size_t i = 0; i < 16; i++) {
		uint32_t word;

		memcpy(&word, block + 4 * i, sizeof(word));
		w[i] = be32toh(word);
	}
	for (size_t i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] +
		       (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
	}
}

static void take_block(uint32_t h[8], const uint8_t block[64])
{
	uint32_t w[64], v[8];

	schedule(block, w);
	memcpy(v, h, sizeof(v));
	for (size_t i = 0; i < 64; i++) {
		uint32_t e = v[4], a = v[0];
		uint32_t t1 = v[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
			      ((e & v[5]) ^ (~e & v[6])) + round_constants[i] + w[i];
		uint32_t t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) +
			      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (size_t i = 0; i < 8; i++)
		h[i] += v[i];
}

void sha256_begin(struct sha256 *s)
{
	*s = (struct sha256){ .h = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
				     0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
}

void sha256_add(struct sha256 *s, const void *p, size_t n)
{
	const uint8_t *bytes = p;

	while (n > 0) {
		size_t at = s->n % 64, part = MIN(n, 64 - at);

		memcpy(s->block + at, bytes, part);
		s->n += part;
		bytes += part;
		n -= part;
		if (s->n % 64 == 0)
			take_block(s->h, s->block);
	}
}

void sha256_end(struct sha256 *s, uint8_t out[32])
{
	static const uint8_t pad[64] = { 0x80 };
	const uint64_t bits = htobe64(s->n * 8);

	sha256_add(s, pad, 1 + (119 - s->n % 64) % 64);
	sha256_add(s, &bits, sizeof(bits));
	for (size_t i = 0; i < 8; i++) {
		uint32_t word = htobe32(s->h[i]);

		memcpy(out + 4 * i, &word, sizeof(word));
	}
}

/* ---- HMAC (RFC 2104) ---- */

static void keyed(struct sha256 *s, const uint8_t *key, size_t n, uint8_t with)
{
	uint8_t block[64] = { 0 };

	memcpy(block, key, n);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= with;
	sha256_begin(s);
	sha256_add(s, block, sizeof(block));
	explicit_bzero(block, sizeof(block));
}

void print_key_set(struct print_key *k, const uint8_t *key, size_t n)
{
	keyed(&k->inner, key, MIN(n, (size_t) 64), 0x36);
	keyed(&k->outer, key, MIN(n, (size_t) 64), 0x5c);
}

/* ---- fingerprints ---- */

void print_begin(struct print *p, const struct print_key *k, bool digits)
{
	*p = (struct print){ .hash = k->inner, .digits = digits };
}

static bool counts(const struct print *p, uint8_t c)
{
	if (p->digits)
		return c >= '0' && c <= '9';
	return c != ' ' && c != '\t' && c != '\n';
}

void print_add(struct print *p, const uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (counts(p, text[i]))
			sha256_add(&p->hash, text + i, 1);
}

void print_end(const struct print *p, const struct print_key *k, char out[PRINT_HEX + 1])
{
	struct sha256 inner = p->hash, outer = k->outer;
	uint8_t digest[32];

	sha256_end(&inner, digest);
	sha256_add(&outer, digest, sizeof(digest));
	sha256_end(&outer, digest);
	str_hex(digest, PRINT_HEX / 2, out);
}
