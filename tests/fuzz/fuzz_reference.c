/* A name of any bytes: what is taken is told again as the same name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_free char *text = xalloc(n + 1);
	struct err e = ERR_NONE;
	struct reference r, again;

	memcpy(text, data, n);
	if (reference_parse(text, n % 2 ? "docker.io" : NULL, &r, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	auto_free char *whole = reference_text(&r);
	auto_free char *same = NULL;
	if (reference_parse(whole, NULL, &again, &e) < 0 || strstr(r.host, "..") ||
	    strstr(r.repo, ".."))
		abort();
	same = reference_text(&again);
	if (strcmp(whole, same) != 0)
		abort();
	return 0;
}
