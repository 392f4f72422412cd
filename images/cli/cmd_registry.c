/* pull and push: what speaks to registries. */
#include <errno.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "images/cli/cli.h"
#include "images/cli/interrupt.h"
#include "images/cli/meter.h"
#include "images/pull.h"
#include "images/push.h"
#include "images/registries.h"
#include "images/store.h"

/* The Makefile says where things are installed. */
#ifndef CARREL_PREFIX
#define CARREL_PREFIX "/usr/local"
#endif

enum { MAX_PARALLEL = 12, MAX_RETRIES = 100 };

static int set_way(const struct opts_registry *o, const struct registries *r,
		   const struct progress *p, struct registry_options *out, struct err *e)
{
	*out = REGISTRY_OPTIONS_DEFAULT;
	out->registries = r;
	out->progress = p;
	out->creds = o->creds;
	out->authfile = o->authfile;
	if (o->creds && o->authfile)
		return err_set(e, EINVAL, "--creds and --authfile exclude each other");
	if (o->parallel > MAX_PARALLEL || o->retries > MAX_RETRIES)
		return err_set(e, EINVAL, "--parallel is at most %d, --retries %d",
			       MAX_PARALLEL, MAX_RETRIES);
	if (o->parallel)
		out->parallel = (unsigned) o->parallel;
	if (o->retries)
		out->retries = (uint32_t) o->retries;
	if (o->delay_ms)
		out->delay_ms = o->delay_ms;
	if (o->stall_ms)
		out->stall_ms = o->stall_ms;
	if (o->deadline_ms)
		out->deadline_ms = o->deadline_ms;
	return 0;
}

int cli_pull(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_pull *o = opts;
	struct import_options import = { .name = o->name,
					 .skip_devices = o->limits.skip_devices,
					 .limits = IMAGE_LIMITS_DEFAULT };
	auto_registries struct registries registries = { 0 };
	auto_meter struct meter meter = METER_NONE;
	auto_store struct store s = STORE_NONE;
	struct registry_options way;
	struct err e = ERR_NONE;
	struct digest d;

	interrupt_arm(c->store, NULL);
	cli_set_limits(&o->limits, &import.limits);
	if ((o->format && layer_format_parse(o->format, &import.format, &e) < 0) ||
	    (o->platform && platform_parse(o->platform, &import.platform, &e) < 0) ||
	    meter_open(o->way.progress, &meter, &e) < 0 ||
	    registries_load(o->way.registries, CARREL_PREFIX, &registries, &e) < 0 ||
	    set_way(&o->way, &registries, &meter.progress, &way, &e) < 0 ||
	    store_open(c->store, STORE_WORK, &s, &e) < 0 ||
	    pull_image(&s, operands[0], &import, &way, &d, &e) < 0) {
		meter_close(&meter);
		return cli_fail("pull", &e);
	}
	meter_close(&meter);
	return cli_print_digest("pull", &d);
}

int cli_push(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_push *o = opts;
	auto_registries struct registries registries = { 0 };
	auto_meter struct meter meter = METER_NONE;
	auto_store struct store s = STORE_NONE;
	struct registry_options way;
	struct err e = ERR_NONE;
	struct digest d;

	if (meter_open(o->way.progress, &meter, &e) < 0 ||
	    registries_load(o->way.registries, CARREL_PREFIX, &registries, &e) < 0 ||
	    set_way(&o->way, &registries, &meter.progress, &way, &e) < 0 ||
	    store_open(c->store, STORE_READ, &s, &e) < 0 ||
	    push_image(&s, operands[0], n > 1 ? operands[1] : NULL, o->chunk, &way, &d, &e) <
		    0) {
		meter_close(&meter);
		return cli_fail("push", &e);
	}
	meter_close(&meter);
	return cli_print_digest("push", &d);
}
