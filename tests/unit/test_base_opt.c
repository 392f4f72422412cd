/* base: command lines, --help and man pages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
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
};

/* A parsed command line, all of it freed by fini. */
struct run {
	struct globals g;
	struct opt_parsed p;
	struct err e;
	int r;
};

#define RUN(...) run((const char *const[]){ "prog", __VA_ARGS__, NULL })

static struct run run_with(const struct opt_program *program, const char *const *args)
{
	struct run x = { .e = ERR_NONE };
	int argc = 0;

	while (args[argc])
		argc++;
	x.r = opt_parse(program, argc, (char **) args, &x.g, &x.p, &x.e);
	return x;
}

static struct run run(const char *const *args)
{
	return run_with(&prog, args);
}

static void fini(struct run *x)
{
	opt_parsed_fini(&x->p);
	opt_list_fini(&x->g.labels);
}
#define auto_run auto_cleanup(fini)

static const struct exec_opts *opts_of(const struct run *x)
{
	if (x->r != OPT_RUN)
		fail_msg("%s", x->e.msg);
	return x->p.opts;
}

static void joined(const struct run *x, const char *want)
{
	char s[200] = "";

	for (int i = 0; i < x->p.n_operands; i++)
		snprintf(s + strlen(s), sizeof(s) - strlen(s), "%s%s", i ? "|" : "",
			 x->p.operands[i]);
	assert_string_equal(s, want);
	assert_null(x->p.operands[x->p.n_operands]);
}

static void refused(struct run x, const char *want)
{
	assert_int_equal(x.r, -1);
	assert_null(x.p.opts);
	assert_null(x.p.operands);
	assert_string_equal(x.e.msg, want);
	fini(&x);
}

static void values_in_every_form(void **state)
{
	static const char *const forms[][4] = {
		{ "--user", "root:0" }, { "--user=root:0" }, { "-u", "root:0" },
		{ "-uroot:0" },		{ "-tu", "root:0" }, { "-dturoot:0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *args[8] = { "prog", "update" };
		size_t n = 2;

		for (size_t k = 0; forms[i][k]; k++)
			args[n++] = forms[i][k];
		args[n] = "web";
		auto_run struct run x = run(args);
		assert_string_equal(opts_of(&x)->user, "root:0");
		assert_int_equal(opts_of(&x)->tty, i >= 4);
		assert_int_equal(opts_of(&x)->detach, i == 5);
		joined(&x, "web");
	}
}

static void every_kind_is_converted(void **state)
{
	auto_run struct run x =
		RUN("update", "-d", "--tty=false", "--preserve-fds", "3", "-m", "64k",
		    "--memory-swap", "-1", "--a-very-long-option-name=90s", "-e", "A=1", "web",
		    "--env=B=2", "-eC");
	const struct exec_opts *o = opts_of(&x);

	assert_true(o->detach);
	assert_false(o->tty);
	assert_int_equal(o->fds, 3);
	assert_int_equal(o->memory, 65536);
	assert_int_equal(o->swap, -1);
	assert_int_equal(o->timeout, 90000);
	assert_int_equal(o->env.n, 3);
	assert_string_equal(o->env.v[0], "A=1");
	assert_string_equal(o->env.v[1], "B=2");
	assert_string_equal(o->env.v[2], "C");
	assert_null(o->env.v[3]);
	assert_null(o->user);
	joined(&x, "web");
}

static void options_stand_on_both_sides_of_operands(void **state)
{
	auto_run struct run x = RUN("update", "web", "--memory", "1M", "-d");

	assert_int_equal(opts_of(&x)->memory, 1 << 20);
	assert_true(opts_of(&x)->detach);
	joined(&x, "web");
}

static void dashes_end_the_options(void **state)
{
	auto_run struct run x = RUN("update", "--", "-d");
	auto_run struct run dash = RUN("update", "-");

	assert_false(opts_of(&x)->detach);
	joined(&x, "-d");
	opts_of(&dash);
	joined(&dash, "-");
}

static void the_first_operand_stops_exec(void **state)
{
	auto_run struct run x = RUN("exec", "-t", "web", "ls", "-d", "--help", "--", "x");
	auto_run struct run y = RUN("exec", "web", "--", "ls", "-l", "--");
	auto_run struct run z = RUN("exec", "web", "-d", "x");
	auto_run struct run w = RUN("wrap", "-t", "ls", "--", "-d");
	auto_run struct run v = RUN("wrap", "-t", "--", "-d", "--");

	assert_true(opts_of(&x)->tty);
	assert_false(opts_of(&x)->detach);
	joined(&x, "web|ls|-d|--help|--|x");
	joined(&y, "web|ls|-l|--");
	joined(&z, "web|-d|x");
	assert_true(opts_of(&w)->tty);
	joined(&w, "ls|--|-d");
	joined(&v, "-d|--");
}

static void the_last_value_wins(void **state)
{
	auto_run struct run x =
		RUN("update", "-u", "a", "--user=b", "-d", "--detach=false", "id");

	assert_string_equal(opts_of(&x)->user, "b");
	assert_false(opts_of(&x)->detach);
}

static void empty_values_are_values(void **state)
{
	auto_run struct run x = RUN("update", "--user=", "-e", "", "");

	assert_string_equal(opts_of(&x)->user, "");
	assert_string_equal(opts_of(&x)->env.v[0], "");
	assert_int_equal(x.p.n_operands, 1);
}

static void options_of_the_program(void **state)
{
	auto_run struct run x = RUN("--root=/run/x", "--debug", "-l", "a", "-lb", "list");

	assert_int_equal(x.r, OPT_RUN);
	assert_string_equal(x.g.root, "/run/x");
	assert_true(x.g.debug);
	assert_int_equal(x.g.labels.n, 2);
	assert_string_equal(x.g.labels.v[1], "b");
	assert_string_equal(x.p.cmd->name, "list");
	assert_int_equal(x.p.n_operands, 0);
}

static void slips_are_named(void **state)
{
	refused(RUN("update"), "update: too few operands (0); usage: update [OPTION...] ID");
	refused(RUN("update", "a", "b"),
		"update: too many operands (2); usage: update [OPTION...] ID");
	refused(RUN("list", "x"), "list: too many operands (1); usage: list [OPTION...]");
	refused(RUN("exec", "web", "--"),
		"exec: too few operands (1); usage: exec [OPTION...] ID COMMAND [ARG...]");
	refused(RUN("update", "--nope", "x"), "update: unknown option --nope");
	refused(RUN("update", "--nope=5", "x"), "update: unknown option --nope");
	refused(RUN("update", "--det", "x"), "update: unknown option --det");
	refused(RUN("update", "-x"), "update: unknown option -x");
	refused(RUN("update", "-dx"), "update: unknown option -x in \"-dx\"");
	refused(RUN("update", "-d=true"), "update: unknown option -= in \"-d=true\"");
	refused(RUN("list", "-d"), "list: unknown option -d");
	refused(RUN("list", "--version"), "list: unknown option --version");
	refused(RUN("list", "-v"), "list: unknown option -v");
	refused(RUN("list", "--root", "/x"),
		"list: unknown option --root; it stands before the command");
	refused(RUN("list", "--root=/x"),
		"list: unknown option --root; it stands before the command");
	refused(RUN("update", "web", "--user"), "update: --user needs a value: USER[:GROUP]");
	refused(RUN("update", "web", "-du"), "update: --user needs a value: USER[:GROUP]");
	refused(RUN("update", "--detach=yes", "x"),
		"update: --detach is a switch: \"yes\" is neither true nor false");
	refused(RUN("update", "--detach=", "x"),
		"update: --detach is a switch: \"\" is neither true nor false");
	refused(RUN("update", "--preserve-fds", "-1", "x"),
		"update: --preserve-fds: \"-1\" is not a whole number from 0 up");
	refused(RUN("update", "-m", "1x", "x"),
		"update: --memory: \"1x\" is not a size such as 4096, 64k, 32M or 1GiB");
	refused(RUN("update", "-e", "A", "--nope"), "update: unknown option --nope");
	refused(RUN("--nope", "list"), "unknown option --nope");
	refused(RUN("-l", "a", "--root"), "--root needs a value: DIR");
	refused(RUN("--debug"), "no command given; see carrel-runtime --help");
	refused(RUN("--"), "no command given; see carrel-runtime --help");
	refused(run((const char *const[]){ "prog", NULL }),
		"no command given; see carrel-runtime --help");
	refused(run((const char *const[]){ NULL }),
		"no command given; see carrel-runtime --help");
	refused(RUN("foo"), "unknown command \"foo\"; see carrel-runtime --help");
	refused(RUN("foo", "-h"), "No help topic for 'foo'");
	refused(RUN("foo", "--help"), "No help topic for 'foo'");
	refused(RUN("help", "foo"), "No help topic for 'foo'");
	refused(RUN(""), "unknown command \"\"; see carrel-runtime --help");
}

static void help_and_version_are_asked_for(void **state)
{
	static const struct {
		const char *args[5];
		int want;
		const char *cmd;
	} rows[] = {
		{ { "prog", "--help" }, OPT_HELP, NULL },
		{ { "prog", "-h" }, OPT_HELP, NULL },
		{ { "prog", "--debug", "-h" }, OPT_HELP, NULL },
		{ { "prog", "--version" }, OPT_VERSION, NULL },
		{ { "prog", "-v" }, OPT_VERSION, NULL },
		{ { "prog", "exec", "--help" }, OPT_HELP, "exec" },
		{ { "prog", "exec", "-dth" }, OPT_HELP, "exec" },
		{ { "prog", "update", "a", "-h" }, OPT_HELP, "update" },
		{ { "prog", "help" }, OPT_HELP, NULL },
		{ { "prog", "help", "exec" }, OPT_HELP, "exec" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_run struct run x = run(rows[i].args);

		if (x.r != rows[i].want)
			fail_msg("row %zu: %d %s", i, x.r, x.e.msg);
		if (rows[i].cmd)
			assert_string_equal(x.p.cmd->name, rows[i].cmd);
		else
			assert_null(x.p.cmd);
	}
}

static void a_program_without_commands(void **state)
{
	static const struct opt_program plain = {
		.name = "plain", .summary = "do", .opts = global_opts, .operands = "FILE..."
	};
	auto_run struct run x =
		run_with(&plain, (const char *const[]){ "plain", "a", "--debug", "b", "--",
							"-l", NULL });
	auto_run struct run none = run_with(&plain, (const char *const[]){ "plain", NULL });

	assert_int_equal(x.r, OPT_RUN);
	assert_true(x.g.debug);
	joined(&x, "a|b|-l");
	assert_int_equal(none.r, OPT_RUN);
	assert_int_equal(none.p.n_operands, 0);
}

static void a_table_may_take_the_built_in_letters(void **state)
{
	static const struct opt own[] = {
		{ "human", 'h', OPT_SWITCH, offsetof(struct globals, debug), NULL,
		  "nice sizes" },
		{ "volume", 'v', OPT_LIST, offsetof(struct globals, labels), "DIR", "mount" },
		{ 0 },
	};
	static const struct opt_program plain = { .name = "plain",
						  .summary = "do",
						  .opts = own };
	auto_run struct run x =
		run_with(&plain, (const char *const[]){ "plain", "-hv", "/x", NULL });
	auto_buf struct buf b = BUF_LIMIT(4096);

	assert_int_equal(x.r, OPT_RUN);
	assert_true(x.g.debug);
	assert_string_equal(x.g.labels.v[0], "/x");
	assert_int_equal(opt_render_help(&plain, NULL, &b, &x.e), 0);
	assert_string_equal(buf_str(&b), "NAME:\n"
					 "   plain - do\n"
					 "\n"
					 "USAGE:\n"
					 "   plain [OPTION...]\n"
					 "\n"
					 "OPTIONS:\n"
					 "  -h, --human       nice sizes\n"
					 "  -v, --volume DIR  mount\n"
					 "      --help        show this help\n"
					 "      --version     show the version\n");
}

static void a_table_may_take_the_built_in_names(void **state)
{
	static const struct opt own[] = {
		{ "version", 0, OPT_STRING, offsetof(struct globals, root), "V", "which one" },
		{ "help", 0, OPT_SWITCH, offsetof(struct globals, debug), NULL, "be helpful" },
		{ 0 },
	};
	static const struct opt_program plain = { .name = "plain",
						  .summary = "do",
						  .opts = own };
	auto_run struct run x = run_with(&plain, (const char *const[]){ "plain", "--version",
									"2", "--help", NULL });
	auto_buf struct buf b = BUF_LIMIT(4096);

	assert_int_equal(x.r, OPT_RUN);
	assert_string_equal(x.g.root, "2");
	assert_true(x.g.debug);
	assert_int_equal(opt_render_help(&plain, NULL, &b, &x.e), 0);
	assert_string_equal(buf_str(&b),
			    "NAME:\n   plain - do\n\nUSAGE:\n   plain [OPTION...]\n\nOPTIONS:\n"
			    "      --version V  which one\n"
			    "      --help       be helpful\n");
}

static void help_of_the_program(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(4096);
	struct err e = ERR_NONE;

	assert_int_equal(opt_render_help(&prog, NULL, &b, &e), 0);
	assert_string_equal(buf_str(&b),
			    "NAME:\n"
			    "   carrel-runtime - run OCI containers\n"
			    "\n"
			    "USAGE:\n"
			    "   carrel-runtime [OPTION...] COMMAND [ARG...]\n"
			    "\n"
			    "COMMANDS:\n"
			    "  exec    run a command\n"
			    "  update  change limits\n"
			    "  wrap    run something here\n"
			    "  list    list containers\n"
			    "\n"
			    "OPTIONS:\n"
			    "      --root DIR   keep state below DIR\n"
			    "      --debug      say more\n"
			    "  -l, --label K=V  add a label\n"
			    "  -h, --help       show this help\n"
			    "  -v, --version    show the version\n"
			    "\n"
			    "Options of a command: carrel-runtime COMMAND --help\n");
}

static void help_of_a_command(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(4096);
	struct err e = ERR_NONE;

	assert_int_equal(opt_render_help(&prog, &cmds[0], &b, &e), 0);
	assert_string_equal(buf_str(&b),
			    "NAME:\n"
			    "   carrel-runtime exec - run a command\n"
			    "\n"
			    "USAGE:\n"
			    "   carrel-runtime exec [OPTION...] ID COMMAND [ARG...]\n"
			    "\n"
			    "OPTIONS:\n"
			    "  -d, --detach             do not wait\n"
			    "  -t, --tty                give it a terminal\n"
			    "  -u, --user USER[:GROUP]  run as\n"
			    "  -e, --env NAME=VALUE     set a variable\n"
			    "      --preserve-fds N     pass descriptors\n"
			    "  -m, --memory BYTES       limit memory\n"
			    "      --memory-swap BYTES  -1: any\n"
			    "      --a-very-long-option-name DURATION\n"
			    "                           give up after this long\n"
			    "  -h, --help               show this help\n");
}

static void help_respects_the_buffer(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(100);
	struct err e = ERR_NONE;

	assert_int_equal(opt_render_help(&prog, NULL, &b, &e), -1);
	assert_int_equal(e.code, ENOBUFS);
	assert_int_equal(opt_render_man(&prog, 8, &b, &e), -1);
}

/* What `before FILE after` prints about the page; "" when it is silent. */
static char *filtered(struct buf *page, const char *before, const char *after)
{
	char path[] = "/tmp/test-opt-XXXXXX";
	char *out = xalloc(32768);
	auto_free char *line = NULL;
	int fd = mkstemp(path);
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, buf_bytes(page), buf_len(page)), buf_len(page));
	close(fd);
	line = xasprintf("%s %s 2>&1 %s", before, path, after);
	f = popen(line, "re");
	assert_non_null(f);
	out[fread(out, 1, 32767, f)] = '\0';
	pclose(f);
	unlink(path);
	return out;
}

static void man_pages_are_clean(void **state)
{
	static const struct opt_program plain = { .name = "plain", .summary = "do" };
	const struct opt_program *const rows[] = { &prog, &plain };

	if (system("command -v mandoc > /dev/null") != 0) {
		print_message("skipped: mandoc is not installed\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf b = BUF_LIMIT(1 << 16);
		auto_free char *report = NULL;
		struct err e = ERR_NONE;

		assert_int_equal(opt_render_man(rows[i], i ? 1 : 8, &b, &e), 0);
		/* Made from tables, the page has no date of its own. */
		report = filtered(&b, "mandoc -Tlint -Wwarning", "| grep -v 'missing date'");
		if (report[0])
			fail_msg("%s\n%s", report, buf_str(&b));
	}
}

static void a_command_has_a_page_of_its_own(void **state)
{
	auto_buf struct buf b = BUF_LIMIT(1 << 16);
	auto_free char *report = NULL;
	struct err e = ERR_NONE;

	if (system("command -v mandoc > /dev/null") != 0) {
		print_message("skipped: mandoc is not installed\n");
		skip();
	}
	assert_null(opt_find_cmd(&prog, "nosuch"));
	for (const struct opt_cmd *c = cmds; c->name; c++) {
		buf_clear(&b);
		assert_int_equal(opt_render_man_cmd(&prog, opt_find_cmd(&prog, c->name), 8, &b,
						    &e),
				 0);
		report = filtered(&b, "mandoc -Tlint -Wwarning", "| grep -v 'missing date'");
		if (report[0])
			fail_msg("%s\n%s", report, buf_str(&b));
		free(take_ptr(&report));
	}
	buf_clear(&b);
	assert_int_equal(opt_render_man_cmd(&prog, &cmds[0], 8, &b, &e), 0);
	assert_non_null(strstr(buf_str(&b), ".TH \"CARREL\\-RUNTIME\\-EXEC\" \"8\""));
	assert_non_null(strstr(buf_str(&b), "carrel\\-runtime\\-exec \\- run a command\n"));
	assert_non_null(strstr(buf_str(&b), "container\\(aqs namespaces"));
	assert_non_null(strstr(buf_str(&b), "preserve\\-fds"));
	assert_non_null(strstr(buf_str(&b), "\\fBcarrel\\-runtime\\fR(8)"));
}

static void man_pages_say_everything(void **state)
{
	static const char *const wanted[] = {
		"CARREL-RUNTIME(8)",
		"carrel-runtime - run OCI containers",
		"carrel-runtime [OPTION...] COMMAND [ARG...]",
		"First paragraph, with \\back, 'quotes', `ticks` and --option.  .starts with a dot",
		"one item",
		"another \"item\"",
		"carrel-runtime --root /run/x list\n",
		".hidden ~ ^\n",
		"-l, --label K=V",
		"-v, --version",
		"carrel-runtime exec [OPTION...] ID COMMAND [ARG...]",
		"Runs it in the container's namespaces.",
		"-u, --user USER[:GROUP]",
		"--a-very-long-option-name DURATION",
		"EXIT STATUS\n",
		"1 on failure.",
		"SEE ALSO\n",
	};
	auto_buf struct buf b = BUF_LIMIT(1 << 16);
	auto_free char *text = NULL;
	struct err e = ERR_NONE;

	if (system("command -v mandoc > /dev/null") != 0) {
		print_message("skipped: mandoc is not installed\n");
		skip();
	}
	assert_int_equal(opt_render_man(&prog, 8, &b, &e), 0);
	text = filtered(&b, "mandoc -Tascii -Owidth=200", "");
	for (char *from = text, *to = text;; from++) { /* overstrikes: X BACKSPACE X */
		if (from[0] && from[1] == '\b')
			from += 2;
		*to = *from;
		if (!*to++)
			break;
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (!strstr(text, wanted[i]))
			fail_msg("no \"%s\" in:\n%s", wanted[i], text);
	}
	assert_null(strstr(text, "secret"));
	assert_true(strstr(text, "COMMANDS") < strstr(text, "EXIT STATUS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_in_every_form),
		cmocka_unit_test(every_kind_is_converted),
		cmocka_unit_test(options_stand_on_both_sides_of_operands),
		cmocka_unit_test(dashes_end_the_options),
		cmocka_unit_test(the_first_operand_stops_exec),
		cmocka_unit_test(the_last_value_wins),
		cmocka_unit_test(empty_values_are_values),
		cmocka_unit_test(options_of_the_program),
		cmocka_unit_test(slips_are_named),
		cmocka_unit_test(help_and_version_are_asked_for),
		cmocka_unit_test(a_program_without_commands),
		cmocka_unit_test(a_table_may_take_the_built_in_letters),
		cmocka_unit_test(a_table_may_take_the_built_in_names),
		cmocka_unit_test(help_of_the_program),
		cmocka_unit_test(help_of_a_command),
		cmocka_unit_test(help_respects_the_buffer),
		cmocka_unit_test(man_pages_are_clean),
		cmocka_unit_test(a_command_has_a_page_of_its_own),
		cmocka_unit_test(man_pages_say_everything),
	};

	return cmocka_run_group_tests_name("base: opt", tests, NULL, NULL);
}
