/* The tables behind parsing, --help and the man page. */
#include <stddef.h>

#include "runtime/cli/cli.h"

#define G(n, l, k, m, arg, help)                                                               \
	{                                                                                      \
		n, l, k, offsetof(struct cli, m), arg, help                                    \
	}
/* clang-format off */
static const struct opt global_opts[] = {
	G("root", 0, OPT_STRING, root, "DIR", "where the states of containers are kept (default: /run/carrel/runtime)"),
	G("log", 0, OPT_STRING, log, "FILE", "append log lines to this file instead of stderr"),
	G("log-format", 0, OPT_STRING, log_format, "text|json", "how log lines look"),
	G("log-level", 0, OPT_STRING, log_level, "LEVEL", "debug, info, warn or error"),
	G("debug", 0, OPT_SWITCH, debug, NULL, "log what is done, step by step"),
	G("systemd-cgroup", 0, OPT_SWITCH, systemd_cgroup, NULL, "let systemd make the cgroup (not supported by this version)"),
	G("cgroup-manager", 0, OPT_STRING, cgroup_manager, "NAME", "cgroupfs, systemd or disabled"),
	G("rootless", 0, OPT_STRING, rootless, "true|false|auto", "do without root's rights"),
	{ 0 },
};

#define C(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_create, m), arg, help }
#define CREATE_OPTS \
	C("bundle", 'b', OPT_STRING, bundle, "DIR", "the directory with config.json (default: the current one)"), \
	C("console-socket", 0, OPT_STRING, console_socket, "SOCKET", "unix socket that receives the terminal's master"), \
	C("pid-file", 0, OPT_STRING, pid_file, "FILE", "write init's pid to this file"), \
	C("preserve-fds", 0, OPT_UINT, preserve_fds, "N", "hand descriptors 3 to 3+N-1 to the container's process"), \
	C("no-pivot", 0, OPT_SWITCH, no_pivot, NULL, "chroot instead of pivot_root, for a root on a ramdisk"), \
	C("no-new-keyring", 0, OPT_SWITCH, no_new_keyring, NULL, "keep the caller's session keyring")

static const struct opt create_opts[] = { CREATE_OPTS, { 0 } };
static const struct opt run_opts[] = {
	CREATE_OPTS,
	C("detach", 'd', OPT_SWITCH, detach, NULL, "return as soon as the container runs"),
	C("keep", 0, OPT_SWITCH, keep, NULL, "do not delete the container when its process has ended"),
	{ 0 },
};

#define E(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_exec, m), arg, help }
static const struct opt exec_opts[] = {
	E("process", 'p', OPT_STRING, process, "FILE", "an OCI process object, instead of COMMAND"),
	E("detach", 'd', OPT_SWITCH, detach, NULL, "return as soon as the process runs"),
	E("tty", 't', OPT_SWITCH, tty, NULL, "give it a terminal"),
	E("console-socket", 0, OPT_STRING, console_socket, "SOCKET", "unix socket that receives the terminal's master"),
	E("pid-file", 0, OPT_STRING, pid_file, "FILE", "write the process's pid to this file"),
	E("cwd", 0, OPT_STRING, cwd, "DIR", "its working directory, inside the container"),
	E("user", 'u', OPT_STRING, user, "USER[:GROUP]", "names or numbers of the container's own passwd and group"),
	E("additional-gids", 'g', OPT_LIST, groups, "GID", "one more group"),
	E("env", 'e', OPT_LIST, env, "NAME=VALUE", "one more environment variable"),
	E("cap", 0, OPT_LIST, caps, "CAP_NAME", "one more capability"),
	E("no-new-privs", 0, OPT_SWITCH, no_new_privs, NULL, "set no_new_privs"),
	E("ignore-paused", 0, OPT_SWITCH, ignore_paused, NULL, "also in a paused container, where it waits for resume"),
	E("preserve-fds", 0, OPT_UINT, preserve_fds, "N", "hand descriptors 3 to 3+N-1 to the process"),
	{ 0 },
};

static const struct opt kill_opts[] = {
	{ "all", 'a', OPT_SWITCH, offsetof(struct opts_kill, all), NULL, "to every process of the container" },
	{ 0 },
};
static const struct opt delete_opts[] = {
	{ "force", 'f', OPT_SWITCH, offsetof(struct opts_delete, force), NULL, "kill it first; one that does not exist is fine" },
	{ 0 },
};
static const struct opt list_opts[] = {
	{ "quiet", 'q', OPT_SWITCH, offsetof(struct opts_list, quiet), NULL, "ids only" },
	{ "format", 'f', OPT_STRING, offsetof(struct opts_list, format), "table|json", "how to print" },
	{ 0 },
};
static const struct opt ps_opts[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct opts_ps, format), "table|json", "how to print" },
	{ 0 },
};
static const struct opt update_opts[] = {
	{ "resources", 'r', OPT_STRING, offsetof(struct opts_update, resources), "FILE", "an OCI resources object; - reads stdin" },
	{ 0 },
};
static const struct opt spec_opts[] = {
	{ "bundle", 'b', OPT_STRING, offsetof(struct opts_spec, bundle), "DIR", "where to write config.json (default: here)" },
	{ "rootless", 0, OPT_SWITCH, offsetof(struct opts_spec, rootless), NULL, "for the calling user, without root's rights" },
	{ 0 },
};

#define ONE_ID .operands = "ID", .min_operands = 1, .max_operands = 1
static const struct opt_cmd commands[] = {
	{ .name = "create", ONE_ID, .opts = create_opts, .run = cli_create, .opts_size = sizeof(struct opts_create),
	  .help = "make a container; its program waits for start" },
	{ .name = "start", ONE_ID, .run = cli_start, .help = "execute the program of a created container" },
	{ .name = "run", ONE_ID, .opts = run_opts, .run = cli_run, .opts_size = sizeof(struct opts_create),
	  .help = "create, start, wait and delete" },
	{ .name = "exec", .operands = "ID [COMMAND [ARG...]]", .min_operands = 1, .max_operands = -1, .fixed_operands = 1,
	  .opts = exec_opts, .flags = OPT_STOP_AT_OPERAND, .run = cli_exec, .opts_size = sizeof(struct opts_exec),
	  .help = "one more process in a container" },
	{ .name = "state", ONE_ID, .run = cli_state, .help = "print the state as JSON" },
	{ .name = "kill", .operands = "ID [SIGNAL]", .min_operands = 1, .max_operands = 2, .opts = kill_opts,
	  .run = cli_kill, .opts_size = sizeof(struct opts_kill), .help = "send a signal (default: SIGTERM)" },
	{ .name = "delete", ONE_ID, .opts = delete_opts, .run = cli_delete, .opts_size = sizeof(struct opts_delete),
	  .help = "remove what is left of a container" },
	{ .name = "list", .operands = "", .max_operands = 0, .opts = list_opts, .run = cli_list,
	  .opts_size = sizeof(struct opts_list), .help = "list containers" },
	{ .name = "ps", .operands = "ID [PS-OPTION...]", .min_operands = 1, .max_operands = -1, .fixed_operands = 1,
	  .opts = ps_opts, .flags = OPT_STOP_AT_OPERAND, .run = cli_ps, .opts_size = sizeof(struct opts_ps),
	  .help = "list the processes of a container" },
	{ .name = "pause", ONE_ID, .run = cli_pause, .help = "freeze all processes" },
	{ .name = "resume", ONE_ID, .run = cli_resume, .help = "thaw them" },
	{ .name = "update", ONE_ID, .opts = update_opts, .run = cli_update, .opts_size = sizeof(struct opts_update),
	  .help = "change the limits of a container" },
	{ .name = "spec", .operands = "", .max_operands = 0, .opts = spec_opts, .run = cli_spec,
	  .opts_size = sizeof(struct opts_spec), .help = "write a config.json to start from" },
	{ .name = "features", .operands = "", .max_operands = 0, .run = cli_features,
	  .help = "print what this build can do as JSON" },
	{ .name = "version", .operands = "", .max_operands = 0, .run = cli_version, .help = "print versions" },
	{ 0 },
};
/* clang-format on */

static const char text[] =
	"carrel-runtime runs one container per call, from a bundle: a directory with the "
	"config.json of the Open Container Initiative's runtime specification 1.3 and a root "
	"filesystem. There is no daemon. Engines (podman, containerd, CRI-O) call it by the "
	"command line that they know from other runtimes.\n"
	"\n"
	"What config.json asks for and this version cannot do is refused with an error that names "
	"the field; nothing is left out silently.\n"
	"\n"
	"# EXIT STATUS\n"
	"\n"
	"- run and exec in the foreground pass on the exit status of the container's process, 128 "
	"plus the signal's number when a signal ended it.\n"
	"- 255 when exec itself fails, 1 when another command fails; the reason is on stderr and in "
	"the log.\n"
	"\n"
	"# FILES\n"
	"\n"
	"- /run/carrel/runtime/ID: the state of a container.\n"
	"- /run/carrel/runtime/@seccomp: compiled system call filters.\n";

const struct opt_program cli_program = {
	.name = "carrel-runtime",
	.summary = "run sandboxed containers as the OCI runtime specification says",
	.text = text,
	.opts = global_opts,
	.cmds = commands,
};
