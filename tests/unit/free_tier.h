/*
 * The tier of the daemon's tests.
 */
#ifndef CARREL_TESTS_UNIT_FREE_TIER_H
#define CARREL_TESTS_UNIT_FREE_TIER_H

#include "sessiond/tiers.h"

static const struct tier free_tier = {
	.name = "free",
	.cpu = 0.5,
	.idle_ms = 900 * 1000,
	.lifetime_ms = 7200 * 1000,
	.sandboxes = 3,
	.creations_per_hour = 5,
};

#endif
