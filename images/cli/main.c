#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "images/cli/cli.h"
#include "images/cli/interrupt.h"

enum { HELP_MAX = 1 << 20 };

int cli_fail(const char *command, const struct err *why)
{
	log_error("carrel-image %s: %s", command, why->msg);
	return 1;
}

int cli_print(const char *command, struct buf *out)
{
	struct err e = ERR_NONE;

	if (fd_write_all(STDOUT_FILENO, buf_bytes(out), buf_len(out), &e) < 0)
		return cli_fail(command, &e);
	return 0;
}

int cli_format(const char *format, bool *json, struct err *e)
{
	*json = format && strcmp(format, "json") == 0;
	if (!format || *json || strcmp(format, "table") == 0)
		return 0;
	return err_set(e, EINVAL, "--format %.40s: is none of table, json", format);
}

struct cli_size cli_size(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB" };
	struct cli_size out;
	double n = (double) bytes / 1024;
	size_t i = 0;

	for (; n >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		n /= 1024;
	snprintf(out.s, sizeof(out.s), "%.1f %s", n, units[i]);
	return out;
}

static int open_log(const struct cli *c, struct err *e)
{
	enum log_format format = LOG_TEXT;

	if (c->log_format && log_format_parse(c->log_format, &format, e) < 0)
		return -1;
	log_open(STDERR_FILENO, format, c->debug ? LOG_LV_DEBUG : LOG_LV_INFO);
	return 0;
}

static int show(enum opt_result what, const struct opt_cmd *cmd)
{
	auto_buf struct buf out = BUF_LIMIT(HELP_MAX);
	struct err e = ERR_NONE;

	if (opt_render(&cli_program, what, cmd, &out, &e) < 0)
		return cli_fail("help", &e);
	return cli_print("help", &out);
}

int main(int argc, char **argv)
{
	struct cli c = { .store = "/var/lib/carrel/store" };
	struct opt_parsed p = { 0 };
	struct err e = ERR_NONE;
	int code = 1;

	/* A child that ends while it is being fed is an error to report, not a signal to die of. */
	signal(SIGPIPE, SIG_IGN);
	/* Modes in the store are what archives say, whatever the caller's shell thinks of it. */
	(void) umask(022);
	(void) interrupt_main(argc, argv);
	/* For the build, which installs it; no command has to stand behind it. */
	if (argc == 2 && strcmp(argv[1], "--man") == 0)
		return show(OPT_MAN, NULL);
	switch (opt_parse(&cli_program, argc, argv, &c, &p, &e)) {
	case OPT_HELP:
		code = show(OPT_HELP, p.cmd);
		break;
	case OPT_VERSION:
		code = show(OPT_VERSION, NULL);
		break;
	case OPT_RUN:
		if (open_log(&c, &e) < 0)
			code = cli_fail(p.cmd->name, &e);
		else
			code = p.cmd->run(&c, p.operands, p.n_operands, p.opts);
		break;
	default:
		fprintf(stderr, "carrel-image: %s\n", e.msg);
	}
	opt_parsed_fini(&p);
	return code;
}
