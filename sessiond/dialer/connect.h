/*
 * One attempt to reach the relay: its name, TCP, a proxy when there is one, TLS, and the WebSocket's handshake, within one deadline.
 */
#ifndef CARREL_SESSIOND_DIALER_CONNECT_H
#define CARREL_SESSIOND_DIALER_CONNECT_H

#include <stdbool.h>
#include <stddef.h>

struct connect;
struct dialer_config;
struct err;
struct lookup;
struct loop;
struct secrets;
struct transport;

/* Once, at a turn's end. Reached: *t is the callee's, early what came behind the relay's head. Else t is NULL, and *e says all of
 * it; refused: relay or proxy do not want this host, and asking often does not mend it. */
typedef void (*connect_fn)(void *arg, struct transport *t, const void *early, size_t n_early,
			   bool refused, const struct err *e);

/* All of them are borrowed. An error that comes at once is reported like others. */
struct connect *connect_new(struct loop *loop, const struct dialer_config *config,
			    const struct secrets *secrets, struct lookup *lookup, connect_fn fn,
			    void *arg);
/* Before it has reported. Accepts NULL. */
void connect_cancel(struct connect *c);

#endif
