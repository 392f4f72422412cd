/* What stream.c (text in, bytes out) and stream_match.c (matches and events) share. Nobody else includes this. */
#ifndef CARREL_SHIM_SCAN_STREAM_INTERNAL_H
#define CARREL_SHIM_SCAN_STREAM_INTERNAL_H

#include "base/err.h"
#include "shim/scan/cells.h"
#include "shim/scan/stream.h"
#include "shim/scan/text.h"

struct hs_stream;

/* Somewhere a match of this rule ends. */
struct stream_end {
	size_t rule;
	uint64_t to;
};

struct stream_rule {
	uint64_t live;
	/* A match that has not been told yet, since it may grow. */
	bool found, told, noticed;
	uint64_t from, to, counted, offset;
	uint32_t shown;
	struct print print;
	uint64_t printed; /* up to here */
};

struct stream {
	const struct rules *rules;
	enum policy_direction direction;
	const struct print_key *key;
	stream_event_fn fn;
	void *arg;
	struct buf *out; /* of the call that is at work */
	struct text text;
	struct cells cells;
	struct hs_stream *hs;
	uint64_t hs_from; /* position of the first byte that it read */
	uint64_t scanned, checked;
	bool stale;
	struct stream_end *ends;
	size_t n_ends, cap_ends;
	struct stream_rule *state;
	bool dropping,
		notice_due; /* the rest of this line goes; it has not been said yet that it does */
	uint16_t drop_rule;
	uint64_t deadline_ms, held_from;
	bool failed;
	struct err why;
};

/* The ends that were noted become matches; the list is empty afterwards. */
void stream_take_ends(struct stream *s);
/* Tells of the matches that cannot grow any more, or of all. */
void stream_say_final(struct stream *s);
void stream_say_all(struct stream *s);

#endif
