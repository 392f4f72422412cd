/* A handler per command: options to the verb's arguments, the verb, its result to stdout. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "runtime/cli/cli.h"
#include "runtime/seal.h"
#include "version.h"

enum { EXIT_EXEC_FAILED = 255, OUTPUT_MAX = 16 << 20, PRESERVE_MAX = 4096 };

static int print(const struct cli *c, const char *command, struct buf *out)
{
	struct err e = ERR_NONE;

	if (fd_write_all(STDOUT_FILENO, buf_bytes(out), buf_len(out), &e) < 0)
		return cli_fail(c, command, &e, 1);
	return 0;
}

/* Descriptors that are asked for must be there: else one of our own would be in their place. */
static int check_preserved(uint64_t n, struct err *e)
{
	if (n > PRESERVE_MAX)
		return err_set(e, EINVAL, "--preserve-fds %llu: at most %d",
			       (unsigned long long) n, PRESERVE_MAX);
	for (int fd = 3; fd < 3 + (int) n; fd++) {
		const int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || (flags & FD_CLOEXEC))
			return err_set(e, EBADF,
				       "--preserve-fds %llu: descriptor %d is not open",
				       (unsigned long long) n, fd);
	}
	return 0;
}

static int enter_container(struct cli *c, uint64_t preserve_fds, struct err *e)
{
	if (check_preserved(preserve_fds, e) < 0)
		return -1;
	return seal_self(c->argv, e);
}

static struct create_args create_args(const char *id, const struct opts_create *o)
{
	return (struct create_args){
		.id = id,
		.bundle = o->bundle,
		.console_socket = o->console_socket,
		.pid_file = o->pid_file,
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.preserve_fds = (unsigned) o->preserve_fds,
		.detach = o->detach,
		.keep = o->keep,
	};
}

int cli_create(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_create *o = opts;
	const struct create_args a = create_args(operands[0], o);
	struct err e = ERR_NONE;

	if (enter_container(c, o->preserve_fds, &e) < 0 ||
	    container_create(&c->env, &a, &e) < 0)
		return cli_fail(c, "create", &e, 1);
	return 0;
}

int cli_run(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_create *o = opts;
	const struct create_args a = create_args(operands[0], o);
	struct err e = ERR_NONE;
	int code = 0;

	if (enter_container(c, o->preserve_fds, &e) < 0 ||
	    container_run(&c->env, &a, &code, &e) < 0)
		return cli_fail(c, "run", &e, 1);
	return code;
}

int cli_exec(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_exec *o = opts;
	struct err e = ERR_NONE;
	int code = 0;
	const struct exec_args a = {
		.id = operands[0],
		.process_file = o->process,
		.command = n > 1 ? operands + 1 : NULL,
		.cwd = o->cwd,
		.user = o->user,
		.env = o->env.v,
		.groups = o->groups.v,
		.caps = o->caps.v,
		.tty = o->tty,
		.detach = o->detach,
		.no_new_privs = o->no_new_privs,
		.ignore_paused = o->ignore_paused,
		.console_socket = o->console_socket,
		.pid_file = o->pid_file,
		.preserve_fds = (unsigned) o->preserve_fds,
	};

	if (!a.command && !a.process_file) {
		err_set(&e, EINVAL, "either COMMAND or --process is needed");
		return cli_fail(c, "exec", &e, EXIT_EXEC_FAILED);
	}
	if (a.command && a.process_file) {
		err_set(&e, EINVAL, "COMMAND and --process exclude each other");
		return cli_fail(c, "exec", &e, EXIT_EXEC_FAILED);
	}
	if (enter_container(c, o->preserve_fds, &e) < 0 ||
	    container_exec(&c->env, &a, &code, &e) < 0)
		return cli_fail(c, "exec", &e, EXIT_EXEC_FAILED);
	return code;
}

int cli_start(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	struct err e = ERR_NONE;

	if (container_start(&c->env, operands[0], &e) < 0)
		return cli_fail(c, "start", &e, 1);
	return 0;
}

int cli_state(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (container_state(&c->env, operands[0], &out, &e) < 0 || buf_puts(&out, "\n", &e) < 0)
		return cli_fail(c, "state", &e, 1);
	return print(c, "state", &out);
}

int cli_kill(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_kill *o = opts;
	struct err e = ERR_NONE;
	int sig;

	if (container_signal_parse(n > 1 ? operands[1] : "TERM", &sig, &e) < 0 ||
	    container_kill(&c->env, operands[0], sig, o->all, &e) < 0)
		return cli_fail(c, "kill", &e, 1);
	return 0;
}

int cli_delete(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_delete *o = opts;
	struct err e = ERR_NONE;

	if (container_delete(&c->env, operands[0], o->force, &e) < 0)
		return cli_fail(c, "delete", &e, 1);
	return 0;
}

int cli_list(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_list *o = opts;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	struct err e = ERR_NONE;
	const char *format = o->format ? o->format : "table";

	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0) {
		err_set(&e, EINVAL, "--format %s: invalid format option: table or json",
			format);
		return cli_fail(c, "list", &e, 1);
	}
	const enum list_format f = o->quiet			 ? LIST_IDS
				   : strcmp(format, "json") == 0 ? LIST_JSON
								 : LIST_TABLE;
	if (container_list(&c->env, f, &out, &e) < 0 ||
	    (f == LIST_JSON && buf_puts(&out, "\n", &e) < 0))
		return cli_fail(c, "list", &e, 1);
	return print(c, "list", &out);
}

static int freeze(struct cli *c, const char *command, const char *id, bool frozen)
{
	struct err e = ERR_NONE;

	if (container_freeze(&c->env, id, frozen, &e) < 0)
		return cli_fail(c, command, &e, 1);
	return 0;
}

int cli_pause(void *global, const char **operands, int n, void *opts)
{
	return freeze(global, "pause", operands[0], true);
}

int cli_resume(void *global, const char **operands, int n, void *opts)
{
	return freeze(global, "resume", operands[0], false);
}

int cli_update(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_update *o = opts;
	struct err e = ERR_NONE;

	if (!o->resources) {
		err_set(&e, EINVAL, "--resources FILE is needed");
		return cli_fail(c, "update", &e, 1);
	}
	if (container_update(&c->env, operands[0], o->resources, &e) < 0)
		return cli_fail(c, "update", &e, 1);
	return 0;
}

int cli_features(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (container_features(&out, &e) < 0 || buf_puts(&out, "\n", &e) < 0)
		return cli_fail(c, "features", &e, 1);
	return print(c, "features", &out);
}

int cli_spec(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_spec *o = opts;
	auto_free char *path = xasprintf("%s/config.json", o->bundle ? o->bundle : ".");
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (container_spec_template(o->rootless, &out, &e) < 0 || buf_puts(&out, "\n", &e) < 0)
		return cli_fail(c, "spec", &e, 1);
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		err_sys(&e, "%s", path);
		return cli_fail(c, "spec", &e, 1);
	}
	if (fd_write_all(fd, buf_bytes(&out), buf_len(&out), &e) < 0)
		return cli_fail(c, "spec", &e, 1);
	return 0;
}

int cli_version(void *global, const char **operands, int n, void *opts)
{
	printf("carrel-runtime version %s\nspec: 1.3.0\n", CARREL_VERSION);
	return 0;
}

int cli_man(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	struct err e = ERR_NONE;

	if (opt_render_man(&cli_program, 8, &out, &e) < 0)
		return cli_fail(c, "man", &e, 1);
	return print(c, "man", &out);
}
