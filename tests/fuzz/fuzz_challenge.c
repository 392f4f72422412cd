/* A WWW-Authenticate header of any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const char *s)
{
	if (memchr(s, '\0', CHALLENGE_TEXT) == NULL)
		abort();
	for (; *s; s++) {
		if ((unsigned char) *s < ' ' || *s == 0x7f)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_free char *text = xalloc(n + 1);
	struct err e = ERR_NONE;
	struct challenge c;

	memcpy(text, data, n);
	if (challenge_parse(text, &c, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	check(c.realm);
	check(c.service);
	check(c.scope);
	if (c.scheme == CHALLENGE_BEARER && !c.realm[0])
		abort();
	return 0;
}
