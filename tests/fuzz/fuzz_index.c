/* Any bytes as an image index. */
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
	struct manifest_index ix = { 0 };
	struct err e = ERR_NONE;

	if (manifest_index_parse((const char *) data, n, n % 2 ? MEDIA_OCI_INDEX : NULL, &ix,
				 &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < ix.n; i++) {
		enum media_kind kind = media_kind(ix.manifests[i].media_type);

		if (!digest_is_hex(ix.manifests[i].digest.hex) ||
		    (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX))
			abort();
	}
	manifest_index_fini(&ix);
	return 0;
}
