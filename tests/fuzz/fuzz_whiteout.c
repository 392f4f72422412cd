/* Any name as an entry of a layer: a whiteout names something, and nothing outside its directory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/source_names.h"
#include "images/whiteout.h"
#include "images/xattr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_free char *path = xstrndup((const char *) data, n);
	struct err e = ERR_NONE;
	const char *name = NULL;
	int kind = whiteout_classify(path, &name, &e);

	if (kind == WHITEOUT_FILE && (!*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
				      strcmp(name, "..") == 0 || strncmp(name, ".wh.", 4) == 0))
		abort();
	if (kind < 0 && !e.code)
		abort();
	if (source_name_known(path) && strstr(path, ".."))
		abort();
	if (xattr_judge(path, &e) == XATTR_KEEP && strstr(path, ".overlay.") == path + 4 &&
	    strncmp(path, "user", 4) == 0)
		abort();
	return 0;
}
