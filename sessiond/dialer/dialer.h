/*
 * The running dialer: one connection to the relay, kept; its streams become connections to the daemon's unix socket.
 *
 *   WAITING     until the next attempt: backoff, or a long pause after a refusal
 *   CONNECTING  connect.h
 *   UP          a tunnel; what the relay opens is connected to the daemon
 *
 * The daemon takes such a connection for what it is: a stranger's. No key or header is added here.
 */
#ifndef CARREL_SESSIOND_DIALER_DIALER_H
#define CARREL_SESSIOND_DIALER_DIALER_H

struct dialer_config;
struct err;

/* Until SIGTERM or SIGINT. */
int dialer_run(const struct dialer_config *c, struct err *e);

#endif
