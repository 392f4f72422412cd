#define PCRE2_CODE_UNIT_WIDTH 8

#include "shim/scan/rules.h"

#include <ctype.h>
#include <errno.h>
#include <hs/hs.h>
#include <limits.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"

enum {
	CHARACTER = 4, /* bytes at most */
	WORKSPACE =
		65536, /* numbers for the DFA matcher's states; a pattern that needs more is refused */
};

static const unsigned hs_flags = HS_FLAG_UTF8;

/* ---- compiling ---- */

/* How long a match can be, and whether there is a pattern that can be matched at all. */
static int measure(struct rule *r, struct err *e)
{
	hs_compile_error_t *why = NULL;
	hs_expr_info_t *info = NULL;
	int result = 0;

	if (hs_expression_info(r->policy->pattern, hs_flags, &info, &why) != HS_SUCCESS) {
		(void) err_set(e, EINVAL, "%s", why ? why->message : "it cannot be compiled");
		hs_free_compile_error(why);
		return -1;
	}
	if (info->min_width == 0)
		result = err_set(e, EINVAL, "it matches nothing at all");
	else if (info->max_width == UINT_MAX)
		result =
			err_set(e, EINVAL,
				"a match has no greatest length; write {0,%d} instead of * and "
				"{1,%d} instead of +",
				RULES_WIDTH / 4, RULES_WIDTH / 4);
	else if (info->max_width > RULES_WIDTH)
		result = err_set(e, EINVAL, "a match may have %u characters; %d are possible",
				 info->max_width, RULES_WIDTH);
	r->width = (size_t) info->max_width * CHARACTER;
	free(info);
	return result;
}

/* Where all matches are of one-byte characters the window is as small as it can be. */
static bool plain_pattern(const char *p)
{
	for (; *p; p++)
		if (*p & 0x80 || *p == '.' || (p[0] == '[' && p[1] == '^') ||
		    (p[0] == '\\' && p[1] && strchr("DSWXPpxN", p[1])))
			return false;
	return true;
}

static int compile_rule(struct rule *r, struct err *e)
{
	PCRE2_UCHAR text[160];
	PCRE2_SIZE at;
	int code;

	if (measure(r, e) < 0)
		return -1;
	if (plain_pattern(r->policy->pattern))
		r->width /= CHARACTER;
	r->code = pcre2_compile((PCRE2_SPTR) r->policy->pattern, PCRE2_ZERO_TERMINATED,
				PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (r->code)
		return 0;
	(void) pcre2_get_error_message(code, text, sizeof(text));
	return err_set(e, EINVAL, "at %zu: %s", at, (const char *) text);
}

static int compile_all(struct rules *r, struct err *e)
{
	for (size_t i = 0; i < r->policy->n_rules; i++) {
		r->v[i].policy = &r->policy->rules[i];
		r->n = i + 1;
		if (compile_rule(&r->v[i], e) < 0)
			return err_wrap(e, "policies.%s.%s.pattern", r->policy->name,
					r->v[i].policy->id);
		r->width = MAX(r->width, r->v[i].width);
	}
	return 0;
}

static int compile_database(struct rules *r, struct err *e)
{
	const char *patterns[POLICY_RULES];
	unsigned flags[POLICY_RULES], ids[POLICY_RULES];
	hs_compile_error_t *why = NULL;

	for (size_t i = 0; i < r->n; i++) {
		patterns[i] = r->v[i].policy->pattern;
		flags[i] = hs_flags;
		ids[i] = (unsigned) i;
	}
	if (hs_compile_multi(patterns, flags, ids, (unsigned) r->n, HS_MODE_STREAM, NULL,
			     &r->db, &why) == HS_SUCCESS)
		return 0;
	if (why && why->expression >= 0 && (size_t) why->expression < r->n)
		(void) err_set(e, EINVAL, "policies.%s.%s.pattern: %s", r->policy->name,
			       r->v[why->expression].policy->id, why->message);
	else
		(void) err_set(e, EINVAL, "policies.%s: %s", r->policy->name,
			       why ? why->message : "the rules cannot be compiled");
	hs_free_compile_error(why);
	return -1;
}

static int open_database(struct rules *r, const void *database, size_t n, struct err *e)
{
	if (hs_valid_platform() != HS_SUCCESS)
		return err_set(e, ENOTSUP, "Vectorscan needs a processor with SSSE3 or NEON");
	if (!database)
		return compile_database(r, e);
	if (hs_deserialize_database(database, n, &r->db) != HS_SUCCESS)
		return err_set(e, EINVAL,
			       "policy %s: its compiled form is of another version or machine; "
			       "compile it again",
			       r->policy->name);
	return 0;
}

int rules_compile(struct json_doc *doc, const char *name, const void *database, size_t n,
		  struct rules *out, struct err *e)
{
	struct rules r = { .doc = doc, .n_workspace = WORKSPACE };
	int result = policies_decode(doc, &r.policies, e);

	if (result == 0) {
		r.policy = policies_find(&r.policies, name);
		if (!r.policy)
			result = err_set(e, ENOENT, "there is no policy %s", name);
	}
	if (result == 0) {
		r.v = xalloc(r.policy->n_rules * sizeof(*r.v));
		r.workspace = xalloc(r.n_workspace * sizeof(*r.workspace));
		r.match = pcre2_match_data_create(RULES_ENDS, NULL);
		result = compile_all(&r, e);
	}
	if (result == 0)
		result = open_database(&r, database, n, e);
	if (result == 0 && hs_alloc_scratch(r.db, &r.scratch) != HS_SUCCESS)
		result = err_set(e, ENOMEM, "no memory for Vectorscan");
	if (result < 0) {
		rules_fini(&r);
		return -1;
	}
	*out = r;
	return 0;
}

void rules_fini(struct rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		pcre2_code_free(r->v[i].code);
	pcre2_match_data_free(r->match);
	hs_free_scratch(r->scratch);
	hs_free_database(r->db);
	free(r->v);
	free(r->workspace);
	policies_fini(&r->policies);
	json_doc_free(r->doc);
	*r = (struct rules){ 0 };
}

int rules_database(const struct rules *r, struct buf *out, struct err *e)
{
	char *bytes = NULL;
	size_t n = 0;
	int result;

	if (hs_serialize_database(r->db, &bytes, &n) != HS_SUCCESS)
		return err_set(e, ENOMEM, "policy %s: no memory for its compiled form",
			       r->policy->name);
	result = buf_append(out, bytes, n, e);
	free(bytes);
	return result;
}

/* ---- matching ---- */

enum rules_found rules_find(const struct rules *r, size_t i, const uint8_t *text, size_t n,
			    size_t at, bool partial, size_t *from, size_t ends[RULES_ENDS],
			    size_t *n_ends)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);
	uint32_t options =
		PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY | (partial ? PCRE2_PARTIAL_HARD : 0);
	int found;

	if (at >= n)
		return RULES_NONE;
	found = pcre2_dfa_match(r->v[i].code, text, n, at, options, r->match, NULL,
				r->workspace, r->n_workspace);
	if (found == PCRE2_ERROR_NOMATCH)
		return RULES_NONE;
	*from = v[0];
	if (found == PCRE2_ERROR_PARTIAL) /* a boundary at the very end says nothing */
		return v[0] < n ? RULES_PARTIAL : RULES_NONE;
	/* Too many states: what cannot be decided may be a match. */
	if (found < 0) {
		*from = at;
		return partial ? RULES_PARTIAL : RULES_NONE;
	}
	*n_ends = found == 0 ? RULES_ENDS : (size_t) found;
	for (size_t k = 0; k < *n_ends; k++)
		ends[k] = v[2 * k + 1];
	return RULES_MATCH;
}

/* ---- keywords ---- */

static bool contains(const uint8_t *text, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= n; i++)
		if (strncasecmp((const char *) text + i, word, len) == 0)
			return true;
	return false;
}

bool rules_keyword_within(const struct rule *r, const uint8_t *text, size_t at, size_t end)
{
	size_t from = at > RULES_NEAR ? at - RULES_NEAR : 0;

	if (!r->policy->keywords)
		return true;
	for (const char **word = r->policy->keywords; *word; word++)
		if (contains(text + from, end - from, *word))
			return true;
	return false;
}

bool rules_keyword(const struct rule *r, const uint8_t *text, size_t at)
{
	return rules_keyword_within(r, text, at, at);
}

/* ---- checks ---- */

static bool luhn(const uint8_t *text, size_t n)
{
	unsigned sum = 0, digits = 0;
	bool nonzero = false;

	for (size_t i = n; i-- > 0;) {
		unsigned d = (unsigned) (text[i] - '0');

		if (!isdigit(text[i]))
			continue;
		nonzero |= d != 0;
		if (digits++ % 2 == 1)
			d = d > 4 ? 2 * d - 9 : 2 * d;
		sum += d;
	}
	return digits >= 12 && nonzero && sum % 10 == 0;
}

bool rules_check(const struct rule *r, const uint8_t *text, size_t n)
{
	return r->policy->check != POLICY_CHECK_LUHN || luhn(text, n);
}
