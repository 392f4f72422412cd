/*
 * What a user of each tier gets: config/tiers.yaml as plain numbers.
 *
 * carrel-image reads the same file for the limits that end in a config.json (cpu, memory, pids, disk, network, a tmpfs as workspace);
 * here they are only shown to users, and checked so that a mistake is found at start.
 */
#ifndef CARREL_SESSIOND_TIERS_H
#define CARREL_SESSIOND_TIERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netmode.h"
#include "base/workspace.h"

struct err;
struct json_doc;

struct tier {
	char name[32];
	double cpu; /* cores */
	uint64_t memory, disk;
	uint32_t pids;
	uint64_t idle_ms, lifetime_ms;
	uint64_t
		lifetime_max_ms; /* from its creation, with all extensions; at least lifetime_ms */
	uint64_t detached_ms;	 /* without a client; 0: no limit */
	uint32_t sandboxes, creations_per_hour;
	enum net_mode network;
	uint64_t recording; /* bytes of a sandbox's recording at most; 0: none is made */
	struct workspace workspace;
	char policy[64]; /* of policies.yaml; "": none */
};

struct tiers {
	struct tier *v;
	size_t n;
};

int tiers_load(const char *path, struct tiers *out, struct err *e);
/* The same for a parsed document; for tests and fuzzing. */
int tiers_decode(struct json_doc *doc, struct tiers *out, struct err *e);
void tiers_fini(struct tiers *t);
/* Whether any of them has a network. */
bool tiers_have_network(const struct tiers *t);
/* What a tier of the file says, and nothing else of it, for whoever starts sandboxes without a daemon; "": nothing. */
int tiers_policy(const char *path, const char *name, char out[64], struct err *e);
/* How much more time, from now, a sandbox may have: the tier's lifetime once more, or what is left of lifetime_max; 0: nothing. */
uint64_t tier_extension(const struct tier *t, uint64_t created_ms, uint64_t now_ms);
const struct tier *tiers_find(const struct tiers *t, const char *name); /* NULL: none */

#endif
