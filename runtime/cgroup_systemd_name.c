/*
 * Names of units and where their control groups are: text only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_systemd.h"

enum { UNIT_NAME_MAX = 255, PATH_TEXT_MAX = 4096 };

void unit_names_fini(struct unit_names *n)
{
	free(n->unit);
	free(n->slice);
	free(n->path);
	*n = (struct unit_names){ 0 };
}

bool unit_name_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";
	const size_t n = strlen(name);

	return n > 0 && n <= UNIT_NAME_MAX && strspn(name, letters) == n && name[0] != '.' &&
	       (str_has_suffix(name, ".scope") || str_has_suffix(name, ".slice"));
}

int unit_slice_expand(const char *slice, char **out, struct err *e)
{
	auto_buf struct buf path = BUF_LIMIT(PATH_TEXT_MAX);
	const size_t n = strlen(slice);
	size_t stem;

	if (strcmp(slice, "-.slice") == 0) {
		*out = xstrdup("");
		return 0;
	}
	if (!str_has_suffix(slice, ".slice") || !unit_name_is_valid(slice))
		return err_set(e, EINVAL, "invalid slice name: %s", slice);
	stem = n - strlen(".slice");
	/* Every dash is one level: a, a-b, a-b-c. */
	for (size_t i = 0; i <= stem; i++) {
		if (i < stem && slice[i] != '-')
			continue;
		if (i == 0 || slice[i - 1] == '-')
			return err_set(e, EINVAL, "invalid slice name: %s", slice);
		if (buf_printf(&path, e, "%s%.*s.slice", buf_len(&path) ? "/" : "", (int) i,
			       slice) < 0)
			return -1;
	}
	*out = buf_take_str(&path);
	return 0;
}

/* "slice:prefix:name" into its parts, which are the caller's. */
static int split(const struct cgroup_spec *s, char *part[3], struct err *e)
{
	const char *text = s->path && *s->path ? s->path : NULL;
	const char *first, *second;

	if (!text) {
		part[0] = xstrdup("");
		part[1] = xstrdup("carrel");
		part[2] = xstrdup(s->id);
		return 0;
	}
	first = strchr(text, ':');
	second = first ? strchr(first + 1, ':') : NULL;
	if (!second || !second[1] || strchr(second + 1, ':'))
		return err_set(e, EINVAL,
			       "linux.cgroupsPath: expected cgroupsPath to be of format "
			       "\"slice:prefix:name\" for systemd cgroups, got \"%s\" instead",
			       text);
	part[0] = xstrndup(text, (size_t) (first - text));
	part[1] = xstrndup(first + 1, (size_t) (second - first - 1));
	part[2] = xstrdup(second + 1);
	return 0;
}

int unit_names_choose(const struct cgroup_spec *s, struct unit_names *out, struct err *e)
{
	struct unit_names n = { .user = s->rootless };
	auto_free char *slice_path = NULL;
	char *part[3];

	if (split(s, part, e) < 0)
		return -1;
	const bool is_slice = str_has_suffix(part[2], ".slice");
	n.unit = is_slice ? xstrdup(part[2]) : xasprintf("%s-%s.scope", part[1], part[2]);
	n.slice = xstrdup(*part[0] ? part[0] : n.user ? "user.slice" : "system.slice");
	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		free(part[i]);
	int r = unit_slice_expand(is_slice ? n.unit : n.slice, &slice_path, e);
	if (r == 0 && !unit_name_is_valid(n.unit))
		r = err_set(e, EINVAL, "\"%s\" is no name of a unit", n.unit);
	if (r < 0) {
		unit_names_fini(&n);
		return err_wrap(e, "linux.cgroupsPath");
	}
	if (is_slice)
		n.path = take_ptr(&slice_path);
	else
		n.path = *slice_path ? xasprintf("%s/%s", slice_path, n.unit) : xstrdup(n.unit);
	*out = n;
	return 0;
}
