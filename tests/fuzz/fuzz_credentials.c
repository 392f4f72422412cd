/* A docker or podman credentials file of any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const char *s, size_t room)
{
	if (memchr(s, '\0', room) == NULL)
		abort();
	for (; *s; s++) {
		if ((unsigned char) *s < ' ' || *s == 0x7f)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const hosts[] = { "docker.io", "r.example", "r.example:5000" };
	auto_free struct credentials *c = xalloc(sizeof(*c));
	struct err e = ERR_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		if (credentials_from_json((const char *) data, n, hosts[i], "team/app", c, &e) <
		    0)
			continue;
		check(c->user, sizeof(c->user));
		check(c->secret, sizeof(c->secret));
	}
	return 0;
}
