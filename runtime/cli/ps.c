/* ps: the container's part of what ps(1) prints, or the pids. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/cli/cli.h"

/* clang-format off */
const struct opt cli_ps_opts[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct opts_ps, format), "table|json", "how to print" },
	{ 0 },
};
/* clang-format on */

enum { PS_MAX = 16 << 20, PS_TIMEOUT_MS = 30000 };

static int print_json(const pid_t *pids, size_t n, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_array(w, NULL);
	for (size_t i = 0; i < n; i++)
		jw_int(w, NULL, pids[i]);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

static int run_ps(const char **options, int n, struct buf *out, struct err *e)
{
	static const char *const paths[] = { "/usr/bin/ps", "/bin/ps" };
	auto_free const char **argv = xalloc(((size_t) n + 3) * sizeof(*argv));
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child_status status;

	argv[0] = "ps";
	if (n)
		memcpy(argv + 1, options, (size_t) n * sizeof(*argv));
	else
		argv[1] = "-ef";
	spec.argv = (char *const *) argv;
	spec.envp = environ;
	spec.path = access(paths[0], X_OK) == 0 ? paths[0] : paths[1];
	spec.stdio[2] = STDERR_FILENO;
	if (child_run(&spec, NULL, 0, out, NULL, PS_TIMEOUT_MS, &status, e) < 0)
		return err_hint(e, "the table is made by the program ps; --format json is not");
	if (status.signalled || status.code != 0)
		return err_set(e, EINVAL, "ps ended with exit status %d", status.code);
	return 0;
}

/* The column that is headed PID. */
static int pid_column(const char *header)
{
	auto_free char *copy = xstrdup(header);
	char *save;
	int i = 0;

	for (char *w = strtok_r(copy, " \t", &save); w; w = strtok_r(NULL, " \t", &save), i++) {
		if (strcmp(w, "PID") == 0)
			return i;
	}
	return -1;
}

static bool line_is_ours(const char *line, int column, const pid_t *pids, size_t n)
{
	auto_free char *copy = xstrdup(line);
	char *save, *w = strtok_r(copy, " \t", &save);

	for (int i = 0; w && i < column; i++)
		w = strtok_r(NULL, " \t", &save);
	for (size_t i = 0; w && i < n; i++) {
		if (atoi(w) == pids[i])
			return true;
	}
	return false;
}

static int print_table(const char **options, int n_options, const pid_t *pids, size_t n,
		       struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(PS_MAX);
	char *save;

	if (run_ps(options, n_options, &text, e) < 0)
		return -1;
	char *line = strtok_r((char *) buf_str(&text), "\n", &save);
	const int column = line ? pid_column(line) : -1;
	if (column < 0)
		return err_set(e, EINVAL, "couldn't find PID field in ps output");
	if (buf_printf(out, e, "%s\n", line) < 0)
		return -1;
	while ((line = strtok_r(NULL, "\n", &save))) {
		if (line_is_ours(line, column, pids, n) && buf_printf(out, e, "%s\n", line) < 0)
			return -1;
	}
	return 0;
}

int cli_ps(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_ps *o = opts;
	const char *format = o->format ? o->format : "table";
	auto_buf struct buf out = BUF_LIMIT(PS_MAX);
	auto_free pid_t *pids = NULL;
	struct err e = ERR_NONE;
	size_t n_pids = 0;
	int r;

	if (container_pids(&c->env, operands[0], &pids, &n_pids, &e) < 0)
		return cli_fail(c, "ps", &e, 1);
	if (strcmp(format, "json") == 0)
		r = print_json(pids, n_pids, &out, &e);
	else if (strcmp(format, "table") == 0)
		r = print_table(operands + 1, n - 1, pids, n_pids, &out, &e);
	else
		r = err_set(&e, EINVAL, "--format %s: invalid format option: table or json",
			    format);
	if (r < 0 || fd_write_all(STDOUT_FILENO, buf_bytes(&out), buf_len(&out), &e) < 0)
		return cli_fail(c, "ps", &e, 1);
	return 0;
}
