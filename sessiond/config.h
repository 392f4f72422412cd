/*
 * What the operator decides: carrel.yaml, overridden by options, completed by defaults, checked.
 */
#ifndef CARREL_SESSIOND_CONFIG_H
#define CARREL_SESSIOND_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/opt.h"

struct err;
struct json_doc;

/* As given: NULL, 0 and empty lists are "not given". Strings are borrowed from argv, the document or
 * `owned`. */
struct config {
	const char *file;
	struct opt_list listen, origins;
	const char *run_dir, *state_dir, *store, *volumes, *tiers, *web, *bin_dir, *seccomp,
		*cgroup;
	const char *tls_certificate, *tls_key; /* both or neither */
	const char *network;		       /* of tiers that have one: "10.209.0.0/16" */
	const char *default_image;
	const char *upgrade_shims; /* "by-hand" (the default) or "at-start" */
	const char *log_format, *log_level;
	const char *policies; /* policies.yaml; NULL: there is none */
	bool policies_named;  /* by the operator, not only found */
	uint64_t keep_ended_ms;
	uint64_t uid_base, uid_slots;
	bool insecure_listen;
	bool first_use_key, ephemeral;
	bool upgrade_at_start; /* upgrade_shims says so */

	struct json_doc *doc;
	char *owned[20];
	size_t n_owned;
};

/* Reads c->file when it is given and fills the gaps; makes paths absolute. exe_dir: where this program
 * lies, for the programs beside it and the files that were installed with it. */
int config_complete(struct config *c, const char *exe_dir, struct err *e);
/* The rows of one carrel.yaml; for tests and fuzzing. */
int config_decode(struct json_doc *doc, struct config *out, struct err *e);
void config_fini(struct config *c);

#endif
