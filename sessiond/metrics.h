/*
 * Counters in Prometheus' text format.
 */
#ifndef CARREL_SESSIOND_METRICS_H
#define CARREL_SESSIOND_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum {
	METRICS_BUCKETS = 9,
	METRICS_REASONS = 9, /* launch_reason */
	METRICS_ACTIONS = 4, /* alert, mask, block, kill */
};

struct metrics {
	uint64_t requests[6]; /* by the status's first digit */
	uint64_t created, create_failed, quota_refused;
	uint64_t attached, attach_failed;
	uint64_t ended[METRICS_REASONS];
	uint64_t findings[METRICS_ACTIONS], findings_dropped; /* of policies */
	uint64_t start_buckets[METRICS_BUCKETS + 1], start_count, start_us;
};

/* A sandbox was ready this long after its request. */
void metrics_start(struct metrics *m, uint64_t us);
int metrics_render(const struct metrics *m, size_t live, struct buf *out, struct err *e);

#endif
