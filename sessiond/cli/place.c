#include "sessiond/cli/place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/path.h"
#include "base/util.h"

static int exe_dir(char out[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

	if (n <= 0)
		return err_sys(e, "/proc/self/exe");
	out[n] = '\0';
	*strrchr(out, '/') = '\0';
	return 0;
}

/* The first DIR/TRAIL/NAME that can be accessed so, without dots in it: other programs want clean paths. */
static char *first(const char *dir, const char *const *trails, const char *name, int mode)
{
	for (; *trails; trails++) {
		auto_free char *path = **trails == '/'
					       ? xasprintf("%s/%s", *trails, name)
					       : xasprintf("%s/%s/%s", dir, *trails, name);

		if (access(path, mode) == 0)
			return path_clean(path);
	}
	return NULL;
}

char *place_program(const char *name, struct err *e)
{
	static const char *const trails[] = { ".", CARREL_PREFIX "/bin", NULL };
	char dir[PATH_MAX], *found;

	if (exe_dir(dir, e) < 0)
		return NULL;
	found = first(dir, trails, name, X_OK);
	if (!found)
		(void) err_set(e, ENOENT, "%s is neither in %s nor in %s/bin", name, dir,
			       CARREL_PREFIX);
	return found;
}

char *place_data(const char *given, const char *name, struct err *e)
{
	/* The last but one: build/bin of a source tree. */
	static const char *const trails[] = { "../share/carrel", "../../config",
					      CARREL_PREFIX "/share/carrel", NULL };
	char dir[PATH_MAX], *found;

	if (given)
		return place_absolute(given, e);
	if (exe_dir(dir, e) < 0)
		return NULL;
	found = first(dir, trails, name, R_OK);
	if (!found)
		(void) err_set(e, ENOENT,
			       "%s is neither in %s/../share/carrel nor in %s/share/carrel; "
			       "name it by its option",
			       name, dir, CARREL_PREFIX);
	return found;
}

char *place_absolute(const char *path, struct err *e)
{
	auto_free char *full = NULL;
	char cwd[PATH_MAX];

	if (*path == '/')
		return path_clean(path);
	if (!getcwd(cwd, sizeof(cwd))) {
		(void) err_sys(e, "working directory");
		return NULL;
	}
	full = xasprintf("%s/%s", cwd, path);
	return path_clean(full);
}
