/* Any bytes as config.json and as process.json: refused with a sentence, or decoded into structs that can be walked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "runtime/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t touched;

static void touch(const char *s)
{
	touched += s ? strlen(s) : 0;
}

static void touch_all(const char *const *v)
{
	for (; v && *v; v++)
		touch(*v);
}

/* A list that was accepted must be one for whoever reads it again. */
static void walk_placement(const struct process_spec *p)
{
	struct err e = ERR_NONE;

	if ((p->cpus_initial && process_check_cpus(p->cpus_initial, &e) < 0) ||
	    (p->cpus_final && process_check_cpus(p->cpus_final, &e) < 0) ||
	    (p->mempolicy.set && mempolicy_check(&p->mempolicy, &e) < 0))
		abort();
}

static void walk_rdt(const struct rdt_spec *r)
{
	struct err e = ERR_NONE;

	touch(r->clos_id);
	touch(r->l3_cache);
	touch(r->mem_bw);
	touch_all(r->schemata);
	if (r->clos_id && (strchr(r->clos_id, '/') || rdt_check(r, &e) < 0))
		abort();
}

static void walk_process(const struct process_spec *p)
{
	touch(p->cwd);
	touch_all(p->args);
	touch_all(p->env);
	for (size_t i = 0; i < p->user.n_groups; i++)
		touched += p->user.groups[i];
	for (size_t i = 0; i < p->n_rlimits; i++)
		touch(p->rlimits[i].name);
	walk_placement(p);
}

static void walk(const struct spec *s)
{
	walk_process(&s->process);
	walk_rdt(&s->rdt);
	touch(s->root.path);
	touch_all(s->root.masked);
	touch_all(s->root.ro);
	for (size_t i = 0; i < s->n_mounts; i++) {
		touch(s->mounts[i].target);
		touch(s->mounts[i].source);
		touch(s->mounts[i].data);
	}
	for (int k = 0; k < HOOK_COUNT; k++) {
		for (size_t i = 0; i < s->hooks.kind[k].n; i++) {
			touch(s->hooks.kind[k].v[i].path);
			touch_all(s->hooks.kind[k].v[i].args);
			touch_all(s->hooks.kind[k].v[i].env);
		}
	}
	for (size_t i = 0; i < s->seccomp.n_rules; i++)
		touch_all(s->seccomp.rules[i].names);
	for (size_t i = 0; i < s->n_sysctl; i++) {
		touch(s->sysctl[i].key);
		touch(s->sysctl[i].value);
	}
	/* What was accepted keeps its promises. */
	if (!s->process.args[0] || s->process.cwd[0] != '/')
		abort();
}

static void refused(const struct err *e)
{
	if (!e->code || !e->msg[0] || !memchr(e->msg, 0, sizeof(e->msg)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct spec *s = NULL;
	struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	if (spec_parse((const char *) data, n, &s, &e) == 0)
		walk(s);
	else
		refused(&e);
	spec_free_ptr(&s);

	e = ERR_NONE;
	if (json_parse((const char *) data, n, NULL, &doc, &e) < 0)
		return 0;
	if (spec_from_process(doc, json_root(doc), &s, &e) == 0) {
		walk_process(&s->process);
		spec_free_ptr(&s);
	} else {
		refused(&e);
		json_doc_free(doc);
	}
	return 0;
}
