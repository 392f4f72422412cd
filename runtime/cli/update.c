/* update. */
#include <errno.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/cli/cli.h"

/* clang-format off */
const struct opt cli_update_opts[] = {
	{ "resources", 'r', OPT_STRING, offsetof(struct opts_update, resources), "FILE", "an OCI resources object; - reads stdin" },
	{ 0 },
};
/* clang-format on */

int cli_update(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_update *o = opts;
	struct err e = ERR_NONE;

	if (!o->resources) {
		err_set(&e, EINVAL, "--resources FILE is needed");
		return cli_fail(c, "update", &e, 1);
	}
	if (container_update(&c->env, operands[0], o->resources, &e) < 0)
		return cli_fail(c, "update", &e, 1);
	return 0;
}
