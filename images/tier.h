/*
 * What a tier allows a sandbox, as far as its bundle is concerned. Members that are policy (how many, how
 * long) are not looked at here.
 */
#ifndef CARREL_IMAGES_TIER_H
#define CARREL_IMAGES_TIER_H

#include <stddef.h>
#include <stdint.h>

#include "base/netmode.h"
#include "base/workspace.h"

struct err;

struct tier {
	double cpu;	 /* cores */
	uint64_t memory; /* bytes */
	uint64_t swap;	 /* bytes on top of memory */
	uint32_t pids;
	uint64_t disk; /* bytes of all writable tmpfs together */
	uint32_t nofile;
	enum net_mode network;
	struct workspace
		workspace; /* a tmpfs with a size has that instead of its share of disk */
};

/* For bundles without a tier. */
#define TIER_DEFAULT                                                                           \
	((struct tier){ .cpu = 1,                                                              \
			.memory = 512ULL << 20,                                                \
			.swap = 0,                                                             \
			.pids = 128,                                                           \
			.disk = 256ULL << 20,                                                  \
			.nofile = 1024,                                                        \
			.workspace = WORKSPACE_DEFAULT })

/* Reads tiers.NAME of a YAML file. cpu, memory, pids and disk have to be there: a misspelt one must not
 * become "unlimited". swap (none), nofile and network (none) have the defaults above. */
int tier_load(const char *file, const char *name, struct tier *out, struct err *e);
/* The same from text. */
int tier_parse(const char *text, size_t n, const char *name, struct tier *out, struct err *e);

#endif
