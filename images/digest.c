#include "images/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/err.h"
#include "base/str.h"

struct hash {
	EVP_MD_CTX *ctx;
};

struct digest_text digest_text(const struct digest *d)
{
	struct digest_text t;

	snprintf(t.s, sizeof(t.s), "sha256:%s", d->hex);
	return t;
}

bool digest_is_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n == DIGEST_HEX && s[n] == '\0';
}

int digest_parse(const char *s, const char *what, struct digest *out, struct err *e)
{
	static const char algorithm[] = "sha256:";
	struct digest d;

	if (!str_has_prefix(s, algorithm) || !digest_is_hex(s + strlen(algorithm)))
		return err_set(e, EINVAL,
			       "%s: '%.100s' is no digest that is supported (sha256: and 64 "
			       "lower-case hex digits)",
			       what, s);
	memcpy(d.hex, s + strlen(algorithm), sizeof(d.hex));
	*out = d;
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return strcmp(a->hex, b->hex) == 0;
}

int hash_new(struct hash **out, struct err *e)
{
	struct hash *h = xalloc(sizeof(*h));

	/* A hash needs nothing of openssl.cnf, and reading it takes longer than most hashes. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
		hash_free_ptr(&h);
		return err_set(e, ENOMEM, "sha256: libcrypto refuses to start");
	}
	*out = h;
	return 0;
}

void hash_free_ptr(struct hash **h)
{
	if (!*h)
		return;
	EVP_MD_CTX_free((*h)->ctx);
	free(*h);
	*h = NULL;
}

int hash_update(struct hash *h, const void *p, size_t n, struct err *e)
{
	if (EVP_DigestUpdate(h->ctx, p, n) != 1)
		return err_set(e, EIO, "sha256: libcrypto refuses the data");
	return 0;
}

int hash_final(struct hash *h, struct digest *out, struct err *e)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (EVP_DigestFinal_ex(h->ctx, sum, &n) != 1 || n != DIGEST_HEX / 2)
		return err_set(e, EIO, "sha256: libcrypto gives no result");
	str_hex(sum, n, out->hex);
	return 0;
}

int digest_of(const void *p, size_t n, struct digest *out, struct err *e)
{
	auto_hash struct hash *h = NULL;

	if (hash_new(&h, e) < 0 || hash_update(h, p, n, e) < 0)
		return -1;
	return hash_final(h, out, e);
}
