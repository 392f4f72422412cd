/* Any bytes: a YAML file that is accepted is a tree that JSON can carry unchanged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct json_limits wide = { .bytes = 64 << 20, .depth = 64, .nodes = 200000 };
	auto_buf struct buf first = BUF_LIMIT(wide.bytes), second = BUF_LIMIT(wide.bytes);
	auto_json struct json_doc *doc = NULL, *again = NULL;
	struct err e = ERR_NONE;

	if (yaml_parse((const char *) data, n, &doc, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	if (json_print(json_root(doc), false, &first, &e) < 0)
		abort();
	if (json_parse(buf_str(&first), buf_len(&first), &wide, &again, &e) < 0)
		abort();
	if (json_print(json_root(again), false, &second, &e) < 0 ||
	    strcmp(buf_str(&first), buf_str(&second)) != 0)
		abort();
	return 0;
}
