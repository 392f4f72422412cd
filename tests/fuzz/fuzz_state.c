/*
 * Any bytes as state.json: refused with a sentence, or read into a state whose every part the verbs can use: the cgroup's
 * text, the hooks, what exec takes over, the class of resctrl, the document that `state` prints.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "runtime/cgroup.h"
#include "runtime/spec.h"
#include "runtime/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void refused(const struct err *e)
{
	if (!e->code || !e->msg[0] || !memchr(e->msg, 0, sizeof(e->msg)))
		abort();
}

static void use_cgroup(const struct state *s)
{
	struct cgroup *cg = NULL;
	struct err e = ERR_NONE;

	if (cgroup_load(s->cgroup, &cg, &e) < 0)
		refused(&e);
	cgroup_free(cg);
}

/* As poststart and poststop have them. */
static void use_hooks(const struct state *s)
{
	struct json_doc *doc = json_doc_new();
	struct spec *spec = NULL;
	struct err e = ERR_NONE;

	if (!s->hooks || spec_from_hooks(doc, s->hooks, &spec, &e) < 0)
		json_doc_free(doc);
	spec_free(spec);
}

/* As exec has it. */
static void use_inherited(const struct state *s)
{
	static const char process[] = "{\"cwd\":\"/\",\"args\":[\"x\"]}";
	struct json_doc *doc;
	struct spec *spec = NULL;
	struct err e = ERR_NONE;

	if (json_parse(process, sizeof(process) - 1, NULL, &doc, &e) < 0 ||
	    spec_from_process(doc, json_root(doc), &spec, &e) < 0)
		abort();
	if (spec_add_inherited(spec, s->linux_part, &e) < 0)
		refused(&e);
	spec_free(spec);
}

static void use_document(const struct state *s)
{
	auto_buf struct buf text = BUF_LIMIT(4 << 20);
	struct err e = ERR_NONE;
	const struct state_view v = {
		.oci_version = s->oci_version,
		.id = s->id,
		.bundle = s->bundle,
		.rootfs = s->rootfs,
		.created = s->created,
		.annotations = s->annotations,
		.extended = true,
	};

	if (state_render(&v, true, &text, &e) < 0)
		refused(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct state *s = NULL;
	struct err e = ERR_NONE;

	if (state_parse((const char *) data, n, &s, &e) < 0) {
		refused(&e);
		return 0;
	}
	if (s->rdt.set && (strchr(s->rdt.clos, '/') || strchr(s->rdt.id, '/')))
		abort();
	use_cgroup(s);
	use_hooks(s);
	use_inherited(s);
	use_document(s);
	state_free_ptr(&s);
	return 0;
}
