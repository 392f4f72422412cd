/* bundle */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "images/bundle.h"
#include "images/cli/cli.h"
#include "images/index.h"
#include "images/store.h"

/* The Makefile says where the profile is installed. */
#ifndef CARREL_PREFIX
#define CARREL_PREFIX "/usr/local"
#endif

static const char default_seccomp[] = CARREL_PREFIX "/share/carrel/seccomp.json";

static int choose_tier(const struct opts_bundle *o, struct tier *out, struct err *e)
{
	*out = TIER_DEFAULT;
	if (!o->tier && !o->tiers)
		return 0;
	if (!o->tier || !o->tiers)
		return err_set(e, EINVAL, "--tiers and --tier go together");
	if (tier_load(o->tiers, o->tier, out, e) < 0)
		return -1;
	if (out->network == NET_MODE_NONE || (o->network_address && o->network_gateway))
		return 0;
	return err_set(
		e, EINVAL,
		"tier %s has a network: --network-address and --network-gateway are needed",
		o->tier);
}

static int choose_ids(const struct opts_bundle *o, struct bundle_options *out, struct err *e)
{
	uint64_t base = o->uid_base ? o->uid_base : 524288;
	uint64_t count = o->uid_count ? o->uid_count : 65536;

	if (base > UINT32_MAX || count > UINT32_MAX)
		return err_set(e, EINVAL, "--uid-base, --uid-count: ids end at 4294967294");
	out->uid_base = (uint32_t) base;
	out->uid_count = (uint32_t) count;
	return 0;
}

/* What is missing may also be a file of ours. */
static bool in_store(const struct store *s, const char *image)
{
	auto_index struct index ix = { 0 };
	struct err ignored = ERR_NONE;

	return s->dir_fd < 0 || index_load(s, &ix, &ignored) < 0 ||
	       index_find(&ix, image, &ignored) || ignored.code != ENOENT;
}

int cli_bundle(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_bundle *o = opts;
	auto_free const char **args = xalloc(((size_t) n + 1) * sizeof(*args));
	struct bundle_options b = { .cgroup = o->cgroup,
				    .hostname = o->hostname ? o->hostname : "carrel",
				    .init = o->init,
				    .seccomp = o->seccomp ? o->seccomp : default_seccomp,
				    .id = o->id,
				    .user = o->user,
				    .cwd = o->cwd,
				    .address = o->network_address,
				    .gateway = o->network_gateway,
				    .env = o->env.v,
				    .terminal = !o->no_terminal };
	auto_store struct store s = STORE_NONE;
	struct err e = ERR_NONE;

	for (int i = 2; i < n; i++)
		args[i - 2] = operands[i];
	b.args = n > 2 ? args : NULL;
	if (choose_tier(o, &b.tier, &e) == 0 && choose_ids(o, &b, &e) == 0 &&
	    store_open(c->store, STORE_READ, &s, &e) == 0 &&
	    bundle_write(&s, operands[0], operands[1], &b, &e) == 0)
		return 0;
	(void) cli_fail("bundle", &e);
	return e.code == ENOENT && !in_store(&s, operands[0]) ? CLI_NOT_IN_STORE : 1;
}
