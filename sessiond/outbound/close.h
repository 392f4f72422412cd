/*
 * Close codes of a connection between a dialer and a relay, beside those of WebSocket. 44xx: it is not to come back soon.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_CLOSE_H
#define CARREL_SESSIOND_OUTBOUND_CLOSE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CLOSE_STOPPING = 1001,
	CLOSE_REFUSED = 4401,
	CLOSE_REPLACED = 4409,
};

static inline bool close_is_refusal(uint16_t code)
{
	return code >= 4400 && code < 4500;
}

#endif
