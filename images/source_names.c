#include "images/source_names.h"

#include <string.h>

#include "base/util.h"
#include "images/digest.h"

static const char *const exact[] = { "oci-layout", "index.json", "manifest.json",
				     "repositories" };

/* "" is the directory itself. */
static const char *const in_hex_dir[] = { "", "layer.tar", "json", "VERSION" };

static bool is_any(const char *s, const char *const *set, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(s, set[i]) == 0)
			return true;
	}
	return false;
}

/* "", "ALGORITHM", "ALGORITHM/HEX" below blobs/; whether the two fit, the descriptor that leads there says. */
static bool known_blob(const char *rest)
{
	if (*rest == '\0')
		return true;
	if (strncmp(rest, "/sha256", 7) != 0 && strncmp(rest, "/sha512", 7) != 0)
		return false;
	return rest[7] == '\0' || (rest[7] == '/' && digest_is_hex(rest + 8));
}

bool source_name_known(const char *path)
{
	char head[DIGEST_HEX_SHA256 + 1];
	const char *rest;

	if (*path == '\0' || is_any(path, exact, ARRAY_SIZE(exact)))
		return true;
	if (strncmp(path, "blobs", 5) == 0)
		return known_blob(path + 5);
	if (strlen(path) < DIGEST_HEX_SHA256)
		return false;
	memcpy(head, path, DIGEST_HEX_SHA256);
	head[DIGEST_HEX_SHA256] = '\0';
	rest = path + DIGEST_HEX_SHA256;
	if (!digest_is_hex(head))
		return false;
	if (strcmp(rest, ".json") == 0 || strcmp(rest, ".tar") == 0)
		return true;
	return is_any(*rest == '/' ? rest + 1 : rest, in_hex_dir, ARRAY_SIZE(in_hex_dir));
}
