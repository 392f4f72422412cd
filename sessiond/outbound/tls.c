#include "sessiond/outbound/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

#include "base/err.h"

static int failed(struct err *e, const char *what)
{
	unsigned long first = ERR_get_error();
	const char *why = first ? ERR_reason_error_string(first) : NULL;

	ERR_clear_error();
	return err_set(e, EIO, "%s: %s", what, why ? why : "OpenSSL does not say why");
}

/* Writes may move between attempts and may be partial; memory of idle connections is given back. */
static int new_context(const SSL_METHOD *method, SSL_CTX **out, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return failed(e, "TLS");
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		SSL_CTX_free(ctx);
		return failed(e, "TLS 1.2");
	}
	(void) SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					     SSL_MODE_RELEASE_BUFFERS);
	(void) SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
						SSL_OP_CIPHER_SERVER_PREFERENCE);
	*out = ctx;
	return 0;
}

int tls_client(const char *ca_file, SSL_CTX **out, struct err *e)
{
	SSL_CTX *ctx = NULL;
	int r;

	if (new_context(TLS_client_method(), &ctx, e) < 0)
		return -1;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	r = ca_file ? SSL_CTX_load_verify_locations(ctx, ca_file, NULL)
		    : SSL_CTX_set_default_verify_paths(ctx);
	if (r != 1) {
		SSL_CTX_free(ctx);
		return failed(e, ca_file ? ca_file : "the system's certificate authorities");
	}
	*out = ctx;
	return 0;
}

int tls_server(const char *cert_file, const char *key_file, SSL_CTX **out, struct err *e)
{
	SSL_CTX *ctx = NULL;
	const char *what = NULL;

	if (new_context(TLS_server_method(), &ctx, e) < 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		what = cert_file;
	else if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(ctx) != 1)
		what = key_file;
	if (what) {
		SSL_CTX_free(ctx);
		return failed(e, what);
	}
	(void) SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	*out = ctx;
	return 0;
}

void tls_free(SSL_CTX *ctx)
{
	SSL_CTX_free(ctx);
}

static bool is_address(const char *name)
{
	struct in6_addr any;

	return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

int tls_connect(SSL_CTX *ctx, int fd, const char *name, SSL **out, struct err *e)
{
	SSL *ssl = SSL_new(ctx);
	int r = 0;

	if (!ssl)
		return failed(e, "TLS");
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(name))
		r = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	else if (SSL_set_tlsext_host_name(ssl, name) == 1)
		r = SSL_set1_host(ssl, name);
	if (r != 1 || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return failed(e, name);
	}
	SSL_set_connect_state(ssl);
	*out = ssl;
	return 0;
}

int tls_accept(SSL_CTX *ctx, int fd, SSL **out, struct err *e)
{
	SSL *ssl = SSL_new(ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return failed(e, "TLS");
	}
	SSL_set_accept_state(ssl);
	*out = ssl;
	return 0;
}
