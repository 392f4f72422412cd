/* What resctrl says of a container's class: its shares, and what its monitors count. For events. */
#ifndef CARREL_RUNTIME_RDT_STATS_H
#define CARREL_RUNTIME_RDT_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct err;
struct rdt_place;

/* A resource's limits on this host and its lines of schemata. Absent: !set. */
struct rdt_resource {
	bool set;
	char *mask; /* L3 only: cbm_mask */
	uint64_t min_bits, granularity, linear, min_bandwidth, classes;
	char *root, *own; /* the line of all, the line of the class; or NULL */
};

/* A cache's domain. A number that the hardware did not have just now is absent. */
struct rdt_domain {
	char name[40]; /* mon_L3_00 */
	bool has_total, has_local, has_occupancy;
	uint64_t total, local, occupancy;
};

struct rdt_stats {
	bool set; /* the container has a class */
	struct rdt_resource l3, mb;
	char **schemata;	   /* NULL-terminated lines of the class, or NULL */
	bool bandwidth, occupancy; /* what this host can count */
	struct rdt_domain *domains;
	size_t n_domains;
};
#define RDT_STATS_NONE ((struct rdt_stats){ 0 })

/* A container without a class: !out->set. The monitoring group's numbers, without one the class's. */
int rdt_stats_read(const struct rdt_place *p, struct rdt_stats *out, struct err *e);
void rdt_stats_fini(struct rdt_stats *s);
#define auto_rdt_stats auto_cleanup(rdt_stats_fini)

#endif
