#include "sessiond/dialer/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"

struct kind {
	const char *what, *form;
};

static const struct kind relays = { "relay",
				    "wss://host, wss://host:port or wss://host:port/path" };
static const struct kind proxies = { "proxy", "http://host:port" };

static int wrong(const struct kind *k, const char *s, const char *why, struct err *e)
{
	return err_set(e, EINVAL, "%s \"%.120s\": %s; write it as %s", k->what, s, why,
		       k->form);
}

static int parse_port(const struct kind *k, const char *s, const char *text,
		      struct relay_url *out, struct err *e)
{
	struct err why = ERR_NONE;
	uint64_t port;

	if (str_to_u64(text, 65535, "port", &port, &why) < 0 || port == 0)
		return wrong(k, s, "its port is no number from 1 to 65535", e);
	out->port = (uint16_t) port;
	return 0;
}

/* host, host:port, [address]:port */
static int parse_authority(const struct kind *k, const char *s, char *text,
			   struct relay_url *out, struct err *e)
{
	char *colon = strrchr(text, ':'), *end = strchr(text, ']'), *host = text;

	if (colon && (!end || colon > end)) {
		if (parse_port(k, s, colon + 1, out, e) < 0)
			return -1;
		*colon = 0;
	}
	if (*host == '[' && end && end[1] == 0) {
		host++;
		*end = 0;
	}
	if (!*host ||
	    host[strspn(host, end ? "0123456789abcdefABCDEF:."
				  : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
				    "XYZ0123456789-._")])
		return wrong(k, s, "its host is no name", e);
	return str_copy(out->host, sizeof(out->host), host, k->what, e);
}

/* The authority at p, n bytes of it. */
static int take_authority(const struct kind *k, const char *s, const char *p, size_t n,
			  struct relay_url *u, struct err *e)
{
	if (n >= sizeof(u->authority))
		return wrong(k, s, "it is too long", e);
	memcpy(u->authority, p, n);
	u->authority[n] = 0;
	if (parse_authority(k, s, u->authority, u, e) < 0)
		return -1;
	(void) snprintf(u->authority, sizeof(u->authority), "%.*s", (int) n, p);
	return 0;
}

int relay_url_parse(const char *s, struct relay_url *out, struct err *e)
{
	struct relay_url u = { .tls = str_has_prefix(s, "wss://") };
	const char *p = s + (u.tls ? 6 : 5);
	const struct kind *k = &relays;
	size_t n;

	if (!u.tls && !str_has_prefix(s, "ws://"))
		return wrong(k, s, "it begins with neither wss:// nor ws://", e);
	n = strcspn(p, "/");
	if (strlen(p + n) >= sizeof(u.path))
		return wrong(k, s, "it is too long", e);
	u.port = u.tls ? 443 : 80;
	if (take_authority(k, s, p, n, &u, e) < 0)
		return -1;
	(void) snprintf(u.path, sizeof(u.path), "%s", p[n] && p[n + 1] ? p + n : "/dial");
	for (const char *c = u.path; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || *c == '#')
			return wrong(k, s, "its path has a character that none may have", e);
	*out = u;
	return 0;
}

int proxy_url_parse(const char *s, struct relay_url *out, struct err *e)
{
	struct relay_url u = { .port = 80 };
	size_t n;

	/* The URL is not repeated: it has a password in it. */
	if (strchr(s, '@'))
		return err_set(e, EINVAL,
			       "proxy: its user and password belong in a file; name it with "
			       "--proxy-auth-file, and the proxy as %s",
			       proxies.form);
	if (!str_has_prefix(s, "http://"))
		return wrong(&proxies, s, "it does not begin with http://", e);
	s += 7;
	n = strcspn(s, "/");
	if (s[n] && s[n + 1])
		return wrong(&proxies, s, "it has a path", e);
	if (take_authority(&proxies, s, s, n, &u, e) < 0)
		return -1;
	*out = u;
	return 0;
}
