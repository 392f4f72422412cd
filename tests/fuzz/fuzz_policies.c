/* Any bytes as policies.yaml: what is accepted lies within the limits, and is the same again when it was printed. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/policy.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct policy *p)
{
	if (p->n_rules < 1 || p->n_rules > POLICY_RULES || strlen(p->name) > POLICY_ID)
		abort();
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (!r->id || !r->pattern || !*r->pattern || !r->directions ||
		    r->directions >= 1U << POLICY_DIRECTIONS || r->action > POLICY_KILL ||
		    r->hold_ms < 1)
			abort();
	}
}

static void print_again(const struct policy *p)
{
	auto_buf struct buf first = BUF_LIMIT(1 << 24), second = BUF_LIMIT(1 << 24);
	auto_json struct json_doc *doc = NULL;
	struct policies again = { 0 };
	struct err e = ERR_NONE;

	if (policy_print(p, &first, &e) < 0)
		abort();
	/* A pattern that holds NUL bytes is cut there. */
	if (json_parse(buf_str(&first), buf_len(&first), NULL, &doc, &e) < 0)
		return;
	if (policies_decode(doc, &again, &e) < 0 || again.n != 1 ||
	    policy_print(&again.v[0], &second, &e) < 0 ||
	    strcmp(buf_str(&first), buf_str(&second)) != 0)
		abort();
	policies_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_json struct json_doc *doc = NULL;
	struct policies all = { 0 };
	struct err e = ERR_NONE;

	if (yaml_parse((const char *) data, n, &doc, &e) < 0 ||
	    policies_decode(doc, &all, &e) < 0)
		return 0;
	for (size_t i = 0; i < all.n; i++) {
		check(&all.v[i]);
		print_again(&all.v[i]);
	}
	policies_fini(&all);
	return 0;
}
