/*
 * Which devices a container may use: an ordered list of rules, last match decides, nothing allowed at first.
 *
 * v1 keeps a default and a set of exceptions to it, so the rules are folded into that form first; what has no
 * such form (an exception inside a wildcard) is refused rather than dropped, as the kernel would drop it. v2
 * runs the rules themselves, from the last to the first, as an eBPF program (cgroup_devices_bpf.c).
 *
 * The order: linux.resources.devices, then what every container needs, then the container's own nodes. Making
 * nodes is always allowed: a node is harmless until it is opened, and that is checked again.
 */
#include "runtime/cgroup_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "runtime/cgroup_impl.h"

enum { R = 1, W = 2, M = 4, RWM = 7 };

/* clang-format off */
static const struct cgroup_device standard[] = {
	{ true, 'c', -1, -1, M },
	{ true, 'b', -1, -1, M },
	{ true, 'c', 1, 3, RWM },	/* null */
	{ true, 'c', 1, 5, RWM },	/* zero */
	{ true, 'c', 1, 7, RWM },	/* full */
	{ true, 'c', 1, 8, RWM },	/* random */
	{ true, 'c', 1, 9, RWM },	/* urandom */
	{ true, 'c', 5, 0, RWM },	/* tty */
	{ true, 'c', 5, 2, RWM },	/* ptmx */
	{ true, 'c', 136, -1, RWM },	/* pts */
};
/* clang-format on */

/* A rule for all devices and all uses starts the table anew; any other 'a' stands for 'b' and 'c'. */
static bool is_reset(const struct cgroup_device *d)
{
	return d->type == 'a' && d->major < 0 && d->minor < 0 && d->access == RWM;
}

static int add_rule(struct device_rules *t, const struct cgroup_device *d, struct err *e)
{
	struct cgroup_device one = *d;

	if (one.type == 'u')
		one.type = 'c';
	if (one.type != 'a' && one.type != 'b' && one.type != 'c')
		return err_set(e, EINVAL,
			       "linux.resources.devices: type '%c' is none of a, b, c",
			       one.type);
	if ((one.access & ~(unsigned) RWM) || one.access == 0)
		return err_set(e, EINVAL,
			       "linux.resources.devices: access must be some of \"rwm\"");
	if (is_reset(&one)) {
		t->allow_all = one.allow;
		t->n = 0;
		return 0;
	}
	for (const char *type = one.type == 'a' ? "bc" : (char[]){ one.type, '\0' }; *type;
	     type++) {
		one.type = *type;
		t->v[t->n++] = one;
	}
	return 0;
}

int device_rules_build(const struct cgroup_spec *s, struct device_rules *out, struct err *e)
{
	const struct {
		const struct cgroup_device *v;
		size_t n;
	} parts[] = { { s->res.devices, s->res.n_devices },
		      { standard, ARRAY_SIZE(standard) } };
	size_t room = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		room += 2 * parts[i].n;
	if (room > DEVICE_RULES_MAX)
		return err_set(e, E2BIG, "linux.resources.devices: more than %d rules",
			       DEVICE_RULES_MAX / 2);
	*out = (struct device_rules){ .v = xalloc(room * sizeof(*out->v)) };
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (size_t k = 0; k < parts[i].n; k++)
			if (add_rule(out, &parts[i].v[k], e) < 0) {
				device_rules_fini(out);
				return -1;
			}
	return 0;
}

void device_rules_fini(struct device_rules *t)
{
	free(t->v);
	*t = (struct device_rules){ 0 };
}

/* ---- v1's form ---- */

static bool covers(const struct cgroup_device *wide, const struct cgroup_device *d)
{
	return wide->type == d->type && (wide->major < 0 || wide->major == d->major) &&
	       (wide->minor < 0 || wide->minor == d->minor);
}

static bool meets(int64_t a, int64_t b)
{
	return a < 0 || b < 0 || a == b;
}

/* Whether there is a device that both mean. */
static bool overlaps(const struct cgroup_device *a, const struct cgroup_device *b)
{
	return a->type == b->type && meets(a->major, b->major) && meets(a->minor, b->minor);
}

static bool same_node(const struct cgroup_device *a, const struct cgroup_device *b)
{
	return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

/* Takes d's access away from the exceptions, as a rule that agrees with the default does. */
static int take_away(struct device_rules *t, const struct cgroup_device *d, struct err *e)
{
	for (size_t i = 0; i < t->n; i++) {
		struct cgroup_device *x = &t->v[i];

		if (covers(d, x))
			x->access &= ~d->access;
		else if (overlaps(x, d) && (x->access & d->access))
			return err_set(e, ENOTSUP,
				       "linux.resources.devices: %s of %c %" PRId64 ":%" PRId64
				       " after a wider rule cannot be expressed on cgroup v1",
				       d->allow ? "allowing" : "denying", d->type, d->major,
				       d->minor);
	}
	return 0;
}

int device_rules_fold(struct device_rules *t, struct err *e)
{
	struct device_rules folded = { .v = xalloc((t->n + 1) * sizeof(*t->v)),
				       .allow_all = t->allow_all };

	for (size_t i = 0; i < t->n; i++) {
		const struct cgroup_device *d = &t->v[i];
		size_t k = 0;

		if (d->allow == folded.allow_all) {
			if (take_away(&folded, d, e) < 0) {
				device_rules_fini(&folded);
				return -1;
			}
			continue;
		}
		while (k < folded.n && !same_node(&folded.v[k], d))
			k++;
		if (k == folded.n)
			folded.v[folded.n++] = *d;
		else
			folded.v[k].access |= d->access;
	}
	device_rules_fini(t);
	*t = folded;
	return 0;
}

/* "c 1:3 rwm" */
static void rule_text(const struct cgroup_device *d, char out[64])
{
	static const char *const access[] = { "", "r", "w", "rw", "m", "rm", "wm", "rwm" };
	char major[24] = "*", minor[24] = "*";

	if (d->major >= 0)
		snprintf(major, sizeof(major), "%" PRId64, d->major);
	if (d->minor >= 0)
		snprintf(minor, sizeof(minor), "%" PRId64, d->minor);
	snprintf(out, 64, "%c %s:%s %s", d->type, major, minor, access[d->access & RWM]);
}

/* Through a file that stays open over all of them. */
int device_rules_write(const struct cgroup_hier *h, const char *file,
		       const struct device_rules *t, struct err *e)
{
	auto_close int fd = cgroup_open(h, file, O_WRONLY, e);

	if (fd == CGROUP_GONE)
		return -1;
	if (fd < 0)
		return err_sys(e, "linux.resources.devices: open %s/%s", h->path, file);
	for (size_t i = 0; i < t->n; i++) {
		const struct cgroup_device *d = &t->v[i];
		char text[64];

		if (!d->access)
			continue;
		rule_text(d, text);
		if (write(fd, text, strlen(text)) < 0)
			return err_sys(e, "linux.resources.devices: write \"%s\" to %s/%s",
				       text, h->path, file);
	}
	return 0;
}

static int set_v1(const struct cgroup *cg, const struct cgroup_spec *s, struct device_rules *t,
		  struct err *e)
{
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_DEVICES);

	if (!h && s->rootless) {
		log_debug(
			"devices are left to file permissions: no devices cgroup for this user");
		return 0;
	}
	if (!h)
		return err_set(
			e, ENOTSUP,
			"linux.resources.devices: the cgroup v1 controller \"devices\" is not "
			"mounted at %s/devices",
			CGROUP_ROOT);
	if (device_rules_fold(t, e) < 0)
		return -1;
	if (cgroup_write(h, "devices", t->allow_all ? "devices.allow" : "devices.deny", "a",
			 e) < 0)
		return -1;
	/* All that are left are exceptions to what was just written. */
	return device_rules_write(h, t->allow_all ? "devices.deny" : "devices.allow", t, e);
}

int cgroup_set_devices(const struct cgroup *cg, const struct cgroup_spec *s, struct err *e)
{
	auto_cleanup(device_rules_fini) struct device_rules t = { 0 };

	if (cg->mode == CGROUP_DISABLED)
		return 0;
	if (device_rules_build(s, &t, e) < 0)
		return -1;
	if (cg->mode == CGROUP_V1)
		return set_v1(cg, s, &t, e);
	return device_rules_attach(&t, cgroup_dir(&cg->h[0], e), !cg->h[0].made, s->rootless,
				   e);
}
