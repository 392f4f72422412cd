/* Any messages to a client that speaks terminado's JSON. */
#include "tests/fuzz/client_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return fuzz_client(&dialect_terminado, data, n);
}
