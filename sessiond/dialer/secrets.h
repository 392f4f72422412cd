/*
 * What the dialer's files say that must not be known to others, and what changes while it runs: the token, the proxy's user and
 * password, whom to trust, the client's certificate and key. SIGHUP reads them again.
 */
#ifndef CARREL_SESSIOND_DIALER_SECRETS_H
#define CARREL_SESSIOND_DIALER_SECRETS_H

struct dialer_config;
struct err;
struct ssl_ctx_st;

enum { TOKEN_MAX = 256, PROXY_AUTH_MAX = 384 };

struct secrets {
	char token[TOKEN_MAX + 1];
	char proxy_auth[(PROXY_AUTH_MAX + 2) / 3 * 4 + 1]; /* base64; "": none */
	struct ssl_ctx_st *ssl;				   /* NULL: plain */
};

/* All of them, or an error and *out as it was. */
int secrets_load(const struct dialer_config *c, struct secrets *out, struct err *e);
/* Connections keep what they began with. Accepts a zeroed one. */
void secrets_fini(struct secrets *s);

#endif
