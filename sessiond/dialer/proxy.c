#include "sessiond/dialer/proxy.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "sessiond/dialer/config.h"
#include "sessiond/outbound/head.h"

/* The host itself or something below it. */
static bool covers(const char *entry, size_t n, const char *host)
{
	size_t all = strlen(host);

	if (n > 0 && *entry == '.') {
		entry++;
		n--;
	}
	if (n == 0 || n > all || strncasecmp(host + all - n, entry, n) != 0)
		return false;
	return n == all || host[all - n - 1] == '.';
}

bool proxy_spares(const char *no_proxy, const char *host)
{
	struct head_text list = { no_proxy, strlen(no_proxy) }, entry;

	while (head_next_word(&list, &entry)) {
		if (head_is(entry, "*") || covers(entry.p, entry.n, host))
			return true;
	}
	return false;
}

int proxy_request(const struct dialer_config *c, const char *auth, struct buf *out,
		  struct err *e)
{
	const struct relay_url *u = &c->url;
	bool six = strchr(u->host, ':') != NULL;
	const char *open = six ? "[" : "", *close = six ? "]" : "";

	return buf_printf(out, e, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s%s%s\r\n",
			  open, u->host, close, u->port, open, u->host, close, u->port,
			  *auth ? "Proxy-Authorization: Basic " : "", auth,
			  *auth ? "\r\n" : "");
}

int proxy_check(const struct dialer_config *c, const void *p, size_t n, size_t n_head,
		bool *refused, struct err *e)
{
	struct head h;
	unsigned status;

	if (head_parse(p, n_head, &h, e) < 0)
		return -1;
	status = head_status(h.start);
	*refused = status == 403 || status == 407;
	if (status == 407 && c->proxy_auth_file)
		return err_set(e, EACCES, "it refuses the user and password of %s (407)",
			       c->proxy_auth_file);
	if (status == 407)
		return err_set(e, EACCES,
			       "it asks for a user and a password (407); name a file that has "
			       "them, as user:password, with --proxy-auth-file");
	if (status < 200 || status > 299)
		return err_set(e, EPROTO, "it does not connect to port %u of %s (%u)",
			       c->url.port, c->url.host, status);
	/* Whose these are could be read in two ways; a relay speaks second. */
	if (n > n_head)
		return err_set(e, EPROTO, "bytes came before the relay was asked for any");
	return 0;
}
