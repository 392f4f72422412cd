/* What stream.c (bytes in and out), lane.c (text and what it may become) and stream_match.c (matches and events) share. Nobody
 * else includes this. */
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
	uint64_t said; /* what ends here or before has been told of */
	uint32_t shown;
	struct print print;
	uint64_t printed; /* up to here */
};

/*
 * One text of a stream. The main one begins and ends with the stream; those of escape strings and of the clipboard begin anew with
 * each string, and lie among the bytes of the main one, which alone keeps bytes.
 */
struct lane {
	struct stream *stream;
	bool whole; /* a match takes all of the string with it, and until it ends none of it goes on */
	bool open;     /* between its begin and its end */
	uint64_t born; /* whole: the string's first byte that has not gone out */
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
};

enum { LANE_MAIN, LANE_STRING, LANE_CLIP, LANES };

struct stream {
	const struct rules *rules;
	enum policy_direction direction;
	const struct print_key *key;
	stream_event_fn fn;
	void *arg;
	struct buf *out; /* of the call that is at work */
	struct text text;
	struct lane *lanes[LANES]; /* but for the main one NULL until there is such a string */
	uint64_t deadline_ms, held_from;
	bool failed;
	struct err why;
};

/* ---- lane.c ---- */

/* NULL: no memory for Vectorscan. */
struct lane *lane_new(struct stream *s);
void lane_free(struct lane *l); /* accepts NULL */

bool lane_applies(const struct lane *l, size_t rule);
void lane_add(struct lane *l, struct cell *cell, const uint8_t *text);
/* Matches what is new in the text, and finds out what may become a match. */
void lane_scan(struct lane *l);
void lane_update(struct lane *l);
/* The last character is taken back. False: there is none. */
bool lane_erase(struct lane *l);
/* As if nothing came any more: what ends in a boundary ends here. */
void lane_end_text(struct lane *l);
/* A string: nothing before it counts. */
void lane_begin(struct lane *l, uint64_t raw);
void lane_end(struct lane *l);

/* The first byte that must wait, at most `limit`; *hold_ms becomes longer as its rules say. */
uint64_t lane_held_from(const struct lane *l, uint64_t limit, uint32_t *hold_ms);

/* ---- stream_match.c ---- */

/* The ends that were noted become matches; the list is empty afterwards. */
void stream_take_ends(struct lane *l);
/* Tells of the matches that cannot grow any more, or of all. */
void stream_say_final(struct lane *l);
void stream_say_all(struct lane *l);

#endif
