/*
 * The daemon's parts in one place, for the handlers. Policy lives in the parts.
 */
#ifndef CARREL_SESSIOND_SERVER_H
#define CARREL_SESSIOND_SERVER_H

#include <stdbool.h>

#include "sessiond/metrics.h"
#include "sessiond/origin.h"
#include "sessiond/tiers.h"

struct audit;
struct config;
struct db;
struct launch;
struct loop;
struct pages;
struct sandboxes;
struct tickets;
struct tls;

struct server {
	struct loop *loop;
	const struct config *config;
	struct tiers tiers;
	struct origins origins;
	struct db *db;
	struct tickets *tickets;
	struct tls *tls; /* NULL: plain HTTP */
	struct launch *launch;
	struct sandboxes *sandboxes;
	struct pages *pages;
	bool policies;	     /* there are some: a sandbox may be under one */
	struct audit *audit; /* NULL: nothing can be found */
	struct metrics metrics;
	bool ready;    /* recovery is done */
	bool stopping; /* no new sandboxes */
};

#endif
