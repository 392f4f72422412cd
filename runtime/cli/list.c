/* state and list. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "runtime/cli/cli.h"

/* clang-format off */
const struct opt cli_list_opts[] = {
	{ "quiet", 'q', OPT_SWITCH, offsetof(struct opts_list, quiet), NULL, "ids only" },
	{ "format", 'f', OPT_STRING, offsetof(struct opts_list, format), "table|json", "how to print" },
	{ 0 },
};
/* clang-format on */

int cli_state(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(CLI_OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (container_state(&c->env, operands[0], &out, &e) < 0 || buf_puts(&out, "\n", &e) < 0)
		return cli_fail(c, "state", &e, 1);
	return cli_print(c, "state", &out);
}

int cli_list(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_list *o = opts;
	auto_buf struct buf out = BUF_LIMIT(CLI_OUTPUT_MAX);
	struct err e = ERR_NONE;
	const char *format = o->format ? o->format : "table";

	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		err_set(&e, EINVAL, "--format %s: invalid format option: table or json",
			format);
		return cli_fail(c, "list", &e, 1);
	}
	const enum list_format f = o->quiet			 ? LIST_IDS
				   : strcmp(format, "json") == 0 ? LIST_JSON
								 : LIST_TABLE;
	if (container_list(&c->env, f, &out, &e) < 0 ||
	    (f == LIST_JSON && buf_puts(&out, "\n", &e) < 0))
		return cli_fail(c, "list", &e, 1);
	return cli_print(c, "list", &out);
}
