/*
 * The daemon's certificate and key, for TLS 1.2 and later.
 *
 * Connections keep what they began with; tls_reload is for those that come after it.
 */
#ifndef CARREL_SESSIOND_TLS_H
#define CARREL_SESSIOND_TLS_H

#include <openssl/types.h>

struct err;

struct tls;
/* PEM files: the certificate first and those that vouch for it behind it; the key without a password. Paths are borrowed. */
int tls_new(const char *certificate, const char *key, struct tls **out, struct err *e);
/* When the files cannot be used, what was read before stays. */
int tls_reload(struct tls *t, struct err *e);
void tls_free(struct tls *t);

/* A connection that has not said anything yet, on a socket that is borrowed. */
SSL *tls_accept(const struct tls *t, int fd, struct err *e);

#endif
