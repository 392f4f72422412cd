/*
 * What the operator decides about a dialer: options, or a YAML file that they win over.
 */
#ifndef CARREL_SESSIOND_DIALER_CONFIG_H
#define CARREL_SESSIOND_DIALER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "sessiond/dialer/url.h"

struct err;
struct json_doc;

struct dialer_config {
	const char *file, *relay, *host, *token_file, *ca_file, *certificate, *key, *daemon,
		*user;
	const char *proxy, *proxy_auth_file;
	const char *log_format, *log_level;
	uint64_t retry_min_ms, retry_max_ms, retry_refused_ms, stable_ms, connect_ms;
	uint64_t ping_ms, dead_ms, streams, window;
	bool insecure_plain;

	struct relay_url url;
	bool proxied;
	struct relay_url via; /* the proxy, when proxied */
	struct json_doc *doc;
};

/* Reads c->file, and with `proxy: environment` https_proxy and no_proxy; fills the gaps and checks. */
int dialer_config_complete(struct dialer_config *c, struct err *e);
/* The rows of one file, for tests. */
int dialer_config_decode(struct json_doc *doc, struct dialer_config *out, struct err *e);
void dialer_config_fini(struct dialer_config *c);

#endif
