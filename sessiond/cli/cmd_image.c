/* carrel image: carrel-image with our store. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/place.h"

int cli_image(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	auto_free char **argv = xalloc(((size_t) n + 4) * sizeof(*argv));
	auto_free char *program = NULL, *store = NULL;
	struct err e = ERR_NONE;
	size_t at = 0;

	(void) opts;
	program = place_program("carrel-image", &e);
	if (!program)
		return cli_fail(CLI_FAILED, &e);
	argv[at++] = (char *) "carrel-image";
	if (c->store) {
		store = xasprintf("--store=%s", c->store);
		argv[at++] = store;
	}
	for (int i = 0; i < n; i++)
		argv[at++] = (char *) operands[i];
	(void) execv(program, argv);
	(void) err_sys(&e, "%s", program);
	return cli_fail(CLI_FAILED, &e);
}
