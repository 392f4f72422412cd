#include "sessiond/outbound/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <unistd.h>

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

/* Nobody is there to be asked for a passphrase. */
static int on_passphrase(char *out, int n, int writing, void *arg)
{
	*(bool *) arg = true;
	return -1;
}

/* What OpenSSL says of a key that it does not take; its queue is empty afterwards. */
static int wrong_key(const char *key, const char *certificate, bool encrypted, struct err *e)
{
	int why = ERR_GET_REASON(ERR_peek_last_error());

	ERR_clear_error();
	if (encrypted)
		return err_set(e, EINVAL,
			       "key %s: it is encrypted, and nobody is here to be asked for "
			       "its passphrase",
			       key);
	if (why == X509_R_KEY_VALUES_MISMATCH)
		return err_set(e, EINVAL, "key %s: it does not belong to certificate %s", key,
			       certificate);
	return err_set(e, EINVAL, "key %s: it holds no private key in PEM", key);
}

static int use_pair(SSL_CTX *ctx, const char *certificate, const char *key, struct err *e)
{
	bool encrypted = false;
	int r;

	if (access(certificate, R_OK) < 0)
		return err_sys(e, "certificate %s", certificate);
	if (access(key, R_OK) < 0)
		return err_sys(e, "key %s", key);
	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1) {
		ERR_clear_error();
		return err_set(e, EINVAL, "certificate %s: it holds no certificate in PEM",
			       certificate);
	}
	SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &encrypted);
	r = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (r != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return wrong_key(key, certificate, encrypted, e);
	return 0;
}

static int trust(SSL_CTX *ctx, const char *ca, struct err *e)
{
	int r = ca ? SSL_CTX_load_verify_locations(ctx, ca, NULL)
		   : SSL_CTX_set_default_verify_paths(ctx);

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return r == 1 ? 0 : failed(e, ca ? ca : "the system's certificate authorities");
}

int tls_client(const struct tls_client_files *files, SSL_CTX **out, struct err *e)
{
	SSL_CTX *ctx = NULL;

	if (new_context(TLS_client_method(), &ctx, e) < 0)
		return -1;
	if (trust(ctx, files->ca, e) < 0 ||
	    (files->certificate && use_pair(ctx, files->certificate, files->key, e) < 0)) {
		SSL_CTX_free(ctx);
		return -1;
	}
	*out = ctx;
	return 0;
}

int tls_server(const char *cert_file, const char *key_file, SSL_CTX **out, struct err *e)
{
	SSL_CTX *ctx = NULL;

	if (new_context(TLS_server_method(), &ctx, e) < 0)
		return -1;
	if (use_pair(ctx, cert_file, key_file, e) < 0) {
		SSL_CTX_free(ctx);
		return -1;
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
