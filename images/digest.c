#include "images/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The plain functions: EVP's look for an implementation first, which takes longer than all else that `inspect` does. They are the
 * same, with the processor's own instructions. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/err.h"
#include "base/str.h"

struct hash {
	enum digest_kind kind;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512;
	} ctx;
};

static int start256(struct hash *h)
{
	return SHA256_Init(&h->ctx.sha256);
}

static int update256(struct hash *h, const void *p, size_t n)
{
	return SHA256_Update(&h->ctx.sha256, p, n);
}

static int final256(struct hash *h, unsigned char *sum)
{
	return SHA256_Final(sum, &h->ctx.sha256);
}

static int start512(struct hash *h)
{
	return SHA512_Init(&h->ctx.sha512);
}

static int update512(struct hash *h, const void *p, size_t n)
{
	return SHA512_Update(&h->ctx.sha512, p, n);
}

static int final512(struct hash *h, unsigned char *sum)
{
	return SHA512_Final(sum, &h->ctx.sha512);
}

static const struct {
	const char *name;
	size_t digits;
	int (*start)(struct hash *h);
	int (*update)(struct hash *h, const void *p, size_t n);
	int (*final)(struct hash *h, unsigned char *sum);
} kinds[] = {
	[DIGEST_SHA256] = { "sha256", DIGEST_HEX_SHA256, start256, update256, final256 },
	[DIGEST_SHA512] = { "sha512", DIGEST_HEX_MAX, start512, update512, final512 },
};

enum digest_kind digest_kind(const struct digest *d)
{
	return strlen(d->hex) == DIGEST_HEX_MAX ? DIGEST_SHA512 : DIGEST_SHA256;
}

static struct digest_text join(const struct digest *d, char between)
{
	struct digest_text t;

	snprintf(t.s, sizeof(t.s), "%s%c%s", kinds[digest_kind(d)].name, between, d->hex);
	return t;
}

struct digest_text digest_text(const struct digest *d)
{
	return join(d, ':');
}

struct digest_text digest_path(const struct digest *d)
{
	return join(d, '/');
}

bool digest_is_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return (n == DIGEST_HEX_SHA256 || n == DIGEST_HEX_MAX) && s[n] == '\0';
}

int digest_parse(const char *s, const char *what, struct digest *out, struct err *e)
{
	struct digest d = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *hex = s + strlen(kinds[i].name) + 1;

		if (!str_has_prefix(s, kinds[i].name) || hex[-1] != ':' ||
		    !digest_is_hex(hex) || strlen(hex) != kinds[i].digits)
			continue;
		memcpy(d.hex, hex, kinds[i].digits);
		*out = d;
		return 0;
	}
	return err_set(e, EINVAL,
		       "%s: '%.140s' is no digest that is supported (sha256: and 64, or "
		       "sha512: and 128 lower-case hex digits)",
		       what, s);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return strcmp(a->hex, b->hex) == 0;
}

int hash_new(enum digest_kind kind, struct hash **out, struct err *e)
{
	struct hash *h = xalloc(sizeof(*h));

	h->kind = kind;
	if (kinds[kind].start(h) != 1) {
		hash_free_ptr(&h);
		return err_set(e, ENOMEM, "%s: libcrypto refuses to start", kinds[kind].name);
	}
	*out = h;
	return 0;
}

void hash_free_ptr(struct hash **h)
{
	if (!*h)
		return;
	free(*h);
	*h = NULL;
}

int hash_update(struct hash *h, const void *p, size_t n, struct err *e)
{
	if (kinds[h->kind].update(h, p, n) != 1)
		return err_set(e, EIO, "%s: libcrypto refuses the data", kinds[h->kind].name);
	return 0;
}

int hash_final(struct hash *h, struct digest *out, struct err *e)
{
	unsigned char sum[SHA512_DIGEST_LENGTH];
	struct digest d = { 0 };

	if (kinds[h->kind].final(h, sum) != 1)
		return err_set(e, EIO, "%s: libcrypto gives no result", kinds[h->kind].name);
	str_hex(sum, kinds[h->kind].digits / 2, d.hex);
	*out = d;
	return 0;
}

int digest_of(enum digest_kind kind, const void *p, size_t n, struct digest *out, struct err *e)
{
	auto_hash struct hash *h = NULL;

	if (hash_new(kind, &h, e) < 0 || hash_update(h, p, n, e) < 0)
		return -1;
	return hash_final(h, out, e);
}
