/*
 * Other device rules for a container that runs.
 *
 * On v1 from what the kernel has to what is asked for, by the fewest writes: a device that stays allowed is never closed in
 * between. Only where one of the two lists begins with "everything" is the group set anew, since the kernel does not
 * tell the exceptions to that. On v2 the new program is in force before the old ones go.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "runtime/cgroup_devices.h"
#include "runtime/cgroup_impl.h"

enum { LIST_MAX = 1 << 20 };

static bool same_rule(const struct cgroup_device *a, const struct cgroup_device *b)
{
	return a->allow == b->allow && a->type == b->type && a->major == b->major &&
	       a->minor == b->minor && a->access == b->access;
}

bool cgroup_devices_same(const struct cgroup_resources *a, const struct cgroup_resources *b)
{
	if (a->n_devices != b->n_devices)
		return false;
	for (size_t i = 0; i < a->n_devices; i++) {
		if (!same_rule(&a->devices[i], &b->devices[i]))
			return false;
	}
	return true;
}

/* ---- v1 ---- */

static int parse_number(const char *s, int64_t *out)
{
	char *end;

	*out = -1;
	if (strcmp(s, "*") == 0)
		return 0;
	errno = 0;
	*out = strtoll(s, &end, 10);
	return errno || *end || end == s || *out < 0 ? -1 : 0;
}

static int parse_line(const char *line, struct cgroup_device *d)
{
	char major[24], minor[24], access[8];

	*d = (struct cgroup_device){ .allow = true };
	if (sscanf(line, "%c %23[^:]:%23s %7s", &d->type, major, minor, access) != 4 ||
	    parse_number(major, &d->major) < 0 || parse_number(minor, &d->minor) < 0)
		return -1;
	for (const char *p = access; *p; p++) {
		const char *at = strchr("rwm", *p);

		if (!at)
			return -1;
		d->access |= 1u << (at - "rwm");
	}
	return 0;
}

int device_rules_parse_v1(const char *text, struct device_rules *out, struct err *e)
{
	auto_cleanup(device_rules_fini) struct device_rules t = { 0 };
	auto_free char *copy = xstrdup(text);
	char *save = NULL;
	size_t lines = 1;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	t.v = xalloc(lines * sizeof(*t.v));
	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (parse_line(line, &t.v[t.n]) < 0)
			return err_set(e, EINVAL, "devices.list: \"%.60s\" is no rule", line);
		t.allow_all = t.allow_all || t.v[t.n].type == 'a';
		t.n++;
	}
	*out = t;
	t = (struct device_rules){ 0 };
	return 0;
}

/* What `from` gives and `to` does not, as rules of *out, which has room for all of from's. */
static void subtract(const struct device_rules *from, const struct device_rules *to,
		     struct device_rules *out)
{
	out->n = 0;
	for (size_t i = 0; i < from->n; i++) {
		struct cgroup_device d = from->v[i];

		for (size_t k = 0; k < to->n; k++) {
			const struct cgroup_device *o = &to->v[k];

			if (o->type == d.type && o->major == d.major && o->minor == d.minor)
				d.access &= ~o->access;
		}
		if (d.access)
			out->v[out->n++] = d;
	}
}

void device_rules_step(const struct device_rules *now, const struct device_rules *then,
		       struct device_rules *open, struct device_rules *shut)
{
	*open = (struct device_rules){ .v = xalloc((then->n + 1) * sizeof(*open->v)) };
	*shut = (struct device_rules){ .v = xalloc((now->n + 1) * sizeof(*shut->v)) };
	subtract(then, now, open);
	subtract(now, then, shut);
}

static int read_v1(const struct cgroup_hier *h, struct device_rules *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(LIST_MAX);
	const int dir = cgroup_dir(h, e);

	if (dir < 0 || fd_read_file(dir, "devices.list", LIST_MAX - 1, &text, e) < 0)
		return err_wrap(e, "linux.resources.devices: %s", h->path);
	return device_rules_parse_v1(buf_str(&text), out, e);
}

static int update_v1(const struct cgroup *cg, const struct cgroup_spec *s, struct err *e)
{
	auto_cleanup(device_rules_fini) struct device_rules now = { 0 }, then = { 0 },
							    open = { 0 }, shut = { 0 };
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_DEVICES);

	if (!h)
		return cgroup_set_devices(cg, s, e);
	if (read_v1(h, &now, e) < 0 || device_rules_build(s, &then, e) < 0 ||
	    device_rules_fold(&then, e) < 0)
		return -1;
	if (now.allow_all || then.allow_all)
		return cgroup_set_devices(cg, s, e);
	device_rules_step(&now, &then, &open, &shut);
	if (device_rules_write(h, "devices.allow", &open, e) < 0)
		return -1;
	return device_rules_write(h, "devices.deny", &shut, e);
}

int cgroup_update_devices(const struct cgroup *cg, const struct cgroup_spec *s, struct err *e)
{
	/* A unit's rules are systemd's as well, and it writes them whenever it likes. */
	if (cg->unit)
		return err_set(
			e, ENOTSUP,
			"linux.resources.devices: the rules of a container with the systemd "
			"cgroup driver cannot be changed; make it again with others");
	return cg->mode == CGROUP_V1 ? update_v1(cg, s, e) : cgroup_set_devices(cg, s, e);
}
