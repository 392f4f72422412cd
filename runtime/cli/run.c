/* create and run. */
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "base/str.h"
#include "runtime/cli/cli.h"

/* clang-format off */
#define C(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_create, m), arg, help }
#define CREATE_OPTS \
	C("bundle", 'b', OPT_STRING, bundle, "DIR", "the directory with config.json (default: the current one)"), \
	C("console-socket", 0, OPT_STRING, console_socket, "SOCKET", "unix socket that receives the terminal's master"), \
	C("pidfd-socket", 0, OPT_STRING, pidfd_socket, "SOCKET", "unix socket that receives a descriptor of init (a pidfd)"), \
	C("config", 0, OPT_STRING, config, "FILE", "instead of the bundle's config.json"), \
	C("pid-file", 0, OPT_STRING, pid_file, "FILE", "write init's pid to this file"), \
	C("preserve-fds", 0, OPT_UINT, preserve_fds, "N", "hand N descriptors from 3 on (behind those of LISTEN_FDS) to the container's process"), \
	C("no-pivot", 0, OPT_SWITCH, no_pivot, NULL, "chroot instead of pivot_root, for a root on a ramdisk"), \
	C("no-new-keyring", 0, OPT_SWITCH, no_new_keyring, NULL, "keep the caller's session keyring")

const struct opt cli_create_opts[] = { CREATE_OPTS, { 0 } };
const struct opt cli_run_opts[] = {
	CREATE_OPTS,
	C("detach", 'd', OPT_SWITCH, detach, NULL, "return as soon as the container runs"),
	C("no-subreaper", 0, OPT_SWITCH, no_subreaper, NULL, "accepted for the sake of callers: processes are never adopted"),
	C("keep", 0, OPT_SWITCH, keep, NULL, "do not delete the container when its process has ended"),
	{ 0 },
};
/* clang-format on */

static struct create_args create_args(const char *id, const struct opts_create *o)
{
	const unsigned listening = cli_listen_fds();

	return (struct create_args){
		.id = id,
		.bundle = o->bundle,
		.config = o->config,
		.console_socket = o->console_socket,
		.pidfd_socket = o->pidfd_socket,
		.pid_file = o->pid_file,
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.preserve_fds = (unsigned) o->preserve_fds + listening,
		.listen_fds = listening,
		.detach = o->detach,
		.keep = o->keep,
	};
}

int cli_create(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_create *o = opts;
	const struct create_args a = create_args(operands[0], o);
	struct err e = ERR_NONE;

	if (cli_enter(c, a.preserve_fds, &e) < 0 || container_create(&c->env, &a, &e) < 0)
		return cli_fail(c, "create", &e, 1);
	return 0;
}

int cli_run(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_create *o = opts;
	const struct create_args a = create_args(operands[0], o);
	struct err e = ERR_NONE;
	int code = 0;

	if (cli_enter(c, a.preserve_fds, &e) == 0 && container_run(&c->env, &a, &code, &e) == 0)
		return code;
	/* To who called run, the program that cannot be executed speaks for itself, as in a shell. */
	if (!c->log && !c->log_format && str_has_prefix(e.msg, "exec /")) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	return cli_fail(c, "run", &e, 1);
}
