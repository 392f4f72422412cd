/*
 * The addresses of sandboxes whose tier has a network: slot N of the ids is address N + 2 of one IPv4 network, its gateway is
 * the first. So an address is as unique as a slot, and no other book is kept.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/launch_internal.h"

enum { PREFIX_MIN = 8, PREFIX_MAX = 28, ANNOTATION_MAX = 4096, FIRST = 2 };

static const char annotation[] = "io.carrel.network";

int launch_network_parse(const char *text, uint32_t slots, struct launch_network *out,
			 struct err *e)
{
	auto_free char *copy = xstrdup(text);
	char *slash = strchr(copy, '/');
	struct in_addr a;
	uint64_t prefix;
	struct err why = ERR_NONE;

	if (slash)
		*slash++ = '\0';
	if (!slash || inet_pton(AF_INET, copy, &a) != 1 ||
	    str_to_u64(slash, PREFIX_MAX, "prefix", &prefix, &why) < 0 || prefix < PREFIX_MIN)
		return err_set(
			e, EINVAL,
			"network: \"%.40s\" is no IPv4 network such as 10.209.0.0/16, with "
			"a prefix of %d to %d bits",
			text, PREFIX_MIN, PREFIX_MAX);
	const uint32_t host = UINT32_MAX >> prefix;

	if (ntohl(a.s_addr) & host)
		return err_set(e, EINVAL, "network: %.40s has bits behind its prefix", text);
	/* Neither the network's own address, nor the gateway's, nor the broadcast address. */
	if (slots > host - FIRST)
		return err_set(
			e, EINVAL,
			"network: %.40s has addresses for %u sandboxes, and there may be "
			"%u (uid_slots)",
			text, host - FIRST, slots);
	*out = (struct launch_network){ .base = ntohl(a.s_addr), .prefix = (unsigned) prefix };
	return 0;
}

struct launch_address launch_network_address(const struct launch_network *n, uint32_t slot,
					     bool with_prefix)
{
	const struct in_addr a = { .s_addr = htonl(n->base + FIRST + slot) };
	struct launch_address out;
	char text[INET_ADDRSTRLEN];

	(void) snprintf(out.s, sizeof(out.s), with_prefix ? "%s/%u" : "%s",
			inet_ntop(AF_INET, &a, text, sizeof(text)), n->prefix);
	return out;
}

struct launch_address launch_network_gateway(const struct launch_network *n)
{
	return launch_network_address(n, (uint32_t) -1, false);
}

/* The template has the first sandbox's. */
int launch_network_set(struct json_doc *doc, const struct launch_network *n, uint32_t slot,
		       struct err *e)
{
	struct json *all = json_get(json_root(doc), "annotations");
	const char *text = json_str_or(all, annotation, NULL);
	auto_buf struct buf out = BUF_LIMIT(ANNOTATION_MAX);
	auto_json struct json_doc *inner = NULL;

	if (!text)
		return 0;
	if (json_parse(text, strlen(text), NULL, &inner, e) < 0)
		return err_wrap(e, "the bundle's annotation %s", annotation);
	struct json *addresses = json_new(inner, JSON_ARRAY);

	json_append(addresses, json_new_str(inner, launch_network_address(n, slot, true).s));
	json_set(inner, json_root(inner), "addresses", addresses);
	if (json_print(json_root(inner), false, &out, e) < 0)
		return -1;
	json_set(doc, all, annotation, json_new_str(doc, buf_str(&out)));
	return 0;
}
