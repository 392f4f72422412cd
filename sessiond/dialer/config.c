#include "sessiond/dialer/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "sessiond/dialer/proxy.h"
#include "sessiond/outbound/mux.h"

/* ---- the file ---- */

static int decode_ms(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;

	if (v->type != JSON_STRING || str_to_ms(v->str.s, "value", out, &why) < 0)
		return json_err(at, e, "is not a duration, such as 90s or 10m");
	return 0;
}

#define AT(member) offsetof(struct dialer_config, member)
/* clang-format off */
static const struct json_field fields[] = {
	{ "relay", json_decode_str, AT(relay), 0 },
	{ "host", json_decode_str, AT(host), 0 },
	{ "token_file", json_decode_str, AT(token_file), 0 },
	{ "ca_file", json_decode_str, AT(ca_file), 0 },
	{ "certificate", json_decode_str, AT(certificate), 0 },
	{ "key", json_decode_str, AT(key), 0 },
	{ "proxy", json_decode_str, AT(proxy), 0 },
	{ "proxy_auth_file", json_decode_str, AT(proxy_auth_file), 0 },
	{ "daemon", json_decode_str, AT(daemon), 0 },
	{ "user", json_decode_str, AT(user), 0 },
	{ "insecure_plain", json_decode_bool, AT(insecure_plain), 0 },
	{ "retry_min", decode_ms, AT(retry_min_ms), 0 },
	{ "retry_max", decode_ms, AT(retry_max_ms), 0 },
	{ "retry_refused", decode_ms, AT(retry_refused_ms), 0 },
	{ "stable", decode_ms, AT(stable_ms), 0 },
	{ "connect", decode_ms, AT(connect_ms), 0 },
	{ "ping", decode_ms, AT(ping_ms), 0 },
	{ "dead", decode_ms, AT(dead_ms), 0 },
	{ "streams", json_decode_u64, AT(streams), 0 },
	{ "window", json_decode_size, AT(window), 0 },
	{ "log_format", json_decode_str, AT(log_format), 0 },
	{ "log_level", json_decode_str, AT(log_level), 0 },
};
/* clang-format on */

/* What the command line may be silent about, with what holds then. */
static const struct {
	size_t at;
	uint64_t otherwise;
} numbers[] = {
	{ AT(retry_min_ms), 500 },
	{ AT(retry_max_ms), 60000 },
	{ AT(retry_refused_ms), 300000 },
	{ AT(stable_ms), 60000 },
	{ AT(connect_ms), 20000 },
	{ AT(ping_ms), 15000 },
	{ AT(streams), MUX_STREAMS_DEFAULT },
	{ AT(window), MUX_WINDOW_DEFAULT },
	{ AT(dead_ms), 0 },
};
static const size_t strings[] = {
	AT(relay),	 AT(host), AT(token_file), AT(ca_file),
	AT(certificate), AT(key),  AT(proxy),	   AT(proxy_auth_file),
	AT(daemon),	 AT(user), AT(log_format), AT(log_level)
};
#undef AT

int dialer_config_decode(struct json_doc *doc, struct dialer_config *out, struct err *e)
{
	return json_decode_object(json_root(doc), NULL, fields, ARRAY_SIZE(fields),
				  JSON_UNKNOWN_REJECT, out, e);
}

static void *member(struct dialer_config *c, size_t at)
{
	return (char *) c + at;
}

static void merge(struct dialer_config *c, struct dialer_config *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		const char **to = member(c, strings[i]), **from = member(file, strings[i]);

		*to = *to ? *to : *from;
	}
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t *to = member(c, numbers[i].at), *from = member(file, numbers[i].at);

		*to = *to ? *to : *from ? *from : numbers[i].otherwise;
	}
	c->insecure_plain |= file->insecure_plain;
	if (!c->dead_ms)
		c->dead_ms = 3 * c->ping_ms;
}

static int read_file(struct dialer_config *c, struct err *e)
{
	struct dialer_config file = { 0 };

	if (c->file && (yaml_parse_file(AT_FDCWD, c->file, &c->doc, e) < 0 ||
			dialer_config_decode(c->doc, &file, e) < 0))
		return err_wrap(e, "configuration: %s", c->file);
	merge(c, &file);
	return 0;
}

/* ---- the way ---- */

/* "environment": what most programs do unasked. */
static int choose_proxy(struct dialer_config *c, struct err *e)
{
	const char *proxy = c->proxy;

	if (proxy && strcmp(proxy, "environment") == 0) {
		const char *spared = getenv("no_proxy");

		proxy = getenv("https_proxy");
		proxy = proxy ? proxy : getenv("HTTPS_PROXY");
		spared = spared ? spared : getenv("NO_PROXY");
		if (!proxy || !*proxy || (spared && proxy_spares(spared, c->url.host)))
			return 0;
	} else if (c->proxy_auth_file && !proxy) {
		return err_set(e, EINVAL,
			       "proxy_auth_file: there is no proxy; name it with "
			       "--proxy");
	}
	if (!proxy)
		return 0;
	c->proxied = true;
	return proxy_url_parse(proxy, &c->via, e);
}

/* ---- the whole ---- */

static int check(const struct dialer_config *c, struct err *e)
{
	if (!c->relay || !c->host || !c->token_file)
		return err_set(e, EINVAL,
			       "--relay, --host and --token-file are needed, or a "
			       "--config that has them");
	if (!mux_host_ok(c->host))
		return err_set(e, EINVAL,
			       "host \"%.80s\": it is no label of DNS in lower case (a-z, "
			       "0-9, - inside, at most %d)",
			       c->host, MUX_HOST_MAX);
	if (c->daemon[0] != '/')
		return err_set(e, EINVAL, "daemon \"%.120s\": an absolute path is needed",
			       c->daemon);
	if (c->streams > MUX_STREAMS_MAX)
		return err_set(e, EINVAL, "streams: at most %d", MUX_STREAMS_MAX);
	if (c->window < MUX_WINDOW_MIN || c->window > MUX_WINDOW_MAX)
		return err_set(e, EINVAL, "window: %d to %d bytes", MUX_WINDOW_MIN,
			       MUX_WINDOW_MAX);
	if (!c->certificate != !c->key)
		return err_set(e, EINVAL, "certificate and key: one needs the other");
	if (c->retry_max_ms < c->retry_min_ms)
		return err_set(e, EINVAL, "retry: its maximum is less than its minimum");
	if (c->ping_ms < 10 || c->dead_ms <= c->ping_ms)
		return err_set(e, EINVAL, "dead: it has to be longer than ping");
	return 0;
}

int dialer_config_complete(struct dialer_config *c, struct err *e)
{
	if (read_file(c, e) < 0)
		return -1;
	if (!c->daemon)
		c->daemon = "/run/carrel/outbound.sock";
	if (check(c, e) < 0 || relay_url_parse(c->relay, &c->url, e) < 0)
		return -1;
	if (!c->url.tls && c->certificate)
		return err_set(e, EINVAL, "certificate: relay %s has no TLS to show it in",
			       c->relay);
	if (!c->url.tls && !c->insecure_plain)
		return err_set(e, EACCES,
			       "relay %s: without TLS anybody on the way reads the token; use "
			       "wss://, or insist with --insecure-plain",
			       c->relay);
	return choose_proxy(c, e);
}

void dialer_config_fini(struct dialer_config *c)
{
	json_doc_free(c->doc);
	*c = (struct dialer_config){ 0 };
}
