/* Messages between carrel-image and carrel-registry, of any bytes; the first says which, the rest is padded or cut to size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/registry_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void *padded(const uint8_t *data, size_t n, size_t size)
{
	uint8_t *p = xalloc(size);

	memcpy(p, data, MIN(n, size));
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = ERR_NONE;
	struct registry_request q;
	struct registry_answer a;
	char text[64];

	if (n == 0)
		return 0;
	auto_free struct registry_setup *s = xalloc(sizeof(*s));
	auto_free void *request = padded(data + 1, n - 1, sizeof(q));
	auto_free void *answer = padded(data + 1, n - 1, sizeof(a));
	auto_free void *setup = padded(data + 1, n - 1, sizeof(*s));
	registry_text(text, sizeof(text), (const char *) data, n);
	if (memchr(text, '\0', sizeof(text)) == NULL)
		abort();
	if (data[0] % 3 == 0 && registry_request_parse(request, sizeof(q), &q, &e) == 0 &&
	    q.op != REGISTRY_CANCEL && (strstr(q.repo, "..") || strchr(q.ref, '/')))
		abort();
	if (data[0] % 3 == 1)
		(void) registry_answer_parse(answer, sizeof(a), &a, &e);
	if (data[0] % 3 == 2)
		(void) registry_setup_parse(setup, sizeof(*s), s, &e);
	return 0;
}
