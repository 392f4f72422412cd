/* The list of commands and the global options, from which parsing, --help and the man page are made. */
#include <stddef.h>

#include "runtime/cli/cli.h"
#include "runtime/cli/texts.h"

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
	G("systemd-cgroup", 0, OPT_SWITCH, systemd_cgroup, NULL, "let systemd make the cgroup, as a scope; linux.cgroupsPath is slice:prefix:name"),
	G("cgroup-manager", 0, OPT_STRING, cgroup_manager, "NAME", "cgroupfs, systemd (as --systemd-cgroup) or disabled"),
	G("rootless", 0, OPT_STRING, rootless, "true|false|auto", "do without root's rights"),
	{ 0 },
};

#define ONE_ID .operands = "ID", .min_operands = 1, .max_operands = 1
static const struct opt_cmd commands[] = {
	{ .name = "create", .text = cli_text_create, ONE_ID, .opts = cli_create_opts, .run = cli_create, .opts_size = sizeof(struct opts_create),
	  .help = "make a container; its program waits for start" },
	{ .name = "start", .text = cli_text_start, ONE_ID, .run = cli_start, .help = "execute the program of a created container" },
	{ .name = "run", .text = cli_text_run, ONE_ID, .opts = cli_run_opts, .run = cli_run, .opts_size = sizeof(struct opts_create),
	  .help = "create, start, wait and delete" },
	{ .name = "exec", .text = cli_text_exec, .operands = "ID [COMMAND [ARG...]]", .min_operands = 1, .max_operands = -1, .fixed_operands = 1,
	  .opts = cli_exec_opts, .flags = OPT_STOP_AT_OPERAND, .run = cli_exec, .opts_size = sizeof(struct opts_exec),
	  .help = "one more process in a container" },
	{ .name = "state", .text = cli_text_state, ONE_ID, .run = cli_state, .help = "print the state as JSON" },
	{ .name = "kill", .text = cli_text_kill, .operands = "ID [SIGNAL]", .min_operands = 1, .max_operands = 2, .opts = cli_kill_opts,
	  .run = cli_kill, .opts_size = sizeof(struct opts_kill), .help = "send a signal (default: SIGTERM)" },
	{ .name = "delete", .text = cli_text_delete, ONE_ID, .opts = cli_delete_opts, .run = cli_delete, .opts_size = sizeof(struct opts_delete),
	  .help = "remove what is left of a container" },
	{ .name = "list", .text = cli_text_list, .operands = "", .max_operands = 0, .opts = cli_list_opts, .run = cli_list,
	  .opts_size = sizeof(struct opts_list), .help = "list containers" },
	{ .name = "ps", .text = cli_text_ps, .operands = "ID [PS-OPTION...]", .min_operands = 1, .max_operands = -1, .fixed_operands = 1,
	  .opts = cli_ps_opts, .flags = OPT_STOP_AT_OPERAND, .run = cli_ps, .opts_size = sizeof(struct opts_ps),
	  .help = "list the processes of a container" },
	{ .name = "pause", .text = cli_text_pause, ONE_ID, .run = cli_pause, .help = "freeze all processes" },
	{ .name = "resume", ONE_ID, .run = cli_resume, .help = "thaw them" },
	{ .name = "events", .text = cli_text_events, ONE_ID, .opts = cli_events_opts, .run = cli_events, .opts_size = sizeof(struct opts_events),
	  .help = "print statistics and OOM kills of a container as they come" },
	{ .name = "update", .text = cli_text_update, ONE_ID, .opts = cli_update_opts, .run = cli_update, .opts_size = sizeof(struct opts_update),
	  .help = "change the limits of a container" },
	{ .name = "checkpoint", .text = cli_text_checkpoint, ONE_ID, .opts = cli_checkpoint_opts, .run = cli_checkpoint,
	  .opts_size = sizeof(struct opts_checkpoint), .help = "save a running container's processes with criu" },
	{ .name = "restore", .text = cli_text_restore, ONE_ID, .opts = cli_restore_opts, .run = cli_restore,
	  .opts_size = sizeof(struct opts_restore), .help = "make a container again from a checkpoint" },
	{ .name = "spec", .text = cli_text_spec, .operands = "", .max_operands = 0, .opts = cli_spec_opts, .run = cli_spec,
	  .opts_size = sizeof(struct opts_spec), .help = "write a config.json to start from" },
	{ .name = "features", .text = cli_text_features, .operands = "", .max_operands = 0, .run = cli_features,
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
	"# ENVIRONMENT\n"
	"\n"
	"- CARREL_SYSTEMD_TIMEOUT: how many seconds systemd may take for a request of the systemd cgroup "
	"driver (default: 30).\n"
	"- DBUS_SYSTEM_BUS_ADDRESS, DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR: where that driver finds "
	"systemd.\n"
	"\n"
	"# FILES\n"
	"\n"
	"- /run/carrel/runtime/ID: the state of a container.\n"
	"- /run/carrel/runtime/@seccomp: compiled system call filters.\n";

const struct opt_program cli_program = {
	.name = "carrel-runtime",
	.summary = "Open Container Initiative runtime for sandboxed containers",
	.text = text,
	.opts = global_opts,
	.cmds = commands,
	.section = 8,
};
