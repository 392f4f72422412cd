/*
 * The policies that tiers name: checked and compiled at the daemon's start, by carrel-scan, into RUN/policies, from where the
 * scanner of each sandbox reads its own.
 */
#ifndef CARREL_SESSIOND_POLICIES_H
#define CARREL_SESSIOND_POLICIES_H

struct config;
struct err;
struct tiers;

/* malloc'ed: RUN/policies. */
char *policies_dir(const struct config *c);
/* malloc'ed; NULL: it was not built or not installed. */
char *policies_scanner(const struct config *c);

/* Nothing when no tier names one. Takes as long as the compiling: a second for the rules that come with Carrel. */
int policies_prepare(const struct config *c, const struct tiers *t, struct err *e);

#endif
