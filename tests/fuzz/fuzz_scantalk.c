/* Any bytes as a message between the front and its scanner: what is accepted lies within the message. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/policy.h"
#include "shim/scan_talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *body = NULL;
	struct err e = ERR_NONE;
	struct scan_head h;
	struct scan_found f;

	if (scan_decode(data, n, &h, &body, &e) < 0)
		return 0;
	if (body != data + sizeof(h) || sizeof(h) + h.n != n || h.stream >= SCAN_STREAMS ||
	    h.kind >= SCAN_KINDS)
		abort();
	if (h.kind != SCAN_FOUND)
		return 0;
	f = scan_finding(&h, body);
	if (strnlen(f.rule, sizeof(f.rule)) == sizeof(f.rule) || f.action > POLICY_KILL ||
	    strnlen(f.fingerprint, sizeof(f.fingerprint)) > SCAN_PRINT)
		abort();
	return 0;
}
