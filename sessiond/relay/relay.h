/*
 * The running relay: hosts that dialed in, and clients that are passed on to them.
 *
 *   a connection    front.c    TLS, a head, then one of: an answer of our own, a dialer, a stream to a host
 *   a dialer        relay.c    its token is checked before 101; it is its host's from its HELLO on, in place of an older one
 *   a stream        outbound/  bytes
 *
 * No process but this one, no thread, and after relay_confine no right but to serve what it listens on.
 */
#ifndef CARREL_SESSIOND_RELAY_RELAY_H
#define CARREL_SESSIOND_RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"

struct err;

struct relay_config {
	struct opt_list listen;
	const char *cert, *key, *hosts, *suffix, *user;
	const char *log_format, *log_level;
	uint64_t ping_ms, dead_ms, head_ms, streams, window;
	bool insecure_plain;
};

/* Fills in what was not given, and says what cannot be. */
int relay_config_complete(struct relay_config *c, struct err *e);

/* Called once when it listens: "https://127.0.0.1:8443". */
typedef void (*relay_ready_fn)(const char *const *addresses);

/* Until SIGTERM or SIGINT. SIGHUP reads hosts, certificate and key again. */
int relay_run(const struct relay_config *c, relay_ready_fn ready, struct err *e);

#endif
