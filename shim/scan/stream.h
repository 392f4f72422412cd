/*
 * One direction of one process under a policy: bytes in, the bytes that may go on out, and what was found.
 *
 *   bytes ──► text.h ──► characters ──► Vectorscan: here a match ends ──► PCRE2: there it began ──► marked
 *                                             └─► PCRE2: this may begin one ──► held back
 *   bytes before what is held back ──► out, masked where marked
 *
 * What goes out does not depend on how the bytes were cut into reads, as long as nothing held back is let go for its time
 * (stream_expire). What has gone out cannot be masked any more; the event says how much that was.
 */
#ifndef CARREL_SHIM_SCAN_STREAM_H
#define CARREL_SHIM_SCAN_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/policy.h"
#include "shim/scan/print.h"

struct buf;
struct err;
struct rules;
struct stream;

enum {
	STREAM_HELD = 16384, /* bytes: more than these are let go, whatever they may become */
};

/* Overlapping matches of one rule are one event. */
struct stream_event {
	size_t rule;
	enum policy_action action;
	enum policy_direction direction;
	uint64_t offset;		 /* of its first byte in what was written */
	uint32_t characters;		 /* of the text */
	uint32_t shown;			 /* of them, that had gone out before it was known */
	char fingerprint[PRINT_HEX + 1]; /* "": there is no key */
};

typedef void (*stream_event_fn)(void *arg, const struct stream_event *ev);

struct stream_spec {
	const struct rules *rules; /* borrowed */
	enum policy_direction direction;
	unsigned cols; /* of the terminal that it is shown on; 0: none */
	bool terminal;
	const struct print_key *key; /* borrowed; NULL: no fingerprints */
	stream_event_fn fn;	     /* called from the functions below */
	void *arg;
};

int stream_new(const struct stream_spec *spec, struct stream **out, struct err *e);
void stream_free(struct stream *s); /* accepts NULL */
void stream_resize(struct stream *s, unsigned cols);

/* Appends to `out` what may go on. */
int stream_feed(struct stream *s, const uint8_t *p, size_t n, uint64_t now_ms, struct buf *out,
		struct err *e);
/* When something that is held back is to be let go; UINT64_MAX: nothing is. */
uint64_t stream_deadline(const struct stream *s);
int stream_expire(struct stream *s, struct buf *out, struct err *e);
/* Nothing more comes: everything goes out. */
int stream_finish(struct stream *s, struct buf *out, struct err *e);

#endif
