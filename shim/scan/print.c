#include "shim/scan/print.h"

#include <string.h>

#include "base/str.h"
#include "base/util.h"

/* ---- HMAC (RFC 2104) ---- */

static void keyed(SHA256_CTX *s, const uint8_t *key, size_t n, uint8_t with)
{
	uint8_t block[64] = { 0 };

	memcpy(block, key, n);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= with;
	(void) SHA256_Init(s);
	(void) SHA256_Update(s, block, sizeof(block));
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
			(void) SHA256_Update(&p->hash, text + i, 1);
}

void print_end(const struct print *p, const struct print_key *k, char out[PRINT_HEX + 1])
{
	SHA256_CTX inner = p->hash, outer = k->outer;
	uint8_t digest[32];

	(void) SHA256_Final(digest, &inner);
	(void) SHA256_Update(&outer, digest, sizeof(digest));
	(void) SHA256_Final(digest, &outer);
	str_hex(digest, PRINT_HEX / 2, out);
}
