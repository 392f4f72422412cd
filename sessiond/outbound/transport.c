#include "sessiond/outbound/transport.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

void transport_plain(struct transport *t, int fd)
{
	*t = (struct transport){ .fd = fd };
}

void transport_tls(struct transport *t, int fd, struct ssl_st *ssl)
{
	*t = (struct transport){ .fd = fd, .ssl = ssl };
}

void transport_close(struct transport *t)
{
	SSL_free(t->ssl);
	fd_close(&t->fd);
	*t = TRANSPORT_NONE;
}

static int broken(int code, struct err *e)
{
	return err_set(e, code, "%s", strerror(code));
}

/* What the other side says about us, in its alerts. */
static const char *alert_text(int reason)
{
	switch (reason) {
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return "it asks for a certificate of ours, and there is none";
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
		return "it refuses our certificate: it has expired";
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return "it refuses our certificate: it does not know who issued it";
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
		return "it refuses our certificate";
	default:
		return NULL;
	}
}

/* What OpenSSL says about a call that did not work; its queue is empty afterwards. */
static int tls_failed(struct transport *t, int r, bool writing, struct err *e)
{
	int saved = errno, what = SSL_get_error(t->ssl, r);
	unsigned long first = ERR_get_error();
	const char *why = first ? ERR_reason_error_string(first) : NULL;
	const char *alert = first ? alert_text(ERR_GET_REASON(first)) : NULL;

	ERR_clear_error();
	switch (what) {
	case SSL_ERROR_WANT_READ:
		t->writing_reads = writing;
		return err_set(e, EAGAIN, "would block");
	case SSL_ERROR_WANT_WRITE:
		t->reading_writes = !writing;
		return err_set(e, EAGAIN, "would block");
	case SSL_ERROR_SYSCALL:
		return broken(saved ? saved : ECONNRESET, e);
	default:
		if (alert)
			return err_set(e, EACCES, "%s", alert);
		return err_set(e, EIO, "TLS: %s", why ? why : "broken");
	}
}

int transport_handshake(struct transport *t, struct err *e)
{
	long verdict;
	int r;

	if (!t->ssl)
		return 1;
	t->reading_writes = t->writing_reads = false;
	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(t->ssl);
	if (r == 1)
		return 1;
	verdict = SSL_get_verify_result(t->ssl);
	(void) tls_failed(t, r, false, e);
	if (e->code == EAGAIN)
		return 0;
	if (verdict != X509_V_OK)
		return err_set(e, EACCES, "its certificate is refused: %s",
			       X509_verify_cert_error_string(verdict));
	return -1;
}

ssize_t transport_read(struct transport *t, void *p, size_t n, struct err *e)
{
	ssize_t r;

	if (t->ssl) {
		t->reading_writes = false;
		ERR_clear_error();
		errno = 0;
		r = SSL_read(t->ssl, p, (int) MIN(n, (size_t) INT_MAX));
		if (r > 0)
			return r;
		if (SSL_get_error(t->ssl, (int) r) == SSL_ERROR_ZERO_RETURN)
			return 0;
		return tls_failed(t, (int) r, false, e);
	}
	do
		r = recv(t->fd, p, n, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	return r < 0 ? broken(errno, e) : r;
}

ssize_t transport_write(struct transport *t, const void *p, size_t n, struct err *e)
{
	ssize_t r;

	if (t->ssl) {
		t->writing_reads = false;
		ERR_clear_error();
		errno = 0;
		r = SSL_write(t->ssl, p, (int) MIN(n, (size_t) INT_MAX));
		return r > 0 ? r : tls_failed(t, (int) r, true, e);
	}
	do
		r = send(t->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? broken(errno, e) : r;
}

void transport_end(struct transport *t)
{
	/* It may not fit into the socket now; then the close tells, as it does for many others. */
	if (t->ssl)
		(void) SSL_shutdown(t->ssl);
	else
		(void) shutdown(t->fd, SHUT_WR);
	ERR_clear_error();
}

bool transport_pending(const struct transport *t)
{
	return t->ssl && SSL_has_pending(t->ssl);
}

uint32_t transport_events(const struct transport *t, bool read, bool write)
{
	uint32_t events = 0;

	if (read)
		events |= t->reading_writes ? EPOLLOUT : EPOLLIN;
	if (write)
		events |= t->writing_reads ? EPOLLIN : EPOLLOUT;
	return events;
}

bool transport_readable(const struct transport *t, uint32_t events)
{
	return events & ((t->reading_writes ? EPOLLOUT : EPOLLIN) | EPOLLERR | EPOLLHUP);
}

bool transport_writable(const struct transport *t, uint32_t events)
{
	return events & ((t->writing_reads ? EPOLLIN : EPOLLOUT) | EPOLLERR | EPOLLHUP);
}
