/* exec. */
#include <errno.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/cli/cli.h"

enum { EXIT_EXEC_FAILED = 255 };

/* clang-format off */
#define E(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_exec, m), arg, help }
const struct opt cli_exec_opts[] = {
	E("process", 'p', OPT_STRING, process, "FILE", "an OCI process object, instead of COMMAND"),
	E("detach", 'd', OPT_SWITCH, detach, NULL, "return as soon as the process runs"),
	E("tty", 't', OPT_SWITCH, tty, NULL, "give it a terminal"),
	E("console-socket", 0, OPT_STRING, console_socket, "SOCKET", "unix socket that receives the terminal's master"),
	E("pidfd-socket", 0, OPT_STRING, pidfd_socket, "SOCKET", "unix socket that receives a descriptor of the process (a pidfd)"),
	E("pid-file", 0, OPT_STRING, pid_file, "FILE", "write the process's pid to this file"),
	E("cwd", 0, OPT_STRING, cwd, "DIR", "its working directory, inside the container"),
	E("user", 'u', OPT_STRING, user, "USER[:GROUP]", "names or numbers of the container's own passwd and group"),
	E("additional-gids", 'g', OPT_LIST, groups, "GID", "one more group"),
	E("env", 'e', OPT_LIST, env, "NAME=VALUE", "one more environment variable"),
	E("cap", 'c', OPT_LIST, caps, "CAP_NAME", "one more capability"),
	E("apparmor", 0, OPT_STRING, apparmor, "PROFILE", "AppArmor profile, instead of the bundle's"),
	E("process-label", 0, OPT_STRING, process_label, "LABEL", "SELinux label, instead of the bundle's"),
	E("cgroup", 0, OPT_LIST, cgroups, "[CTRL[,CTRL]:]PATH", "an existing cgroup below the container's; may be given per controller"),
	E("no-new-privs", 0, OPT_SWITCH, no_new_privs, NULL, "set no_new_privs"),
	E("ignore-paused", 0, OPT_SWITCH, ignore_paused, NULL, "also in a paused container, where it waits for resume"),
	E("preserve-fds", 0, OPT_UINT, preserve_fds, "N", "hand descriptors 3 to 3+N-1 to the process"),
	{ 0 },
};
/* clang-format on */

int cli_exec(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_exec *o = opts;
	struct err e = ERR_NONE;
	int code = 0;
	const struct exec_args a = {
		.id = operands[0],
		.process_file = o->process,
		.command = n > 1 ? operands + 1 : NULL,
		.cwd = o->cwd,
		.user = o->user,
		.env = o->env.v,
		.groups = o->groups.v,
		.caps = o->caps.v,
		.cgroups = o->cgroups.v,
		.apparmor = o->apparmor,
		.process_label = o->process_label,
		.tty = o->tty,
		.detach = o->detach,
		.no_new_privs = o->no_new_privs,
		.ignore_paused = o->ignore_paused,
		.console_socket = o->console_socket,
		.pidfd_socket = o->pidfd_socket,
		.pid_file = o->pid_file,
		.preserve_fds = (unsigned) o->preserve_fds,
	};

	if (!a.command && !a.process_file) {
		err_set(&e, EINVAL, "either COMMAND or --process is needed");
		return cli_fail(c, "exec", &e, EXIT_EXEC_FAILED);
	}
	if (a.command && a.process_file) {
		err_set(&e, EINVAL, "COMMAND and --process exclude each other");
		return cli_fail(c, "exec", &e, EXIT_EXEC_FAILED);
	}
	if (cli_enter(c, o->preserve_fds, &e) < 0 || container_exec(&c->env, &a, &code, &e) < 0)
		return cli_fail(c, "exec", &e, EXIT_EXEC_FAILED);
	return code;
}
