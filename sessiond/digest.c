#include "sessiond/digest.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

/* One-shot hashes of memory fail only when libcrypto itself is broken. */
static void hash(const EVP_MD *md, const void *p, size_t n, uint8_t *out)
{
	if (EVP_Digest(p, n, out, NULL, md, NULL) != 1)
		abort();
}

struct digest digest_sha256(const void *p, size_t n)
{
	struct digest d = { 0 };

	hash(EVP_sha256(), p, n, d.bytes);
	return d;
}

void digest_ws_accept(const char *key, char out[29])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t text[24 + sizeof(guid) - 1], sha[SHA_DIGEST_LENGTH];

	memcpy(text, key, 24);
	memcpy(text + 24, guid, sizeof(guid) - 1);
	hash(EVP_sha1(), text, sizeof(text), sha);
	(void) EVP_EncodeBlock((unsigned char *) out, sha, sizeof(sha));
}
