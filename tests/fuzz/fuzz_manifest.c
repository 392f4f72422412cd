/* Any bytes as a manifest: what is accepted names layers by valid digests only. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/manifest.h"
#include "images/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct manifest m = { 0 };
	struct err e = ERR_NONE;

	if (manifest_parse((const char *) data, n, n % 2 ? MEDIA_OCI_MANIFEST : NULL, &m, &e) <
	    0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < m.n_layers; i++) {
		if (!digest_is_hex(m.layers[i].digest.hex) ||
		    media_kind(m.layers[i].media_type) != MEDIA_LAYER)
			abort();
	}
	if (m.n_layers == 0 || !digest_is_hex(m.config.digest.hex))
		abort();
	manifest_fini(&m);
	return 0;
}
