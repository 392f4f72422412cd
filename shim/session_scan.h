/*
 * A session under a policy: what is read from the program and from its clients goes to the scanner (shim/scan_link.h), and what
 * the scanner passes goes on: output into the history, input to the program.
 *
 * Without a policy none of this is called.
 */
#ifndef CARREL_SHIM_SESSION_SCAN_H
#define CARREL_SHIM_SESSION_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/ring.h"
#include "shim/scan_talk.h"

struct session;

struct session_scan {
	bool on;
	size_t flight[SCAN_STREAMS]; /* bytes that the scanner has not taken */
	bool ending
		[SCAN_STREAMS]; /* it has been told that no more comes, and has not passed all */
};

void session_scan_open(struct session *s);
void session_scan_close(struct session *s);
void session_scan_resized(struct session *s);

/* How much more output may be in flight. */
size_t session_scan_room(const struct session *s);
void session_scan_output(struct session *s, enum ring_stream from, const uint8_t *p, size_t n);
void session_scan_output_end(struct session *s, enum ring_stream from);
/* Output that is to come from the scanner alone. */
bool session_scan_draining(const struct session *s);

void session_scan_input(struct session *s, const uint8_t *p, size_t n);
void session_scan_input_end(struct session *s);

/* For another program (shim/handover.h); into a zeroed one. */
struct pack;
struct unpack;
void session_scan_save(const struct session *s, struct pack *p);
void session_scan_restore(struct session *s, struct unpack *u);

/* ---- for scan_link.c ---- */

/* False: more was taken than was sent. */
bool session_scan_passed(struct session *s, enum scan_stream stream, const uint8_t *p, size_t n,
			 size_t taken);
void session_scan_ended(struct session *s, enum scan_stream stream);
/* There is no scanner any more: nothing that it did not pass goes on. */
void session_scan_lost(struct session *s);

#endif
