/*
 * What a pull or push has to tell while it lasts. The library says what happens; how it looks is the caller's.
 */
#ifndef CARREL_IMAGES_PROGRESS_H
#define CARREL_IMAGES_PROGRESS_H

#include <stdint.h>

struct digest;

enum progress_kind {
	PROGRESS_RESOLVED, /* name, digest: which manifest it is */
	PROGRESS_BLOB,	   /* digest, state, done of total bytes */
	PROGRESS_NOTE,	   /* name, text: why something takes longer */
};

struct progress_event {
	enum progress_kind kind;
	const char *name, *text;
	const struct digest *digest;
	const char *state; /* "waiting", "moving", "present", "mounted", "done", "unpacked" */
	uint64_t done, total;
};

struct progress {
	void (*tell)(void *arg, const struct progress_event *event);
	void *arg;
};

/* p may be NULL. */
void progress_resolved(const struct progress *p, const char *name, const struct digest *d);
void progress_blob(const struct progress *p, const struct digest *d, const char *state,
		   uint64_t done, uint64_t total);
void progress_note(const struct progress *p, const char *name, const char *text);

#endif
