/* start, kill, delete, pause, resume: a verb each, no output. */
#include <stddef.h>

#include "base/err.h"
#include "runtime/cli/cli.h"

/* clang-format off */
const struct opt cli_kill_opts[] = {
	{ "all", 'a', OPT_SWITCH, offsetof(struct opts_kill, all), NULL, "to every process of the container" },
	{ 0 },
};
const struct opt cli_delete_opts[] = {
	{ "force", 'f', OPT_SWITCH, offsetof(struct opts_delete, force), NULL, "kill it first; one that does not exist is fine" },
	{ 0 },
};
/* clang-format on */

int cli_start(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	struct err e = ERR_NONE;

	if (container_start(&c->env, operands[0], &e) < 0)
		return cli_fail(c, "start", &e, 1);
	return 0;
}

int cli_kill(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_kill *o = opts;
	struct err e = ERR_NONE;
	int sig;

	if (container_signal_parse(n > 1 ? operands[1] : "TERM", &sig, &e) < 0 ||
	    container_kill(&c->env, operands[0], sig, o->all, &e) < 0)
		return cli_fail(c, "kill", &e, 1);
	return 0;
}

int cli_delete(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_delete *o = opts;
	struct err e = ERR_NONE;

	if (container_delete(&c->env, operands[0], o->force, &e) < 0)
		return cli_fail(c, "delete", &e, 1);
	return 0;
}

static int freeze(struct cli *c, const char *command, const char *id, bool frozen)
{
	struct err e = ERR_NONE;

	if (container_freeze(&c->env, id, frozen, &e) < 0)
		return cli_fail(c, command, &e, 1);
	return 0;
}

int cli_pause(void *global, const char **operands, int n, void *opts)
{
	return freeze(global, "pause", operands[0], true);
}

int cli_resume(void *global, const char **operands, int n, void *opts)
{
	return freeze(global, "resume", operands[0], false);
}
