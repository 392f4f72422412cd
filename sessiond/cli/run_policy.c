#include "sessiond/cli/run_policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/helper.h"
#include "base/json.h"
#include "base/util.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/place.h"
#include "sessiond/policies.h"
#include "sessiond/tiers.h"

enum { FINDINGS_MAX = 1 << 20, TOLD = 20 };

/* ---- which ---- */

static int tier_policy(const struct opts_run *o, char out[64], struct err *e)
{
	auto_free char *tiers = NULL;

	out[0] = 0;
	if (!o->tier)
		return 0;
	tiers = place_data(o->tiers, "tiers.yaml", e);
	return tiers ? tiers_policy(tiers, o->tier, out, e) : -1;
}

static int choose(const struct opts_run *o, char tier[64], const char **name, struct err *e)
{
	if (tier_policy(o, tier, e) < 0)
		return -1;
	*name = tier[0] ? tier : o->policy;
	if (tier[0] && o->policy && strcmp(o->policy, tier) != 0)
		return err_set(e, EACCES,
			       "--policy: tier %s puts its sandboxes under %s; %s cannot take "
			       "its place",
			       o->tier, tier, o->policy);
	if (!*name && o->policies)
		return err_set(e, EINVAL, "--policies: --policy says which of them");
	return 0;
}

/* ---- the compiled form ---- */

/* Not below another directory than its own, however it is called. */
static int check_name(const char *name, const char *file, const char *dir, struct err *e)
{
	if (strchr(name, '/') || !policies_there(dir, name))
		return err_set(e, ENOENT, "there is no policy %s in %s", name, file);
	return 0;
}

int run_policy_prepare(struct run_policy *p, struct launch *l, const struct opts_run *o,
		       struct err *e)
{
	auto_free char *scanner = NULL, *file = NULL;
	const char *name = NULL;
	char tier[64];

	if (choose(o, tier, &name, e) < 0)
		return -1;
	if (!name)
		return 0;
	scanner = helper_find("carrel-scan");
	if (!scanner)
		return err_set(e, ENOENT,
			       "policy %s: there is no carrel-scan, and without it nothing is "
			       "run under a policy",
			       name);
	file = place_data(o->policies, "policies.yaml", e);
	if (!file || launch_work_make(l, &p->work, e) < 0 ||
	    policies_compile(scanner, file, p->work.path, e) < 0 ||
	    check_name(name, file, p->work.path, e) < 0)
		return -1;
	p->path = xasprintf("%s/%s", p->work.path, name);
	return 0;
}

void run_policy_started(struct run_policy *p, struct launch *l, const char *id)
{
	launch_work_remove(l, &p->work);
	if (p->path)
		p->findings_fd = launch_open_findings(l, id);
}

void run_policy_fini(struct run_policy *p, struct launch *l)
{
	if (p->work.path)
		launch_work_remove(l, &p->work);
	fd_close(&p->findings_fd);
	free(p->path);
	*p = RUN_POLICY_NONE;
}

/* ---- what it found ---- */

static void tell(const char *line, size_t n)
{
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;
	const struct json *v;

	if (json_parse(line, n, NULL, &doc, &e) < 0) {
		cli_note("policy.jsonl: %s", e.msg);
		return;
	}
	v = json_root(doc);
	if (json_get(v, "dropped"))
		cli_note("policy: %lld more findings",
			 (long long) json_int_or(v, "dropped", 0));
	else
		cli_note(
			"policy: %s: %s, %s at byte %lld, %lld characters, %lld of them shown, "
			"fingerprint %s",
			json_str_or(v, "rule", "?"), json_str_or(v, "action", "?"),
			json_str_or(v, "direction", "?"),
			(long long) json_int_or(v, "offset", 0),
			(long long) json_int_or(v, "characters", 0),
			(long long) json_int_or(v, "shown", 0),
			json_str_or(v, "fingerprint", "none"));
}

void run_policy_report(const struct run_policy *p)
{
	auto_buf struct buf text = BUF_LIMIT(FINDINGS_MAX + 1);
	struct err e = ERR_NONE;
	size_t n = 0;

	if (p->findings_fd < 0)
		return;
	if (fd_read_all(p->findings_fd, FINDINGS_MAX, &text, &e) < 0) {
		cli_note("policy.jsonl: %s", e.msg);
		return;
	}
	while (buf_len(&text) > 0) {
		const char *line = (const char *) buf_bytes(&text);
		const char *end = memchr(line, '\n', buf_len(&text));

		if (!end)
			break;
		if (n++ < TOLD)
			tell(line, (size_t) (end - line));
		buf_consume(&text, (size_t) (end - line) + 1);
	}
	if (n > TOLD)
		cli_note("policy: %zu more findings", n - TOLD);
}
