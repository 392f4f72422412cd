#include "sessiond/dialer/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/yaml.h"
#include "sessiond/outbound/mux.h"

/* ---- the relay's address ---- */

static int wrong(const char *s, const char *why, struct err *e)
{
	return err_set(e, EINVAL,
		       "relay \"%.120s\": %s; write it as wss://host, wss://host:port or "
		       "wss://host:port/path",
		       s, why);
}

static int parse_port(const char *s, const char *text, struct relay_url *out, struct err *e)
{
	struct err why = ERR_NONE;
	uint64_t port;

	if (str_to_u64(text, 65535, "port", &port, &why) < 0 || port == 0)
		return wrong(s, "its port is no number from 1 to 65535", e);
	out->port = (uint16_t) port;
	return 0;
}

/* host, host:port, [address]:port */
static int parse_authority(const char *s, char *text, struct relay_url *out, struct err *e)
{
	char *colon = strrchr(text, ':'), *end = strchr(text, ']'), *host = text;

	if (colon && (!end || colon > end)) {
		if (parse_port(s, colon + 1, out, e) < 0)
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
		return wrong(s, "its host is no name", e);
	return str_copy(out->host, sizeof(out->host), host, "relay", e);
}

int relay_url_parse(const char *s, struct relay_url *out, struct err *e)
{
	struct relay_url u = { .tls = str_has_prefix(s, "wss://") };
	const char *p = s + (u.tls ? 6 : 5);
	size_t n;

	if (!u.tls && !str_has_prefix(s, "ws://"))
		return wrong(s, "it begins with neither wss:// nor ws://", e);
	n = strcspn(p, "/");
	if (n >= sizeof(u.authority) || strlen(p + n) >= sizeof(u.path))
		return wrong(s, "it is too long", e);
	u.port = u.tls ? 443 : 80;
	memcpy(u.authority, p, n);
	if (parse_authority(s, u.authority, &u, e) < 0)
		return -1;
	(void) snprintf(u.authority, sizeof(u.authority), "%.*s", (int) n, p);
	(void) snprintf(u.path, sizeof(u.path), "%s", p[n] && p[n + 1] ? p + n : "/dial");
	for (const char *c = u.path; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || *c == '#')
			return wrong(s, "its path has a character that none may have", e);
	*out = u;
	return 0;
}

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
static const size_t strings[] = { AT(relay),  AT(host), AT(token_file), AT(ca_file),
				  AT(daemon), AT(user), AT(log_format), AT(log_level) };
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

/* ---- the token ---- */

/* One line of printable characters. Who else may read it could take this host's place. */
static int read_token(struct dialer_config *c, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(sizeof(c->token) + 1);
	struct stat st;
	size_t n;

	if (stat(c->token_file, &st) < 0)
		return err_sys(e, "token file %s", c->token_file);
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return err_set(e, EACCES,
			       "token file %s: others may read or change it; chmod 600 it",
			       c->token_file);
	if (fd_read_file(AT_FDCWD, c->token_file, sizeof(c->token) + 1, &text, e) < 0)
		return err_wrap(e, "token file");
	n = strcspn(buf_str(&text), "\r\n");
	for (size_t i = 0; i < n; i++)
		if (buf_bytes(&text)[i] <= 0x20 || buf_bytes(&text)[i] >= 0x7f)
			n = 0;
	if (n == 0 || n >= sizeof(c->token))
		return err_set(e, EINVAL,
			       "token file %s: its first line is no token of 1 to %zu "
			       "printable characters",
			       c->token_file, sizeof(c->token) - 1);
	memcpy(c->token, buf_bytes(&text), n);
	c->token[n] = 0;
	OPENSSL_cleanse(text.data, text.cap);
	return 0;
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
	if (!c->url.tls && !c->insecure_plain)
		return err_set(e, EACCES,
			       "relay %s: without TLS anybody on the way reads the token; use "
			       "wss://, or insist with --insecure-plain",
			       c->relay);
	return read_token(c, e);
}

void dialer_config_fini(struct dialer_config *c)
{
	json_doc_free(c->doc);
	OPENSSL_cleanse(c, sizeof(*c));
}
