#include "base/helper.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

/* Relative ones: to the directory of the program's own file. */
static const char *const places[] = {
	".",
	"../libexec/carrel",
	"/usr/local/libexec/carrel",
	"/usr/libexec/carrel",
};

static char *at_place(const char *place, const char *dir, const char *name)
{
	if (place[0] == '/')
		return xasprintf("%s/%s", place, name);
	if (strcmp(place, ".") == 0)
		return xasprintf("%s/%s", dir, name);
	return xasprintf("%s/%s/%s", dir, place, name);
}

bool helper_own_dir(char dir[PATH_MAX])
{
	const ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);

	if (n <= 0)
		return false;
	dir[n] = '\0';
	char *slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	return true;
}

char *helper_find_from(const char *dir, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_free char *path = at_place(places[i], dir, name);

		if (access(path, X_OK) == 0)
			return take_ptr(&path);
	}
	return NULL;
}

char *helper_find(const char *name)
{
	char dir[PATH_MAX];

	return helper_own_dir(dir) ? helper_find_from(dir, name) : NULL;
}
