/*
 * config.json: annotations that mean something to us.
 *
 * Whoever set them is not known: an image, a tenant, an engine. What they can do is little, and what of it an engine must not
 * pass on for its users is in annotation_unsafe (`features`). Those of crun that would change how the container is confined or what
 * runs in it are refused rather than passed over; what we do not know means nothing, as the specification demands.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "runtime/annotations.h"
#include "runtime/spec.h"
#include "runtime/spec_parts.h"

const char *const annotation_unsafe[] = {
	NETWORK_ANNOTATION,
	"org.systemd.property.",
	"org.criu.config",
	KEEP_GROUPS_ANNOTATION,
	"run.oci.pidfd_receiver",
	"run.oci.mount_context_type",
	NULL,
};

typedef int (*take_fn)(const struct json *v, const struct json_at *at, struct err *e);

static int take_receiver(const struct json *v, const struct json_at *at, struct err *e)
{
	if (v->str.s[0] != '/')
		return json_err(at, e, "must be the absolute path of a unix socket");
	spec_of(at)->pidfd_receiver = v->str.s;
	return 0;
}

static int take_label_kind(const struct json *v, const struct json_at *at, struct err *e)
{
	static const char *const kinds[] = { "context", "fscontext", "defcontext",
					     "rootcontext" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i], v->str.s) == 0) {
			spec_of(at)->mount_label_as = kinds[i];
			return 0;
		}
	}
	return json_err(at, e,
			"\"%.40s\" is none of context, fscontext, defcontext, rootcontext",
			v->str.s);
}

/* We put the process into the scope itself, which is what the empty name asks for. */
static int take_subgroup(const struct json *v, const struct json_at *at, struct err *e)
{
	return v->str.s[0] ? json_err(at, e,
				      "is not supported: the container is in the unit's own "
				      "group; take the annotation away or leave it empty")
			   : 0;
}

static int ignore_output(const struct json *v, const struct json_at *at, struct err *e)
{
	(void) v;
	(void) e;
	spec_warn(at, "is ignored: what a hook prints is in the error when it fails");
	return 0;
}

static const struct known {
	const char *name;
	take_fn take;	    /* NULL: refused, or acts later when there is no remedy either */
	const char *remedy; /* of one that is refused */
} known[] = {
	{ NETWORK_ANNOTATION, spec_take_network, NULL },
	{ KEEP_GROUPS_ANNOTATION, NULL, NULL },
	{ "run.oci.seccomp_fail_unknown_syscall", NULL, NULL },
	{ "run.oci.pidfd_receiver", take_receiver, NULL },
	{ "run.oci.mount_context_type", take_label_kind, NULL },
	{ "run.oci.hooks.stdout", ignore_output, NULL },
	{ "run.oci.hooks.stderr", ignore_output, NULL },
	{ "run.oci.systemd.subgroup", take_subgroup, NULL },
	{ "run.oci.handler", NULL,
	  "this runtime executes the program itself; give the container to one that has the handler" },
	{ "run.oci.seccomp.receiver", NULL, "name the socket in linux.seccomp.listenerPath" },
	{ "run.oci.seccomp.plugins", NULL,
	  "an agent that linux.seccomp.listenerPath names does what a plugin would" },
	{ "run.oci.seccomp_bpf_data", NULL, "describe the filter in linux.seccomp" },
	{ "run.oci.systemd.force_cgroup_v1", NULL,
	  "mount what the container needs by an entry of mounts" },
	{ "run.oci.delegate-cgroup", NULL,
	  "a container with user and cgroup namespaces and a writable cgroup mount is given its "
	  "group without it" },
};

int spec_take_annotation(const struct json *v, const struct json_at *at, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct known *k = &known[i];

		if (strcmp(k->name, v->key) != 0)
			continue;
		if (k->take)
			return k->take(v, at, e);
		return k->remedy ? json_err(at, e, "is not supported: %s", k->remedy) : 0;
	}
	return 0;
}

void spec_apply_annotations(struct spec *s)
{
	s->process.user.keep_groups = json_get(s->annotations, KEEP_GROUPS_ANNOTATION);
	s->seccomp.all_known = json_get(s->annotations, "run.oci.seccomp_fail_unknown_syscall");
}
