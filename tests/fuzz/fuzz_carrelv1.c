/* Any messages to a client that speaks carrel.v1. */
#include "tests/fuzz/client_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return fuzz_client(&dialect_carrel, data, n);
}
