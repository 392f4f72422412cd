/*
 * Where a recording is read from: a file, or a daemon's answers; either may grow while it is read.
 */
#ifndef CARREL_SESSIOND_CLI_CAST_SOURCE_H
#define CARREL_SESSIOND_CLI_CAST_SOURCE_H

#include <stdbool.h>
#include <stdio.h>

#include "sessiond/cli/rest.h"

struct cli;
struct err;

struct cast_source {
	FILE *f; /* read on after cast_source_more */
	bool far;
	struct rest rest;
	const char *id; /* borrowed */
	int copy_fd;	/* what the daemon answered, to be written on */
	bool ended;	/* its sandbox had, when it was asked last */
};

/* operand: an ID when the command line names a daemon, else a file. */
int cast_source_open(const struct cli *c, const char *operand, struct cast_source *out,
		     struct err *e);
/* Accepts a zeroed one. */
void cast_source_close(struct cast_source *s);

/* At the end of f. Waits: 1 when there is more, 0 when nothing comes any more, which of a file nobody knows. */
int cast_source_more(struct cast_source *s, struct err *e);

#endif
