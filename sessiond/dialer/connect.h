/*
 * One attempt to reach the relay: its name, TCP, TLS, and the WebSocket's handshake, within one deadline.
 *
 * Looking up the name blocks: at that time nothing else goes on here.
 */
#ifndef CARREL_SESSIOND_DIALER_CONNECT_H
#define CARREL_SESSIOND_DIALER_CONNECT_H

#include <stddef.h>

struct connect;
struct dialer_config;
struct err;
struct loop;
struct ssl_ctx_st;
struct transport;

/* Once, at a turn's end. Reached: *t is the callee's, early what came behind the relay's head. Else t is NULL, status the HTTP
 * status that the relay answered, 0 when it did not, and *e says all of it. */
typedef void (*connect_fn)(void *arg, struct transport *t, const void *early, size_t n_early,
			   unsigned status, const struct err *e);

/* ssl NULL: plain. */
struct connect *connect_new(struct loop *loop, const struct dialer_config *config,
			    struct ssl_ctx_st *ssl, connect_fn fn, void *arg);
/* Before it has reported. Accepts NULL. */
void connect_cancel(struct connect *c);

#endif
