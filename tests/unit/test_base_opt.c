/* base: command lines. */
#include "tests/unit/opt_prog.h"

#include "base/buf.h"

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

static void one_dash_is_enough_for_a_whole_name(void **state)
{
	auto_run struct run x = RUN("-root", "/r", "-debug", "update", "-tty", "-user=u",
				    "-memory", "1M", "web", "-detach=true");
	auto_run struct run letters = RUN("update", "-td", "-env", "A", "web");
	auto_run struct run joint = RUN("update", "-envx", "web");
	auto_run struct run help = RUN("update", "-help");
	auto_run struct run version = RUN("-version");

	assert_string_equal(x.g.root, "/r");
	assert_true(x.g.debug);
	assert_true(opts_of(&x)->tty && opts_of(&x)->detach);
	assert_string_equal(opts_of(&x)->user, "u");
	assert_int_equal(opts_of(&x)->memory, 1 << 20);
	joined(&x, "web");
	assert_true(opts_of(&letters)->tty && opts_of(&letters)->detach);
	assert_string_equal(opts_of(&letters)->env.v[0], "A");
	assert_string_equal(opts_of(&joint)->env.v[0], "nvx");
	assert_int_equal(help.r, OPT_HELP);
	assert_int_equal(version.r, OPT_VERSION);
	refused(RUN("update", "-tuy=x", "-version"),
		"update: unknown option -v in \"-version\"");
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

static void a_command_that_need_not_be_named(void **state)
{
	struct opt_program program = prog;

	program.command = "list";
	for (int named = 0; named < 2; named++) {
		auto_run struct run x =
			run_with(&program,
				 (const char *const[]){ "prog", "--debug",
							named ? "list" : NULL, NULL });

		if (x.r != OPT_RUN)
			fail_msg("%s", x.e.msg);
		assert_string_equal(x.p.cmd->name, "list");
		assert_int_equal(x.p.n_operands, 0);
		assert_non_null(x.p.opts);
		assert_true(x.g.debug);
	}
	auto_run struct run other =
		run_with(&program, (const char *const[]){ "prog", "nosuch", NULL });
	auto_run struct run empty = run_with(&program, (const char *const[]){ NULL });
	auto_run struct run help =
		run_with(&program, (const char *const[]){ "prog", "--help", NULL });

	assert_int_equal(other.r, -1);
	assert_int_equal(empty.r, OPT_RUN);
	assert_int_equal(help.r, OPT_HELP);
	assert_null(help.p.cmd);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_in_every_form),
		cmocka_unit_test(every_kind_is_converted),
		cmocka_unit_test(options_stand_on_both_sides_of_operands),
		cmocka_unit_test(dashes_end_the_options),
		cmocka_unit_test(the_first_operand_stops_exec),
		cmocka_unit_test(one_dash_is_enough_for_a_whole_name),
		cmocka_unit_test(the_last_value_wins),
		cmocka_unit_test(empty_values_are_values),
		cmocka_unit_test(options_of_the_program),
		cmocka_unit_test(slips_are_named),
		cmocka_unit_test(help_and_version_are_asked_for),
		cmocka_unit_test(a_program_without_commands),
		cmocka_unit_test(a_command_that_need_not_be_named),
		cmocka_unit_test(a_table_may_take_the_built_in_letters),
		cmocka_unit_test(a_table_may_take_the_built_in_names),
	};

	return cmocka_run_group_tests_name("base: opt", tests, NULL, NULL);
}
