/*
 * A recording of a terminal: asciicast v3 (one JSON object, then one array a line: seconds since the line before, kind, text),
 * written as it happens, so that what a killed shim leaves is a recording too.
 *
 *   "o" output   "r" size, "COLSxROWS"   "m" a mark of ours   "x" the exit status; last
 *
 * Text in it is UTF-8. A byte of the output that is not becomes U+FFFD, and a comment line before the event tells what it
 * was: "# raw OFFSET:HEX ...", offsets counted from the first byte of output. So the bytes can be had back.
 *
 * A recording ends at its limit, or when it cannot be written: a mark says so where there is room for it, and `ended` holds the
 * reason. The terminal goes on.
 */
#ifndef CARREL_SHIM_RECORDING_H
#define CARREL_SHIM_RECORDING_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum { RECORDING_MIN_BYTES = 4096 };

struct recording {
	int fd;
	uint64_t size, max; /* bytes of the file */
	uint64_t event_ms;  /* of the last event */
	uint64_t offset;    /* of the next byte of output */
	uint8_t part[4];    /* the beginning of a character whose rest has not come */
	uint8_t n_part;
	const char
		*ended; /* NULL while it is written; a static word: "limit", "error", "exit" */
};

struct recording_spec {
	int fd; /* an empty file, written from its start; becomes the record's on success */
	uint64_t max_bytes;
	uint16_t cols, rows;
	const char *title;	  /* may be NULL */
	uint64_t real_ms, now_ms; /* since 1970; of the clock that the events use */
};

int recording_init(struct recording *r, const struct recording_spec *spec, struct err *e);
void recording_fini(struct recording *r);

/* These do nothing once it has ended, nor on a record that was only zeroed (fd 0 is none). */
void recording_output(struct recording *r, const void *p, size_t n, uint64_t now_ms);
void recording_size(struct recording *r, uint16_t cols, uint16_t rows, uint64_t now_ms);
void recording_exit(struct recording *r, int status, uint64_t now_ms);

/* For another program (shim/handover.h); into a zeroed one. The descriptor goes along. */
struct pack;
struct unpack;
void recording_save(const struct recording *r, struct pack *p);
void recording_restore(struct recording *r, struct unpack *u);

#endif
