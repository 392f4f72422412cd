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

/* "", "sha256", "sha256/HEX" below blobs/. */
static bool known_blob(const char *rest)
{
	if (*rest == '\0' || strcmp(rest, "/sha256") == 0)
		return true;
	return strncmp(rest, "/sha256/", 8) == 0 && digest_is_hex(rest + 8);
}

bool source_name_known(const char *path)
{
	char head[DIGEST_HEX + 1];
	const char *rest;

	if (*path == '\0' || is_any(path, exact, ARRAY_SIZE(exact)))
		return true;
	if (strncmp(path, "blobs", 5) == 0)
		return known_blob(path + 5);
	if (strlen(path) < DIGEST_HEX)
		return false;
	memcpy(head, path, DIGEST_HEX);
	head[DIGEST_HEX] = '\0';
	rest = path + DIGEST_HEX;
	if (!digest_is_hex(head))
		return false;
	if (strcmp(rest, ".json") == 0 || strcmp(rest, ".tar") == 0)
		return true;
	return is_any(*rest == '/' ? rest + 1 : rest, in_hex_dir, ARRAY_SIZE(in_hex_dir));
}
