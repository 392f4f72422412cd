#include "images/whiteout.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

static const char mark[] = ".wh.";
static const char opaque[] = ".wh..wh..opq";

int whiteout_classify(const char *path, const char **name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;

	for (const char *p = path; p < last; p = strchr(p, '/') + 1) {
		if (str_has_prefix(p, mark))
			return err_set(e, EINVAL,
				       "entry %.200s: a directory's name begins with '.wh.'",
				       path);
	}
	if (!str_has_prefix(last, mark))
		return WHITEOUT_NONE;
	if (strcmp(last, opaque) == 0)
		return WHITEOUT_OPAQUE;
	last += strlen(mark);
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0 ||
	    str_has_prefix(last, mark))
		return err_set(e, EINVAL, "entry %.200s: a whiteout of no possible name", path);
	*name = last;
	return WHITEOUT_FILE;
}
