/* carrel: sealed terminals from the command line. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "sessiond/cli/cli.h"

enum { TEXT_MAX = 1 << 20 };

int cli_fail(int code, const struct err *why)
{
	(void) fprintf(stderr, "carrel: %s\n", why->msg);
	return code;
}

void cli_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void) fputs("carrel: ", stderr);
	(void) vfprintf(stderr, fmt, ap);
	(void) fputc('\n', stderr);
	va_end(ap);
}

int cli_print(struct buf *out)
{
	struct err e = ERR_NONE;

	if (fd_write_all(STDOUT_FILENO, buf_bytes(out), buf_len(out), &e) < 0)
		return cli_fail(CLI_FAILED, &e);
	return 0;
}

int cli_wants_json(const struct cli *c, bool *json, struct err *e)
{
	*json = c->format && strcmp(c->format, "json") == 0;
	if (c->format && !*json && strcmp(c->format, "table") != 0)
		return err_set(e, EINVAL, "--format %s: table or json", c->format);
	return 0;
}

bool cli_wants_daemon(const struct cli *c)
{
	return c->url || c->key || c->key_file;
}

static int show(enum opt_result what, const struct opt_cmd *cmd)
{
	auto_buf struct buf out = BUF_LIMIT(TEXT_MAX);
	struct err e = ERR_NONE;

	if (opt_render(&cli_program, what, cmd, &out, &e) < 0)
		return cli_fail(CLI_FAILED, &e);
	return cli_print(&out);
}

static const char *env_or_null(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int main(int argc, char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct cli c = { .url = env_or_null("CARREL_URL"),
			 .key = env_or_null("CARREL_KEY"),
			 .ca = env_or_null("CARREL_CA") };
	struct opt_parsed p = { 0 };
	struct err e = ERR_NONE;
	int code;

	/* A reader of our output that goes away is an error of that write. */
	(void) sigaction(SIGPIPE, &ignore, NULL);
	if (argc == 2 && strcmp(argv[1], "--man") == 0)
		return show(OPT_MAN, NULL);
	code = opt_parse(&cli_program, argc, argv, &c, &p, &e);
	if (code < 0)
		code = cli_fail(CLI_USAGE, &e);
	else if (code == OPT_RUN)
		code = p.cmd->run(&c, p.operands, p.n_operands, p.opts);
	else
		code = show((enum opt_result) code, p.cmd);
	opt_parsed_fini(&p);
	return code;
}
