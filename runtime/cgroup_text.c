/*
 * A container's control groups as text in its state, and back.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/path.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_systemd.h"

int cgroup_save(const struct cgroup *cg, struct buf *out, struct err *e)
{
	if (cg->mode == CGROUP_DISABLED || cg->n == 0)
		return buf_puts(out, "disabled\n", e);
	for (size_t i = 0; i < cg->n; i++)
		if (buf_printf(out, e, "%s %s\n", cg->h[i].name, cg->h[i].path) < 0)
			return -1;
	return cg->unit ? buf_printf(out, e, "unit %s %s\n", cg->unit->user ? "user" : "system",
				     cg->unit->name)
			: 0;
}

unsigned cgroup_ctrls_of(const char *names)
{
	unsigned mask = 0;

	for (size_t c = 0; c < CTRL_COUNT; c++) {
		size_t n = strlen(cgroup_ctrl_names[c]);

		for (const char *p = names; p; p = strchr(p, ',')) {
			p += *p == ',';
			if (strncmp(p, cgroup_ctrl_names[c], n) == 0 &&
			    (p[n] == ',' || p[n] == '\0'))
				mask |= 1u << c;
		}
	}
	return mask;
}

/* One line of the state text; the whole of it was checked to be below /sys/fs/cgroup/. */
static int load_line(char *line, struct cgroup *cg, struct err *e)
{
	char *path = strchr(line, ' ');

	if (str_has_prefix(line, "unit ") && !cg->unit)
		return cgroup_unit_load(line, &cg->unit, e);
	if (!path || cg->n == CTRL_COUNT)
		return err_set(e, EINVAL, "cgroup state: \"%s\" is not \"NAME PATH\"", line);
	*path++ = '\0';
	if (!str_has_prefix(path, CGROUP_ROOT "/") || !path_is_clean_absolute(path))
		return err_set(e, EINVAL, "cgroup state: %s is not below %s", path,
			       CGROUP_ROOT);
	cg->h[cg->n].name = xstrdup(line);
	cg->h[cg->n].path = xstrdup(path);
	cg->h[cg->n].ctrls = cgroup_ctrls_of(line);
	cg->n++;
	return 0;
}

/* A line "unified" alone is v2; beside others it is the v2 mount of a hybrid host. */
static int tell_mode(struct cgroup *cg, struct err *e)
{
	const struct cgroup_hier *unified = cgroup_hier_of(cg, CTRL_UNIFIED);

	if (unified && cg->n == 1) {
		cgroup_set_backend(cg, CGROUP_V2);
		cg->h[0].ctrls = 0;
	} else if (unified && !str_has_prefix(unified->path, CGROUP_ROOT "/unified/")) {
		return err_set(e, EINVAL, "cgroup state: %s and v1 hierarchies together",
			       unified->path);
	}
	return 0;
}

int cgroup_load(const char *text, struct cgroup **out, struct err *e)
{
	auto_cleanup(cgroup_free_ptr) struct cgroup *cg = cgroup_new(CGROUP_V1);
	auto_free char *copy = xstrdup(text);
	char *save = NULL;

	if (strcmp(text, "disabled\n") == 0 || !*text) {
		cgroup_disable(cg);
		*out = take_ptr(&cg);
		return 0;
	}
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (load_line(line, cg, e) < 0)
			return -1;
	if (tell_mode(cg, e) < 0)
		return -1;
	*out = take_ptr(&cg);
	return 0;
}
