/*
 * How many bytes of one stream may still travel in each direction, and which directions have ended. Pure.
 *
 * The receiver announces a window; the sender never has more than that on the way. What the receiver has passed on
 * comes back as credit, half a window at a time. So a stream whose reader stands still holds one window
 * of memory, and no other stream.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_FLOW_H
#define CARREL_SESSIOND_OUTBOUND_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct flow {
	uint32_t window;   /* ours */
	uint32_t may_come; /* of it */
	uint32_t owed;	   /* passed on, and not given back yet */
	uint32_t may_go;
	bool end_came, end_sent;
};

void flow_init(struct flow *f, uint32_t our_window, uint32_t their_window);

/* n bytes came, an END came, credit came: errors are the peer's, and end the connection. */
int flow_came(struct flow *f, size_t n, struct err *e);
int flow_end_came(struct flow *f, struct err *e);
int flow_credit_came(struct flow *f, uint32_t n, struct err *e);

/* n bytes that came were passed on; returns the credit that is to be sent now, 0 for none yet. */
uint32_t flow_passed(struct flow *f, size_t n);

/* n bytes were sent, n <= may_go. */
void flow_sent(struct flow *f, size_t n);

#endif
