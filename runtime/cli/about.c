/* What the program is: features, version, the man page, a config.json to start from. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "runtime/cli/cli.h"

/* clang-format off */
const struct opt cli_spec_opts[] = {
	{ "bundle", 'b', OPT_STRING, offsetof(struct opts_spec, bundle), "DIR", "where to write config.json (default: here)" },
	{ "rootless", 0, OPT_SWITCH, offsetof(struct opts_spec, rootless), NULL, "for the calling user, without root's rights" },
	{ 0 },
};
/* clang-format on */

int cli_features(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(CLI_OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (container_features(&out, &e) < 0 || buf_puts(&out, "\n", &e) < 0)
		return cli_fail(c, "features", &e, 1);
	return cli_print(c, "features", &out);
}

int cli_spec(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_spec *o = opts;
	auto_free char *path = xasprintf("%s/config.json", o->bundle ? o->bundle : ".");
	auto_buf struct buf out = BUF_LIMIT(CLI_OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (container_spec_template(o->rootless, &out, &e) < 0 || buf_puts(&out, "\n", &e) < 0)
		return cli_fail(c, "spec", &e, 1);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		err_sys(&e, "%s", path);
		return cli_fail(c, "spec", &e, 1);
	}
	if (fd_write_all(fd, buf_bytes(&out), buf_len(&out), &e) < 0)
		return cli_fail(c, "spec", &e, 1);
	return 0;
}

int cli_version(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(CLI_OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (opt_render(&cli_program, OPT_VERSION, NULL, &out, &e) < 0 ||
	    container_versions(&out, &e) < 0)
		return cli_fail(c, "version", &e, 1);
	return cli_print(c, "version", &out);
}

/* The page of the program, or of the command that is named. */
int cli_man(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opt_cmd *cmd = n ? opt_find_cmd(&cli_program, operands[0]) : NULL;
	auto_buf struct buf out = BUF_LIMIT(CLI_OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (n && !cmd)
		err_set(&e, EINVAL, "No help topic for '%.80s'", operands[0]);
	else
		(void) opt_render(&cli_program, OPT_MAN, cmd, &out, &e);
	return e.code ? cli_fail(c, "--man", &e, 1) : cli_print(c, "--man", &out);
}
