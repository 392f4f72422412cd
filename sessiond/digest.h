/*
 * Hashes by libcrypto, the only file here that knows it by more than cleansing.
 */
#ifndef CARREL_SESSIOND_DIGEST_H
#define CARREL_SESSIOND_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct digest {
	uint8_t bytes[32];
};

struct digest digest_sha256(const void *p, size_t n);

/* RFC 6455: base64(SHA-1(key + GUID)), 28 characters. */
void digest_ws_accept(const char *key, char out[29]);

#endif
