/* Any messages to a client that speaks raw bytes. */
#include "tests/fuzz/client_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return fuzz_client(&dialect_raw, data, n);
}
