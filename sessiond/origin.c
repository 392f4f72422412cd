#include "sessiond/origin.h"

#include <stdio.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

static int wrong(const char *s, const char *why, struct err *e)
{
	return err_set(e, EINVAL,
		       "origin \"%.120s\": %s; write it as https://host or https://host:port",
		       s, why);
}

static int check_port(const char *s, const char *port, bool https, struct err *e)
{
	uint64_t n;

	if (str_to_u64(port, 65535, "port", &n, e) < 0 || n == 0 || port[0] == '0')
		return wrong(s, "its port is not a number from 1 to 65535", e);
	/* A browser leaves it away, so such a row could never match. */
	if (n == (https ? 443u : 80u))
		return wrong(s, "the scheme's own port is to be left away", e);
	return 0;
}

int origin_check(const char *s, struct err *e)
{
	bool https = str_has_prefix(s, "https://");
	const char *host = s + (https ? 8 : 7), *end;
	size_t n;

	if (!https && !str_has_prefix(s, "http://"))
		return wrong(s, "it begins with neither http:// nor https://", e);
	if (strlen(s) > 300)
		return wrong(s, "it is too long", e);
	n = host[0] == '[' ? strspn(host + 1, "0123456789abcdef:.") + 1
			   : strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
	end = host + n;
	if (host[0] == '[' && *end++ != ']')
		return wrong(s, "its IPv6 address does not end", e);
	if (n == 0)
		return wrong(s, "it has no host in lower case", e);
	if (*end == ':')
		return check_port(s, end + 1, https, e);
	if (*end)
		return wrong(s, "there is something behind its host", e);
	return 0;
}

static void add(struct origins *o, char *s)
{
	size_t n = o->v ? strv_len(o->v) : 0;
	char **v = xalloc((n + 2) * sizeof(*v));

	if (n)
		memcpy(v, o->v, n * sizeof(*v));
	v[n] = s;
	free(o->v);
	o->v = v;
}

int origins_add(struct origins *o, const char *s, struct err *e)
{
	if (origin_check(s, e) < 0)
		return -1;
	add(o, xstrdup(s));
	return 0;
}

void origins_add_own(struct origins *o, bool https, const char *host, unsigned port)
{
	const char *scheme = https ? "https" : "http";
	char suffix[8] = "";

	if (port != (https ? 443u : 80u))
		(void) snprintf(suffix, sizeof(suffix), ":%u", port);
	add(o, xasprintf("%s://%s%s", scheme, host, suffix));
	if (str_has_prefix(host, "127.") || strcmp(host, "[::1]") == 0)
		add(o, xasprintf("%s://localhost%s", scheme, suffix));
}

void origins_fini(struct origins *o)
{
	util_free_strv(&o->v);
	*o = (struct origins){ 0 };
}

bool origins_allow(const struct origins *o, const char *origin)
{
	for (char **v = o->v; v && *v; v++) {
		if (strcmp(*v, origin) == 0)
			return true;
	}
	return false;
}
