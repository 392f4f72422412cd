/* Any bytes as tiers.yaml and as carrel.yaml: what is accepted lies within the limits that the errors name. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"
#include "sessiond/config.h"
#include "sessiond/tiers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct tier *t)
{
	if (!(t->cpu >= 0.01 && t->cpu <= 1024) || !t->memory || !t->disk || !t->pids ||
	    !t->idle_ms || t->idle_ms > t->lifetime_ms || !t->sandboxes ||
	    !t->creations_per_hour || !t->name[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_json struct json_doc *doc = NULL;
	struct config c = { 0 };
	struct tiers t = { 0 };
	struct err e = ERR_NONE;

	if (yaml_parse((const char *) data, n, &doc, &e) < 0)
		return 0;
	if (tiers_decode(doc, &t, &e) == 0) {
		for (size_t i = 0; i < t.n; i++)
			check(&t.v[i]);
	}
	tiers_fini(&t);
	(void) config_decode(doc, &c, &e);
	config_fini(&c);
	return 0;
}
