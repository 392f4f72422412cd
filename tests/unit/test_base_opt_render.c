/* base: --help and man pages. */
#include "tests/unit/opt_prog.h"

#include "base/buf.h"
#include "base/str.h"
#include "version.h"

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
	assert_int_equal(opt_render_man(&prog, &b, &e), -1);
}

static void what_a_command_line_asks_for(void **state)
{
	static const struct {
		enum opt_result what;
		bool cmd;
		const char *begins;
	} rows[] = {
		{ OPT_VERSION, false, "carrel-runtime version " CARREL_VERSION "\n" },
		{ OPT_VERSION, true, "carrel-runtime version " },
		{ OPT_HELP, false, "NAME:\n   carrel-runtime - " },
		{ OPT_HELP, true, "NAME:\n   carrel-runtime exec - " },
		{ OPT_MAN, false, ".TH \"CARREL\\-RUNTIME\" \"8\"" },
		{ OPT_MAN, true, ".TH \"CARREL\\-RUNTIME\\-EXEC\" \"8\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf b = BUF_LIMIT(1 << 16);
		struct err e = ERR_NONE;

		assert_int_equal(opt_render(&prog, rows[i].what, rows[i].cmd ? &cmds[0] : NULL,
					    &b, &e),
				 0);
		if (!str_has_prefix(buf_str(&b), rows[i].begins))
			fail_msg("%zu: %s", i, buf_str(&b));
	}
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
	static const struct opt_program plain = { .name = "plain",
						  .summary = "do",
						  .section = 1 };
	const struct opt_program *const rows[] = { &prog, &plain };

	if (system("command -v mandoc > /dev/null") != 0) {
		print_message("skipped: mandoc is not installed\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf b = BUF_LIMIT(1 << 16);
		auto_free char *report = NULL;
		struct err e = ERR_NONE;

		assert_int_equal(opt_render_man(rows[i], &b, &e), 0);
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
		assert_int_equal(opt_render_man_cmd(&prog, opt_find_cmd(&prog, c->name), &b,
						    &e),
				 0);
		report = filtered(&b, "mandoc -Tlint -Wwarning", "| grep -v 'missing date'");
		if (report[0])
			fail_msg("%s\n%s", report, buf_str(&b));
		free(take_ptr(&report));
	}
	buf_clear(&b);
	assert_int_equal(opt_render_man_cmd(&prog, &cmds[0], &b, &e), 0);
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
	assert_int_equal(opt_render_man(&prog, &b, &e), 0);
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
		cmocka_unit_test(help_of_the_program),
		cmocka_unit_test(help_of_a_command),
		cmocka_unit_test(help_respects_the_buffer),
		cmocka_unit_test(what_a_command_line_asks_for),
		cmocka_unit_test(man_pages_are_clean),
		cmocka_unit_test(a_command_has_a_page_of_its_own),
		cmocka_unit_test(man_pages_say_everything),
	};

	return cmocka_run_group_tests_name("base: opt", tests, NULL, NULL);
}
