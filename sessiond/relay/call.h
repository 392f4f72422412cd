/*
 * What a request to the relay is: a dialer's, one for a host, or the relay's own; and the head that a host is sent. Pure.
 *
 * By name (HOST.SUFFIX in the Host field) every path belongs to the host. Otherwise /dial is the dialers', /healthz the
 * relay's, and /h/HOST/REST is REST of that host, for programs: all hosts would be one origin to a browser, so what a browser
 * sends is refused there.
 *
 * One request per connection: the head that goes on says so, and behind it only as many bytes as its Content-Length.
 */
#ifndef CARREL_SESSIOND_RELAY_CALL_H
#define CARREL_SESSIOND_RELAY_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sessiond/outbound/mux.h"

struct buf;
struct err;

enum { CALL_TOKEN_MAX = 256 };

enum call_kind { CALL_HOST, CALL_DIAL, CALL_HEALTH };

struct call {
	enum call_kind kind;
	char host[MUX_HOST_MAX + 1];	/* CALL_HOST; CALL_DIAL: who it says it is */
	char token[CALL_TOKEN_MAX + 1]; /* CALL_DIAL; "": none */
	char accept[29];		/* CALL_DIAL: for Sec-WebSocket-Accept */
	uint64_t body; /* CALL_HOST: how many bytes may follow; UINT64_MAX after an upgrade */
};

/* p[0..n): a head as head_length measured it. suffix: ".relay.example", or NULL. CALL_HOST: *out gets the head to send. 0, or the
 * HTTP status to refuse it with and the reason in *e. */
unsigned call_parse(const char *p, size_t n, const char *suffix, struct call *call,
		    struct buf *out, struct err *e);

#endif
