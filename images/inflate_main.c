/*
 * carrel-inflate: the inflating child as a program of its own, because ISA-L comes as a shared library only.
 * Started by unpack_child.c in the namespaces it is to live in, with descriptors by number; it gives all other rights
 * up before it reads the first byte.
 */
#include <stdlib.h>
#include <string.h>

#include "images/confine.h"
#include "images/inflate.h"
#include "images/sanitized.h"
#include "images/unpack_child.h"

#if IMAGES_SANITIZED
const char *__asan_default_options(void);

/* It has no environment, and the leak checker is a tracer: the filter kills it. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

int main(int argc, char **argv)
{
	int n[N_ARGS] = { 0 };

	if (argc != N_ARGS)
		return 2;
	for (int i = ARG_IN; i < N_ARGS; i++)
		n[i] = (int) strtol(argv[i], NULL, 10);
	const struct confine_spec spec = {
		.kind = CONFINE_STREAM,
		.tree_fd = -1,
		.exec_fd = -1,
		.keep_fds = { n[ARG_IN], n[ARG_RING], n[ARG_RING_SOCK] },
		.n_keep_fds = 3,
		.seconds = (uint64_t) n[ARG_SECONDS],
	};
	if (confine_self(&spec, n[ARG_SOCK]) < 0)
		return 1;
	return unpack_child_inflate(inflate_isal, n[ARG_IN], n[ARG_RING], n[ARG_RING_SOCK],
				    n[ARG_SOCK]);
}
