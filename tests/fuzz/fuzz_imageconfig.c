/* Any bytes as an image configuration: what is accepted can stand in a process. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/imageconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct imageconfig c = { 0 };
	struct err e = ERR_NONE;

	if (imageconfig_parse((const char *) data, n, &c, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	for (size_t i = 0; c.env && c.env[i]; i++) {
		if (imageconfig_check_env(c.env[i], &e) < 0)
			abort();
	}
	for (size_t i = 0; i < c.n_diff_ids; i++) {
		if (!digest_is_hex(c.diff_ids[i].hex))
			abort();
	}
	if (c.n_diff_ids == 0 || strcmp(c.os, "linux") != 0)
		abort();
	imageconfig_fini(&c);
	return 0;
}
