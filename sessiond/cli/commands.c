/* The tables behind parsing, --help and the man page. */
#include <stddef.h>

#include "sessiond/cli/cli.h"

/* clang-format off */
#define G(n, l, k, m, arg, help) { n, l, k, offsetof(struct cli, m), arg, help }
static const struct opt global_opts[] = {
	G("url", 0, OPT_STRING, url, "URL", "the daemon: http://HOST:PORT, https://..., unix:/PATH (CARREL_URL)"),
	G("key", 0, OPT_STRING, key, "KEY", "API key; better in a file or in CARREL_KEY, where ps(1) does not show it"),
	G("key-file", 0, OPT_STRING, key_file, "FILE", "file with the API key in its first line"),
	G("ca", 0, OPT_STRING, ca, "FILE", "who may vouch for the daemon's certificate, instead of the system's list (CARREL_CA)"),
	G("format", 0, OPT_STRING, format, "table|json", "how ps prints (table)"),
	G("run-dir", 0, OPT_STRING, run_dir, "DIR", "live sandboxes of this host (/run/carrel)"),
	G("store", 0, OPT_STRING, store, "DIR", "image store (/var/lib/carrel/store)"),
	{ 0 },
};

#define R(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_run, m), arg, help }
static const struct opt run_opts[] = {
	R("tier", 't', OPT_STRING, tier, "NAME", "limits of this tier (default: modest built-in ones)"),
	R("tiers", 0, OPT_STRING, tiers, "FILE", "where tiers are described (tiers.yaml beside the programs)"),
	R("policy", 0, OPT_STRING, policy, "NAME", "look for secrets in all input and output with this policy (default: the tier's, else none)"),
	R("policies", 0, OPT_STRING, policies, "FILE", "where policies are described (policies.yaml beside the programs)"),
	R("name", 'n', OPT_STRING, name, "NAME", "the sandbox's name (default: a random one)"),
	R("env", 'e', OPT_LIST, env, "NAME=VALUE", "one more environment variable"),
	R("user", 'u', OPT_STRING, user, "USER[:GROUP]", "instead of the image's user"),
	R("cwd", 'w', OPT_STRING, cwd, "DIR", "instead of the image's working directory"),
	R("hostname", 0, OPT_STRING, hostname, "NAME", "host name inside (sandbox)"),
	R("detach", 'd', OPT_SWITCH, detach, NULL, "print the name and leave it running"),
	R("no-tty", 'T', OPT_SWITCH, no_tty, NULL, "no terminal: pipes in and out, as when stdin is no terminal"),
	R("rm", 0, OPT_SWITCH, rm, NULL, "nothing stays behind; this is the default"),
	R("idle", 0, OPT_DURATION, idle_ms, "TIME", "end it after so long without input or output (never)"),
	R("lifetime", 0, OPT_DURATION, lifetime_ms, "TIME", "end it after so long (never)"),
	R("volume", 0, OPT_STRING, volume, "NAME[:DIR]", "a volume of carrel image volume, at /workspace or DIR"),
	R("volumes", 0, OPT_STRING, volumes, "DIR", "where volumes lie (/var/lib/carrel/volumes)"),
	R("run-dir", 0, OPT_STRING, run_dir, "DIR", "as the global option"),
	R("store", 0, OPT_STRING, store, "DIR", "as the global option"),
	R("runtime", 0, OPT_STRING, runtime, "FILE", "OCI runtime (carrel-runtime)"),
	R("seccomp", 0, OPT_STRING, seccomp, "FILE", "system call filter (seccomp.json beside the programs)"),
	R("cgroup", 0, OPT_STRING, cgroup, "PATH", "parent of the sandbox's cgroup (/carrel)"),
	{ 0 },
};

static const struct opt attach_opts[] = {
	{ "viewer", 0, OPT_SWITCH, offsetof(struct opts_attach, viewer), NULL, "only watch" },
	{ "since", 0, OPT_UINT, offsetof(struct opts_attach, since), "N", "leave out output before byte N" },
	{ 0 },
};

#define P(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_play, m), arg, help }
static const struct opt play_opts[] = {
	P("speed", 's', OPT_STRING, speed, "X", "so many times as fast (1)"),
	P("idle-limit", 'i', OPT_DURATION, idle_limit_ms, "TIME", "no longer silence than this (as it was)"),
	P("follow", 'f', OPT_SWITCH, follow, NULL, "at the end go on with what is recorded from then on, as it comes, until the program has ended"),
	P("raw", 0, OPT_SWITCH, raw, NULL, "the program's bytes at once, those too that were no text"),
	P("v2", 0, OPT_SWITCH, v2, NULL, "print it as asciicast v2, for players that know no v3"),
	{ 0 },
};

static const struct opt exec_opts[] = {
	{ "env", 'e', OPT_LIST, offsetof(struct opts_exec, env), "NAME=VALUE", "one more environment variable" },
	{ "user", 'u', OPT_STRING, offsetof(struct opts_exec, user), "USER[:GROUP]", "instead of the sandbox's user" },
	{ "cwd", 'w', OPT_STRING, offsetof(struct opts_exec, cwd), "DIR", "instead of the sandbox's working directory" },
	{ "no-tty", 'T', OPT_SWITCH, offsetof(struct opts_exec, no_tty), NULL, "no terminal: pipes, as when stdin is no terminal" },
	{ 0 },
};

static const struct opt upgrade_opts[] = {
	{ "all", 0, OPT_SWITCH, offsetof(struct opts_upgrade, all), NULL, "all that run" },
	{ 0 },
};

static const struct opt_cmd commands[] = {
	{ "run", "IMAGE [-- COMMAND [ARG...]]", 1, -1, 1, run_opts, OPT_STOP_AT_OPERAND, "run a program in a sandbox, without a daemon",
	  "Needs root. The image comes from the store (carrel image import, carrel image build). With a terminal on stdin the program "
	  "gets one of its own: Ctrl-P Ctrl-Q leaves it running and comes back to the shell. Without one, or with --no-tty, stdin is "
	  "passed in and its output comes out, so that a sandbox can stand in a pipeline.\n"
	  "\n"
	  " carrel run default\n"
	  " echo 'print(6 * 7)' | carrel run --tier free default -- python3 -\n",
	  cli_run, sizeof(struct opts_run) },
	{ "ps", "[ID]", 0, 1, 0, NULL, 0, "list sandboxes, or the processes of one",
	  "Those that the key may see, when a daemon's address or a key is given; else, as root, all of this host's run directory.",
	  cli_ps, 0 },
	{ "attach", "ID", 1, 1, 0, attach_opts, 0, "connect this terminal to a sandbox",
	  "Through the daemon when its address or a key is given; else, as root, to a sandbox of this host. "
	  "Ctrl-P Ctrl-Q detaches, the program goes on.",
	  cli_attach, sizeof(struct opts_attach) },
	{ "play", "ID|FILE", 1, 1, 0, play_opts, 0, "play a recording of a terminal",
	  "The recording of a sandbox of the daemon, when its address or a key is given; else an asciicast file (v2 or v3). "
	  "A tier says whether its sandboxes are recorded.",
	  cli_play, sizeof(struct opts_play) },
	{ "exec", "ID [--] COMMAND [ARG...]", 2, -1, 1, exec_opts, OPT_STOP_AT_OPERAND, "run one more program in a sandbox",
	  "With a terminal on stdin the program gets one of its own, and Ctrl-P Ctrl-Q leaves it running; else it gets pipes, and its standard "
	  "error comes out apart. A signal to carrel exec ends the program. Through the daemon or here, as attach.",
	  cli_exec, sizeof(struct opts_exec) },
	{ "rm", "ID...", 1, -1, 0, NULL, 0, "end sandboxes and remove what is left of them", NULL,
	  cli_rm, 0 },
	{ "upgrade", "[ID...]", 0, -1, 0, upgrade_opts, 0, "let running sandboxes go on with the installed carrel-shim",
	  "Terminals stay connected, nothing is lost; a sandbox whose carrel-shim is that one already is left alone. One that cannot be upgraded "
	  "goes on as it was. Through the daemon, with an administrator's key, or here, as attach.",
	  cli_upgrade, sizeof(struct opts_upgrade) },
	{ "image", "COMMAND [ARG...]", 1, -1, 0, NULL, OPT_STOP_AT_OPERAND, "work on the image store",
	  "Hands everything over to carrel-image(1) with the store of --store.",
	  cli_image, 0 },
	{ 0 },
};
/* clang-format on */

const struct opt_program cli_program = {
	.name = "carrel",
	.summary = "sealed terminals from the command line",
	.text = "Runs programs in sandboxes of their own, and lists, enters and ends sandboxes of this host or of a "
		"carrel-sessiond(1).\n"
		"\n"
		"# ENVIRONMENT\n"
		"- CARREL_URL: as --url\n"
		"- CARREL_KEY: as --key\n"
		"- CARREL_CA: as --ca\n"
		"\n"
		"# EXIT STATUS\n"
		"Of run, attach and exec the program's own, or 128 + N when signal N ended it; 124 when the sandbox came to its "
		"idle or lifetime limit, 137 when it ran out of memory or was deleted, 125 when the program did not run or "
		"what became of it is unknown, 0 after detaching.\n"
		"\n"
		"Of the others 0, or 1 after an error. A wrong command line is 2.\n"
		"\n"
		"# FILES\n"
		"The other programs are looked for beside this one; seccomp.json, tiers.yaml and policies.yaml in ../share/carrel from "
		"there.",
	.opts = global_opts,
	.cmds = commands,
	.section = 1,
};
