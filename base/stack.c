#include "base/stack.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	OWN = 1024, /* below here, for this function and the call */
	REACH = 256 * 1024,
};

__attribute__((noinline)) void stack_give_back(void)
{
	uintptr_t page = (uintptr_t) sysconf(_SC_PAGESIZE);
	uintptr_t here = (uintptr_t) __builtin_frame_address(0);
	uintptr_t end = (here - OWN) / page * page;

	/* Where the stack does not reach so far there is nothing to give back, which is no error here. */
	(void) madvise((void *) (end - REACH), REACH, MADV_DONTNEED);
}
