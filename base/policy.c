#include "base/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/util.h"

enum { KEYWORD_MIN = 3, KEYWORD_MAX = 48, HOLD_MAX_MS = 2000 };

static const char *const action_names[] = { "alert", "mask", "block", "kill" };
static const char *const direction_names[] = { "out", "in", "upload" };
static const char *const check_names[] = { "none", "luhn" };

const char *policy_action_name(enum policy_action a)
{
	return action_names[a];
}

const char *policy_direction_name(enum policy_direction d)
{
	return direction_names[d];
}

static int decode_word(const struct json *v, const struct json_at *at, const char *const *words,
		       size_t n, const char *all, size_t *out, struct err *e)
{
	const char *s;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0) {
			*out = i;
			return 0;
		}
	return json_err(at, e, "is \"%.32s\", where %s belongs", s, all);
}

static int decode_action(const struct json *v, const struct json_at *at, void *out,
			 struct err *e)
{
	size_t i;

	if (decode_word(v, at, action_names, ARRAY_SIZE(action_names),
			"alert, mask, block or kill", &i, e) < 0)
		return -1;
	*(enum policy_action *) out = (enum policy_action) i;
	return 0;
}

static int decode_check(const struct json *v, const struct json_at *at, void *out,
			struct err *e)
{
	size_t i;

	if (decode_word(v, at, check_names, ARRAY_SIZE(check_names), "luhn or none", &i, e) < 0)
		return -1;
	*(enum policy_check *) out = (enum policy_check) i;
	return 0;
}

static int decode_one_direction(const struct json *v, const struct json_at *at, void *out,
				struct err *e)
{
	size_t i;

	if (decode_word(v, at, direction_names, ARRAY_SIZE(direction_names),
			"out, in or upload", &i, e) < 0)
		return -1;
	*(unsigned *) out |= 1U << i;
	return 0;
}

static int decode_direction(const struct json *v, const struct json_at *at, void *out,
			    struct err *e)
{
	*(unsigned *) out = 0;
	if (v->type == JSON_STRING)
		return decode_one_direction(v, at, out, e);
	if (json_decode_words(v, at, decode_one_direction, out, e) < 0)
		return -1;
	return *(unsigned *) out ? 0 : json_err(at, e, "names no direction");
}

static int check_name(const char *s, const struct json_at *at, struct err *e)
{
	size_t n = strlen(s);

	if (n < 1 || n > POLICY_ID ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != n || s[0] == '-')
		return json_err(
			at, e,
			"\"%.70s\" is no name: 1 to %d of a-z, 0-9, - and _, not first a -", s,
			POLICY_ID);
	return 0;
}

static int decode_id(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (json_decode_str(v, at, out, e) < 0)
		return -1;
	return check_name(*(const char **) out, at, e);
}

static int decode_pattern(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	if (json_decode_str(v, at, out, e) < 0)
		return -1;
	if (v->str.n < 1 || v->str.n > POLICY_PATTERN)
		return json_err(at, e, "has %zu bytes, where 1 to %d belong", v->str.n,
				POLICY_PATTERN);
	return 0;
}

static int decode_keywords(const struct json *v, const struct json_at *at, void *out,
			   struct err *e)
{
	if (v->type == JSON_ARRAY && (v->count == 0 || v->count > POLICY_KEYWORDS))
		return json_err(at, e, "has %u words, where 1 to %d belong", v->count,
				POLICY_KEYWORDS);
	if (v->type == JSON_ARRAY)
		json_each (word, v)
			if (word->type == JSON_STRING &&
			    (word->str.n < KEYWORD_MIN || word->str.n > KEYWORD_MAX))
				return json_err(
					at, e, "\"%.64s\" has %zu bytes, where %d to %d belong",
					word->str.s, word->str.n, KEYWORD_MIN, KEYWORD_MAX);
	return json_decode_strv(v, at, out, e);
}

static int decode_hold(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	if (v->type != JSON_INT || v->i < 1 || v->i > HOLD_MAX_MS)
		return json_err(at, e, "is not a number of milliseconds from 1 to %d",
				HOLD_MAX_MS);
	*(uint32_t *) out = (uint32_t) v->i;
	return 0;
}

/* clang-format off */
static const struct json_field rule_fields[] = {
	{ "id", decode_id, offsetof(struct policy_rule, id), JSON_REQUIRED },
	{ "pattern", decode_pattern, offsetof(struct policy_rule, pattern), JSON_REQUIRED },
	{ "keywords", decode_keywords, offsetof(struct policy_rule, keywords), 0 },
	{ "direction", decode_direction, offsetof(struct policy_rule, directions), JSON_REQUIRED },
	{ "action", decode_action, offsetof(struct policy_rule, action), JSON_REQUIRED },
	{ "check", decode_check, offsetof(struct policy_rule, check), 0 },
	{ "hold_ms", decode_hold, offsetof(struct policy_rule, hold_ms), 0 },
};
/* clang-format on */

static int decode_rules(const struct json *v, const struct json_at *at, struct policy *p,
			struct err *e)
{
	if (v->type != JSON_ARRAY || v->count == 0 || v->count > POLICY_RULES)
		return json_err(at, e, "is not a list of 1 to %d rules", POLICY_RULES);
	p->rules = xalloc(v->count * sizeof(*p->rules));
	json_each (one, v) {
		struct json_at here = { .up = at, .index = p->n_rules };
		struct policy_rule *r = &p->rules[p->n_rules++];
		const char *id = json_str_or(one, "id", NULL);

		*r = (struct policy_rule){ .hold_ms = POLICY_HOLD_MS };
		if (id) /* says more than its place */
			here.name = id;
		if (json_decode_object(one, &here, rule_fields, ARRAY_SIZE(rule_fields),
				       JSON_UNKNOWN_REJECT, r, e) < 0)
			return -1;
		for (size_t i = 0; i + 1 < p->n_rules; i++)
			if (strcmp(p->rules[i].id, r->id) == 0)
				return json_err(&here, e, "is there twice");
	}
	return 0;
}

static int decode_sets(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct policies *all = out;

	if (v->type != JSON_OBJECT || v->count == 0 || v->count > POLICY_SETS)
		return json_err(at, e, "is not a mapping from 1 to %d names to lists of rules",
				POLICY_SETS);
	all->v = xalloc(v->count * sizeof(*all->v));
	json_each (m, v) {
		struct json_at here = { .up = at, .name = m->key };
		struct policy *p = &all->v[all->n++];

		*p = (struct policy){ .name = m->key };
		if (check_name(m->key, &here, e) < 0 || decode_rules(m, &here, p, e) < 0)
			return -1;
	}
	return 0;
}

struct file {
	uint32_t version;
	struct policies policies;
};

int policies_decode(struct json_doc *doc, struct policies *out, struct err *e)
{
	static const struct json_field fields[] = {
		{ "version", json_decode_u32, offsetof(struct file, version), JSON_REQUIRED },
		{ "policies", decode_sets, offsetof(struct file, policies), JSON_REQUIRED },
	};
	struct file f = { 0 };
	int r = json_decode_object(json_root(doc), NULL, fields, ARRAY_SIZE(fields),
				   JSON_UNKNOWN_REJECT, &f, e);

	if (r == 0 && f.version != 1)
		r = err_set(e, ENOTSUP, "version: is %u; this program reads version 1",
			    f.version);
	if (r < 0) {
		policies_fini(&f.policies);
		return -1;
	}
	*out = f.policies;
	return 0;
}

void policies_fini(struct policies *p)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->v[i].n_rules; k++)
			free(p->v[i].rules[k].keywords);
		free(p->v[i].rules);
	}
	free(p->v);
	*p = (struct policies){ 0 };
}

const struct policy *policies_find(const struct policies *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

static void print_rule(struct json_writer *w, const struct policy_rule *r)
{
	jw_object(w, NULL);
	jw_str(w, "id", r->id);
	jw_str(w, "pattern", r->pattern);
	if (r->keywords)
		jw_strings(w, "keywords", r->keywords);
	jw_array(w, "direction");
	for (size_t d = 0; d < POLICY_DIRECTIONS; d++)
		if (r->directions & 1U << d)
			jw_str(w, NULL, direction_names[d]);
	jw_close(w);
	jw_str(w, "action", action_names[r->action]);
	jw_str(w, "check", check_names[r->check]);
	jw_uint(w, "hold_ms", r->hold_ms);
	jw_close(w);
}

int policy_print(const struct policy *p, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_int(w, "version", 1);
	jw_object(w, "policies");
	jw_array(w, p->name);
	for (size_t i = 0; i < p->n_rules; i++)
		print_rule(w, &p->rules[i]);
	jw_close(w);
	jw_close(w);
	jw_close(w);
	return json_writer_end(w, e);
}
