#include "sessiond/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/util.h"

struct tls {
	const char *certificate, *key;
	SSL_CTX *ctx;
};

static int library_error(struct err *e, const char *what)
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_reason_error_string(code);

	if (ERR_SYSTEM_ERROR(code))
		reason = strerrordesc_np(ERR_GET_REASON(code));
	ERR_clear_error();
	return err_set(e, EINVAL, "%s: %s", what,
		       reason ? reason : "refused by the TLS library");
}

/* Nobody is asked for a password: the daemon has no terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static int fill(const struct tls *t, SSL_CTX *ctx, struct err *e)
{
	/* Writing what fits is enough, and from another place next time. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	(void) SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Who resumes shows nothing that a new handshake would not; less to keep. */
	(void) SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		return library_error(e, "TLS 1.2");
	if (SSL_CTX_use_certificate_chain_file(ctx, t->certificate) != 1)
		return library_error(e, t->certificate);
	if (SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1)
		return library_error(e, t->key);
	if (SSL_CTX_check_private_key(ctx) != 1) {
		ERR_clear_error();
		return err_set(e, EINVAL, "%s: is not the key of %s", t->key, t->certificate);
	}
	return 0;
}

int tls_reload(struct tls *t, struct err *e)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return library_error(e, "tls");
	if (fill(t, ctx, e) < 0) {
		SSL_CTX_free(ctx);
		return err_wrap(e, "tls");
	}
	/* Connections hold theirs. */
	SSL_CTX_free(t->ctx);
	t->ctx = ctx;
	return 0;
}

int tls_new(const char *certificate, const char *key, struct tls **out, struct err *e)
{
	struct tls *t = xalloc(sizeof(*t));

	t->certificate = certificate;
	t->key = key;
	if (tls_reload(t, e) < 0) {
		tls_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

SSL *tls_accept(const struct tls *t, int fd, struct err *e)
{
	SSL *ssl = SSL_new(t->ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		(void) library_error(e, "tls");
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}
