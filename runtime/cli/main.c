#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtime/cli/cli.h"

static const char default_root[] = "/run/carrel/runtime";

enum { HELP_MAX = 1 << 20 };

void cli_warn(const char *text)
{
	log_warn("%s", text);
}

int cli_fail(const struct cli *c, const char *command, const struct err *why, int code)
{
	log_error("carrel-runtime %s: %s", command, why->msg);
	/* An engine reads the log, its user reads stderr. */
	if (c->log)
		fprintf(stderr, "carrel-runtime %s: %s\n", command, why->msg);
	return code;
}

static int open_log(struct cli *c, struct err *e)
{
	enum log_format format = LOG_TEXT;
	enum log_level level = LOG_LV_INFO;
	int fd = STDERR_FILENO;

	if (c->log_format && log_format_parse(c->log_format, &format, e) < 0)
		return -1;
	if (c->log_level && log_level_parse(c->log_level, &level, e) < 0)
		return -1;
	if (c->debug)
		level = LOG_LV_DEBUG;
	if (c->log) {
		/* Open until the process ends. */
		fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_sys(e, "--log %s", c->log);
	}
	log_open(fd, format, level);
	return 0;
}

static int choose_driver(struct cli *c, struct err *e)
{
	const char *name = c->cgroup_manager ? c->cgroup_manager : "cgroupfs";

	if (c->systemd_cgroup || strcmp(name, "systemd") == 0)
		c->env.driver = CGROUP_DRIVER_SYSTEMD;
	else if (strcmp(name, "cgroupfs") == 0)
		c->env.driver = CGROUP_DRIVER_FS;
	else if (strcmp(name, "disabled") == 0)
		c->env.driver = CGROUP_DRIVER_NONE;
	else
		return err_set(e, EINVAL,
			       "--cgroup-manager %s: is none of cgroupfs, systemd, disabled",
			       name);
	return 0;
}

/* The first user namespace has a number of its own. Without procfs: in the first. */
static bool in_own_user_namespace(void)
{
	static const char first[] = "user:[4026531837]";
	char name[sizeof(first) + 16];
	const ssize_t n = readlink("/proc/self/ns/user", name, sizeof(name));

	return n > 0 &&
	       ((size_t) n != sizeof(first) - 1 || memcmp(name, first, (size_t) n) != 0);
}

/* Root of another user namespace (rootless podman calls us so) is an ordinary user to the host. */
static int choose_rootless(struct cli *c, struct err *e)
{
	const char *v = c->rootless ? c->rootless : "auto";

	if (strcmp(v, "auto") == 0)
		c->env.rootless = geteuid() != 0 || in_own_user_namespace();
	else if (strcmp(v, "true") == 0)
		c->env.rootless = true;
	else if (strcmp(v, "false") == 0)
		c->env.rootless = false;
	else
		return err_set(e, EINVAL, "--rootless %s: is none of true, false, auto", v);
	return 0;
}

static void choose_root(struct cli *c)
{
	const char *dir = getenv("XDG_RUNTIME_DIR"), *user = getenv("USER");
	/* In a container where root logged in the variable may be a left-over. */
	const bool own =
		c->env.rootless && !(geteuid() == 0 && user && strcmp(user, "root") == 0);

	c->env.root_given = c->root && c->root[0];
	if (c->env.root_given)
		c->env.root = c->root;
	else if (own && dir && dir[0])
		c->env.root = c->own_root = xasprintf("%s/carrel/runtime", dir);
	else
		c->env.root = default_root;
}

int cli_settle(struct cli *c, struct err *e)
{
	if (choose_driver(c, e) < 0 || choose_rootless(c, e) < 0)
		return -1;
	choose_root(c);
	c->env.notify_socket = getenv("NOTIFY_SOCKET");
	if (c->env.notify_socket && !c->env.notify_socket[0])
		c->env.notify_socket = NULL;
	c->env.warn = cli_warn;
	return 0;
}

/* Commands that enter a container begin with another exec: what is settled before it would be so twice. */
static bool enters(const struct opt_cmd *cmd)
{
	return cmd->run == cli_create || cmd->run == cli_run || cmd->run == cli_exec;
}

int cli_prepare(struct cli *c, const struct opt_cmd *cmd, struct err *e)
{
	if (open_log(c, e) < 0)
		return -1;
	return enters(cmd) ? 0 : cli_settle(c, e);
}

static int help(const struct opt_cmd *cmd)
{
	auto_buf struct buf out = BUF_LIMIT(HELP_MAX);
	struct err e = ERR_NONE;

	if (opt_render_help(&cli_program, cmd, &out, &e) < 0 ||
	    fd_write_all(STDOUT_FILENO, buf_bytes(&out), buf_len(&out), &e) < 0)
		return 1;
	return 0;
}

/* An engine looks for the reason in its log, also when the command line is the reason. */
static void log_usage(struct cli *c, const struct err *why)
{
	struct err ignored = ERR_NONE;

	if (c->log && open_log(c, &ignored) == 0)
		log_error("carrel-runtime: %s", why->msg);
}

static bool wants_exec(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "exec") == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct cli c = { .argv = argv, .sealed = cli_seal_early(argv) };
	struct opt_parsed p = { 0 };
	struct err e = ERR_NONE;
	int code;

	/* For the build, which installs it; no command has to stand behind it. */
	if (argc >= 2 && argc <= 3 && strcmp(argv[1], "--man") == 0)
		return cli_man(&c, (const char **) argv + 2, argc - 2, NULL);
	switch (opt_parse(&cli_program, argc, argv, &c, &p, &e)) {
	case OPT_HELP:
		code = help(p.cmd);
		break;
	case OPT_VERSION:
		code = cli_version(&c, NULL, 0, NULL);
		break;
	case OPT_RUN:
		if (cli_prepare(&c, p.cmd, &e) < 0)
			code = cli_fail(&c, p.cmd->name, &e,
					strcmp(p.cmd->name, "exec") == 0 ? 255 : 1);
		else
			code = p.cmd->run(&c, p.operands, p.n_operands, p.opts);
		break;
	default:
		log_usage(&c, &e);
		fprintf(stderr, "carrel-runtime: %s\n", e.msg);
		code = wants_exec(argc, argv) ? 255 : 1;
	}
	opt_parsed_fini(&p);
	free(c.own_root);
	return code;
}
