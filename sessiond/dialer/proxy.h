/*
 * What is said to an HTTP proxy (CONNECT, RFC 9110 9.3.6), and for which hosts one is not asked. Pure.
 */
#ifndef CARREL_SESSIOND_DIALER_PROXY_H
#define CARREL_SESSIOND_DIALER_PROXY_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct dialer_config;
struct err;

/* Whether no_proxy (names with everything below them, addresses, "*", between commas) has the host. */
bool proxy_spares(const char *no_proxy, const char *host);

/* auth: base64 of user:password, "": none. */
int proxy_request(const struct dialer_config *c, const char *auth, struct buf *out,
		  struct err *e);
/* p[0..n): all that came, of which n_head are the answer's head. *refused: it is not to be asked again soon. */
int proxy_check(const struct dialer_config *c, const void *p, size_t n, size_t n_head,
		bool *refused, struct err *e);

#endif
