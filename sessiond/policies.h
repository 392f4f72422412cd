/*
 * Policies as the scanners read them: checked and compiled by carrel-scan, at the daemon's start into RUN/policies.
 */
#ifndef CARREL_SESSIOND_POLICIES_H
#define CARREL_SESSIOND_POLICIES_H

#include <stdbool.h>

struct config;
struct err;
struct tiers;

/* Each policy of `file`, compiled, into a directory. */
int policies_compile(const char *scanner, const char *file, const char *into, struct err *e);
/* Whether that directory has one of this name. */
bool policies_there(const char *dir, const char *name);

/* ---- the daemon's ---- */

/* malloc'ed; NULL: it was not built or not installed. */
char *policies_scanner(const struct config *c);

/* Compiles them when some tier names one, or when the operator named the file; *any says whether. Takes as long as the compiling: a
 * second for the rules that come with Carrel. */
int policies_prepare(const struct config *c, const struct tiers *t, bool *any, struct err *e);
bool policies_has(const struct config *c, const char *name);
/* malloc'ed: its compiled form, without the ends of the names. */
char *policies_path(const struct config *c, const char *name);

#endif
