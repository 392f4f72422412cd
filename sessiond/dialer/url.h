/*
 * Where a relay is, and a proxy on the way to it. Pure.
 */
#ifndef CARREL_SESSIOND_DIALER_URL_H
#define CARREL_SESSIOND_DIALER_URL_H

#include <stdbool.h>
#include <stdint.h>

struct err;

/* wss://relay.example:8443/dial */
struct relay_url {
	bool tls;
	char host[256]; /* without brackets */
	char authority[272];
	uint16_t port;
	char path[512];
};

int relay_url_parse(const char *s, struct relay_url *out, struct err *e);
/* http://proxy.example:3128: tls and path stay empty. */
int proxy_url_parse(const char *s, struct relay_url *out, struct err *e);

#endif
