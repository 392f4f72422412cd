/* Any messages to a client that speaks v5.channel.k8s.io or, with bit 5 of the first byte, v4. */
#include "tests/fuzz/client_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return fuzz_client(n > 0 && (data[0] & 32) ? &dialect_k8s_v4 : &dialect_k8s_v5, data,
			   n);
}
