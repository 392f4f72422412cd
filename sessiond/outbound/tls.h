/*
 * What TLS is asked for: 1.2 at least, and of a client that it verifies certificate and name. By libssl.
 */
#ifndef CARREL_SESSIOND_OUTBOUND_TLS_H
#define CARREL_SESSIOND_OUTBOUND_TLS_H

struct err;
struct ssl_ctx_st;
struct ssl_st;

struct tls_client_files {
	const char *ca;		       /* NULL: the system's authorities */
	const char *certificate, *key; /* ours, for who asks; NULL: none */
};

/* *out is freed by tls_free. */
int tls_client(const struct tls_client_files *files, struct ssl_ctx_st **out, struct err *e);
int tls_server(const char *cert_file, const char *key_file, struct ssl_ctx_st **out,
	       struct err *e);
void tls_free(struct ssl_ctx_st *ctx);

/* A connection on fd (borrowed) that is to be shaken; name: whom the certificate must name, a host or an address. */
int tls_connect(struct ssl_ctx_st *ctx, int fd, const char *name, struct ssl_st **out,
		struct err *e);
int tls_accept(struct ssl_ctx_st *ctx, int fd, struct ssl_st **out, struct err *e);

#endif
