/*
 * Pausing the sandbox and letting it go on: the runtime's pause and resume, watched and not waited for.
 */
#ifndef CARREL_SHIM_FREEZER_H
#define CARREL_SHIM_FREEZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/child.h"

struct err;
struct orders;

struct freezer {
	const struct orders *orders;
	const char *dir;
	int bundle_fd;
	int talk_fd;
	struct child runtime; /* at work */
	bool freezing;	      /* what it is doing */
	bool frozen;
	bool must_thaw; /* the sandbox is to end: nothing else counts any more */
	uint64_t deadline_ms;
};

/* The front wants this. Its answer is PAUSED or RESUMED, with the reason as text when it could not be. */
void freezer_ask(struct freezer *f, bool freeze);
/* A process that was killed dies when it runs again: version 1's freezer keeps it. */
void freezer_thaw(struct freezer *f);

/* For poll; -1: nothing is at work. */
int freezer_fd(const struct freezer *f);
void freezer_look(struct freezer *f);
void freezer_fini(struct freezer *f);

#endif
