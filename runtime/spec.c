#include "runtime/spec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/spec_parts.h"

/* ---- memory and helpers of the decoders ---- */

struct spec *spec_of(const struct json_at *at)
{
	while (at->up)
		at = at->up;
	return ((const struct spec_root *) at)->spec;
}

void spec_keep(const struct json_at *at, void *p)
{
	spec_own(spec_of(at), p);
}

void spec_own(struct spec *s, void *p)
{
	if (!p)
		return;
	/* Grown at every power of two. */
	if ((s->n_kept & (s->n_kept - 1)) == 0) {
		s->kept = realloc(s->kept, MAX(s->n_kept * 2, 1) * sizeof(*s->kept));
		if (!s->kept)
			abort();
	}
	s->kept[s->n_kept++] = p;
}

void spec_warn(const struct json_at *at, const char *fmt, ...)
{
	struct spec *s = spec_of(at);
	struct err line = ERR_NONE;
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_err(at, &line, "%s", text); /* for its path */
	s->warnings = realloc(s->warnings, (s->n_warnings + 2) * sizeof(*s->warnings));
	if (!s->warnings)
		abort();
	s->warnings[s->n_warnings++] = xstrdup(line.msg);
	s->warnings[s->n_warnings] = NULL;
}

int spec_list(const struct json *v, const struct json_at *at, size_t elem_size,
	      json_decode_fn decode, struct json_list *out, struct err *e)
{
	const int r = json_decode_list(v, at, elem_size, decode, out, e);

	spec_keep(at, out->items);
	return r;
}

int spec_strv(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (json_decode_strv(v, at, out, e) < 0)
		return -1;
	spec_keep(at, *(void **) out);
	return 0;
}

int spec_pairs(const struct json *v, const struct json_at *at, struct json_list *out,
	       struct err *e)
{
	if (v->type != JSON_OBJECT)
		return json_err(at, e, "must be an object of strings");
	struct spec_pair *p = xalloc((v->count + 1) * sizeof(*p));
	spec_keep(at, p);
	size_t n = 0;
	json_each (m, v) {
		const struct json_at here = { .up = at, .name = m->key };

		p[n].key = m->key;
		if (json_decode_str(m, &here, &p[n].value, e) < 0)
			return -1;
		n++;
	}
	*out = (struct json_list){ p, n };
	return 0;
}

int spec_unsupported(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (v->type == JSON_NULL)
		return 0;
	if ((v->type == JSON_OBJECT || v->type == JSON_ARRAY) && v->count == 0)
		return 0;
	return json_decode_unsupported(v, at, out, e);
}

int spec_name_decode(const struct json *v, const struct json_at *at,
		     const struct spec_name *names, size_t n, uint64_t *out, struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i].name, s) == 0) {
			*out = names[i].value;
			return 0;
		}
	}
	return json_err(at, e, "unknown value \"%s\"", s);
}

/* ---- the top level ---- */

static int decode_version(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!str_has_prefix(s, "1."))
		return json_err(at, e,
				"\"%s\" is not a version 1.x of the runtime specification", s);
	*(const char **) out = s;
	return 0;
}

static int decode_root(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	static const struct json_field fields[] = {
		{ "path", json_decode_str, offsetof(struct rootfs_spec, path), JSON_REQUIRED },
		{ "readonly", json_decode_bool, offsetof(struct rootfs_spec, readonly),
		  SPEC_OPTIONAL },
	};
	struct rootfs_spec *root = out;

	if (json_decode_object(v, at, SPEC_FIELDS(fields), root, e) < 0)
		return -1;
	if (!root->path[0])
		return json_err(at, e, "path must not be empty");
	return 0;
}

static int decode_annotations(const struct json *v, const struct json_at *at, void *out,
			      struct err *e)
{
	_Static_assert(sizeof(struct cgroup_pair) == sizeof(struct spec_pair),
		       "both are a key and a value");
	struct spec *spec = spec_of(at);
	struct json_list pairs;

	if (spec_pairs(v, at, &pairs, e) < 0)
		return -1;
	spec->cgroup.annotations = pairs.items;
	spec->cgroup.n_annotations = pairs.n;
	json_each (m, v) {
		const struct json_at here = { .up = at, .name = m->key };

		if (spec_take_annotation(m, &here, e) < 0)
			return -1;
	}
	*(const struct json **) out = v;
	return 0;
}

#define FIELD(n, fn, m)                                                                        \
	{                                                                                      \
		n, fn, offsetof(struct spec, m), SPEC_OPTIONAL                                 \
	}
#define REFUSED(n)                                                                             \
	{                                                                                      \
		n, spec_unsupported, 0, SPEC_OPTIONAL                                          \
	}

/* clang-format off */
static const struct json_field top_fields[] = {
	{ "ociVersion", decode_version, offsetof(struct spec, oci_version), JSON_REQUIRED },
	{ "process", spec_decode_process, offsetof(struct spec, process), JSON_REQUIRED },
	{ "root", decode_root, offsetof(struct spec, root), JSON_REQUIRED },
	FIELD("hostname", json_decode_str, hostname),
	FIELD("domainname", json_decode_str, domainname),
	{ "mounts", spec_decode_mounts, 0, SPEC_OPTIONAL },
	FIELD("hooks", spec_decode_hooks, hooks),
	FIELD("annotations", decode_annotations, annotations),
	{ "linux", spec_decode_linux, 0, SPEC_OPTIONAL },
	REFUSED("vm"), REFUSED("windows"), REFUSED("solaris"), REFUSED("freebsd"), REFUSED("zos"),
};
/* clang-format on */

/* ---- what no single field can tell ---- */

static int check_idmap(const struct spec *s, struct err *e)
{
	const struct ns_entry *user = &s->ns.ns[NS_USER];
	const bool maps = s->idmap.uid.n || s->idmap.gid.n;

	if (maps && !user->listed)
		return err_set(e, EINVAL,
			       "linux.uidMappings: given without a user namespace in "
			       "linux.namespaces");
	if (user->listed && !user->path && !s->idmap.uid.n)
		return err_set(e, EINVAL, "linux.uidMappings: a new user namespace needs one");
	if (user->listed && !user->path && !s->idmap.gid.n)
		return err_set(e, EINVAL, "linux.gidMappings: a new user namespace needs one");
	if (idmap_check(&s->idmap.uid, "linux.uidMappings", e) < 0)
		return -1;
	return idmap_check(&s->idmap.gid, "linux.gidMappings", e);
}

/* Processes of the host's mount namespace stay in it; only their root is the container's. */
static int check_without_mounts(const struct spec *s, struct err *e)
{
	const struct rootfs_spec *r = &s->root;
	const char *what = r->masked && r->masked[0]  ? "linux.maskedPaths:"
			   : r->ro && r->ro[0]	      ? "linux.readonlyPaths:"
			   : r->propagation	      ? "linux.rootfsPropagation:"
			   : s->ns.ns[NS_USER].listed ? "linux.namespaces: a user namespace"
						      : NULL;

	return what ? err_set(e, EINVAL, "%s needs a private mount namespace", what) : 0;
}

static int check_namespaces(const struct spec *s, struct err *e)
{
	const struct ns_entry *ns = s->ns.ns;
	const bool offsets = s->ns.monotonic.set || s->ns.boottime.set;

	if (!ns[NS_MNT].listed && check_without_mounts(s, e) < 0)
		return -1;
	if (s->hostname && !ns[NS_UTS].listed)
		return err_set(e, EINVAL,
			       "hostname: unable to set it without a private UTS namespace");
	if (s->domainname && !ns[NS_UTS].listed)
		return err_set(e, EINVAL,
			       "domainname: unable to set it without a private UTS namespace");
	if (offsets && !ns[NS_TIME].listed)
		return err_set(e, EINVAL,
			       "linux.timeOffsets: given without a time namespace in "
			       "linux.namespaces");
	if (offsets && ns[NS_TIME].path)
		return err_set(e, EINVAL,
			       "linux.timeOffsets: the time namespace is joined by path; its "
			       "offsets are fixed");
	return check_idmap(s, e);
}

static int check(const struct spec *s, struct err *e)
{
	if (!s->process.args || !s->process.args[0])
		return err_set(e, EINVAL, "process.args: must not be empty");
	if (check_namespaces(s, e) < 0 || spec_check_network(s, e) < 0)
		return -1;
	if (sysctl_check(s->sysctl, s->n_sysctl, &s->ns, e) < 0)
		return err_wrap(e, "linux.sysctl");
	return 0;
}

/* ---- construction ---- */

static struct spec *spec_new(void)
{
	struct spec *s = xalloc(sizeof(*s));

	s->cgroup.res = CGROUP_RESOURCES_UNSET;
	return s;
}

void spec_free(struct spec *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_mounts; i++)
		mount_spec_fini(&s->mounts[i]);
	for (size_t i = 0; i < s->n_kept; i++)
		free(s->kept[i]);
	free(s->kept);
	util_free_strv(&s->warnings);
	json_doc_free(s->doc);
	free(s);
}

void spec_free_ptr(struct spec **s)
{
	spec_free(*s);
	*s = NULL;
}

static int from_doc(struct json_doc *doc, struct spec **out, struct err *e)
{
	auto_spec struct spec *s = spec_new();
	const struct spec_root root = { .at.name = "", .spec = s };

	s->doc = doc;
	if (json_decode_object(json_root(doc), &root.at, SPEC_FIELDS(top_fields), s, e) < 0)
		return -1;
	spec_apply_annotations(s);
	if (check(s, e) < 0)
		return -1;
	s->root.detached = !s->ns.ns[NS_MNT].listed;
	if (s->root.detached)
		spec_warn(
			&root.at,
			"linux.namespaces: no mount namespace: a process of the container that "
			"may chroot reaches the host's files");
	*out = take_ptr(&s);
	return 0;
}

int spec_load(int bundle_fd, const char *file, struct spec **out, struct err *e)
{
	struct json_doc *doc;

	if (json_parse_file(bundle_fd, file ? file : "config.json", NULL, &doc, e) < 0)
		return -1;
	if (from_doc(doc, out, e) < 0)
		return err_wrap(e, "%s", file ? file : "config.json");
	return 0;
}

int spec_parse(const char *text, size_t n, struct spec **out, struct err *e)
{
	struct json_doc *doc;

	if (json_parse(text, n, NULL, &doc, e) < 0)
		return -1;
	return from_doc(doc, out, e);
}

/* A part of a spec, by that part's own decoder. */
static int from_part(struct json_doc *doc, const struct json *node, json_decode_fn decode,
		     size_t offset, const char *name, struct spec **out, struct err *e)
{
	auto_spec struct spec *s = spec_new();
	const struct spec_root root = { .at.name = name, .spec = s };

	if (decode(node, &root.at, (char *) s + offset, e) < 0)
		return -1;
	s->doc = doc;
	*out = take_ptr(&s);
	return 0;
}

int spec_from_process(struct json_doc *doc, const struct json *node, struct spec **out,
		      struct err *e)
{
	return from_part(doc, node, spec_decode_process, offsetof(struct spec, process),
			 "process", out, e);
}

int spec_from_hooks(struct json_doc *doc, const struct json *node, struct spec **out,
		    struct err *e)
{
	return from_part(doc, node, spec_decode_hooks, offsetof(struct spec, hooks), "hooks",
			 out, e);
}

int spec_from_resources(struct json_doc *doc, const struct json *node, struct spec **out,
			struct err *e)
{
	return from_part(doc, node, spec_decode_resources, offsetof(struct spec, cgroup.res),
			 "resources", out, e);
}

int spec_add_inherited(struct spec *s, const struct json *node, struct err *e)
{
	const struct spec_root root = { .at.name = "linux", .spec = s };

	return node ? spec_decode_inherited(node, &root.at, s, e) : 0;
}

int spec_from_netdevs(struct json_doc *doc, const struct json *node, struct spec **out,
		      struct err *e)
{
	return from_part(doc, node, spec_decode_netdevs, 0, "netDevices", out, e);
}
