/*
 * Counters in Prometheus' text format.
 */
#ifndef CARREL_SESSIOND_METRICS_H
#define CARREL_SESSIOND_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum { METRICS_BUCKETS = 9 };

struct metrics {
	uint64_t requests[6]; /* by the status's first digit */
	uint64_t created, create_failed, quota_refused;
	uint64_t attached, attach_failed;
	uint64_t ended[8]; /* by launch_reason */
	uint64_t start_buckets[METRICS_BUCKETS + 1], start_count, start_us;
};

/* A sandbox was ready this long after its request. */
void metrics_start(struct metrics *m, uint64_t us);
int metrics_render(const struct metrics *m, size_t live, struct buf *out, struct err *e);

#endif
