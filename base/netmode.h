/*
 * How much of a network a tier gives its sandboxes: the words of tiers.yaml, of bundles and of the API, in one place.
 *
 * Two programs read tiers.yaml; what each makes of a mode is its own.
 */
#ifndef CARREL_BASE_NETMODE_H
#define CARREL_BASE_NETMODE_H

struct err;
struct json;
struct json_at;

enum net_mode {
	NET_MODE_NONE,	 /* a loopback device and nothing else */
	NET_MODE_EGRESS, /* the Internet, no private or link-local range, no other sandbox */
};

const char *net_mode_name(enum net_mode m);
/* A json_decode_fn; out is an enum net_mode. */
int net_mode_decode(const struct json *v, const struct json_at *at, void *out, struct err *e);

#endif
