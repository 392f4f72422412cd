/*
 * A program's table of options and commands, for the tests of base/opt.
 */
#ifndef CARREL_TESTS_UNIT_OPT_PROG_H
#define CARREL_TESTS_UNIT_OPT_PROG_H

#include "tests/unit/scratch.h"

#include "base/err.h"
#include "base/opt.h"
#include "base/util.h"

struct globals {
	const char *root;
	bool debug;
	struct opt_list labels;
};

struct exec_opts {
	bool detach, tty;
	const char *user;
	struct opt_list env;
	uint64_t fds, memory, timeout;
	int64_t swap;
};

static const struct opt global_opts[] = {
	{ "root", 0, OPT_STRING, offsetof(struct globals, root), "DIR",
	  "keep state below DIR" },
	{ "debug", 0, OPT_SWITCH, offsetof(struct globals, debug), NULL, "say more" },
	{ "label", 'l', OPT_LIST, offsetof(struct globals, labels), "K=V", "add a label" },
	{ 0 },
};

static const struct opt exec_opts[] = {
	{ "detach", 'd', OPT_SWITCH, offsetof(struct exec_opts, detach), NULL, "do not wait" },
	{ "tty", 't', OPT_SWITCH, offsetof(struct exec_opts, tty), NULL, "give it a terminal" },
	{ "user", 'u', OPT_STRING, offsetof(struct exec_opts, user), "USER[:GROUP]", "run as" },
	{ "env", 'e', OPT_LIST, offsetof(struct exec_opts, env), "NAME=VALUE",
	  "set a variable" },
	{ "preserve-fds", 0, OPT_UINT, offsetof(struct exec_opts, fds), "N",
	  "pass descriptors" },
	{ "memory", 'm', OPT_BYTES, offsetof(struct exec_opts, memory), "BYTES",
	  "limit memory" },
	{ "memory-swap", 0, OPT_INT, offsetof(struct exec_opts, swap), "BYTES", "-1: any" },
	{ "a-very-long-option-name", 0, OPT_DURATION, offsetof(struct exec_opts, timeout),
	  "DURATION", "give up after this long" },
	{ 0 },
};

static const struct opt_cmd cmds[] = {
	{ .name = "exec",
	  .operands = "ID COMMAND [ARG...]",
	  .min_operands = 2,
	  .max_operands = -1,
	  .fixed_operands = 1,
	  .opts = exec_opts,
	  .flags = OPT_STOP_AT_OPERAND,
	  .help = "run a command",
	  .text = "Runs it in the container's namespaces.\n\n  carrel-runtime exec -t web sh\n",
	  .opts_size = sizeof(struct exec_opts) },
	{ .name = "update",
	  .operands = "ID",
	  .min_operands = 1,
	  .max_operands = 1,
	  .opts = exec_opts,
	  .help = "change limits",
	  .opts_size = sizeof(struct exec_opts) },
	{ .name = "wrap",
	  .max_operands = -1,
	  .opts = exec_opts,
	  .flags = OPT_STOP_AT_OPERAND,
	  .help = "run something here",
	  .opts_size = sizeof(struct exec_opts) },
	{ .name = "list", .help = "list containers" },
	{ .name = "secret", .flags = OPT_HIDDEN, .help = "not shown" },
	{ 0 },
};

static const struct opt_program prog = {
	.name = "carrel-runtime",
	.summary = "run OCI containers",
	.text = "First paragraph, with \\back, 'quotes', `ticks` and --option.\n"
		".starts with a dot\n"
		"\n"
		"- one item\n"
		"- another \"item\"\n"
		"\n"
		"An example:\n"
		"\n"
		"  carrel-runtime --root /run/x list\n"
		"  .hidden ~ ^\n"
		"\n"
		"Last words.\n"
		"# EXIT STATUS\n"
		"0 on success.\n"
		"\n"
		"1 on failure.\n"
		"# SEE ALSO\n"
		"carrel(1)\n",
	.opts = global_opts,
	.cmds = cmds,
	.section = 8,
};

/* A parsed command line, all of it freed by fini. */
struct run {
	struct globals g;
	struct opt_parsed p;
	struct err e;
	int r;
};

#endif
