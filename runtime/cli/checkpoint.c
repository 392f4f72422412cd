/* checkpoint and restore. */
#include <limits.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/cli/cli.h"

/* clang-format off */
#define CRIU_OPTS(s) \
	{ "image-path", 0, OPT_STRING, offsetof(struct s, criu.image_path), "DIR", "where the checkpoint's files are (default: ./checkpoint)" }, \
	{ "work-path", 0, OPT_STRING, offsetof(struct s, criu.work_path), "DIR", "where criu's logs go (default: the image path)" }, \
	{ "tcp-established", 0, OPT_SWITCH, offsetof(struct s, criu.tcp_established), NULL, "also with open TCP connections" }, \
	{ "ext-unix-sk", 0, OPT_SWITCH, offsetof(struct s, criu.ext_unix_sk), NULL, "also with unix sockets whose other end is outside" }, \
	{ "shell-job", 0, OPT_SWITCH, offsetof(struct s, criu.shell_job), NULL, "also with a terminal of the caller's" }, \
	{ "file-locks", 0, OPT_SWITCH, offsetof(struct s, criu.file_locks), NULL, "also with file locks" }, \
	{ "lazy-pages", 0, OPT_SWITCH, offsetof(struct s, criu.lazy_pages), NULL, "memory follows when it is used, from a page server" }, \
	{ "auto-dedup", 0, OPT_SWITCH, offsetof(struct s, criu.auto_dedup), NULL, "drop pages of earlier images that are superseded" }, \
	{ "manage-cgroups-mode", 0, OPT_STRING, offsetof(struct s, criu.cgroups_mode), "MODE", "soft, full, strict or ignore" }, \
	{ "empty-ns", 0, OPT_LIST, offsetof(struct s, empty_ns), "network", "leave the inside of the namespace out" }

#define C(n, k, m, arg, help) { n, 0, k, offsetof(struct opts_checkpoint, m), arg, help }
const struct opt cli_checkpoint_opts[] = {
	CRIU_OPTS(opts_checkpoint),
	C("parent-path", OPT_STRING, parent_path, "DIR", "an earlier --pre-dump, relative to the image path"),
	C("pre-dump", OPT_SWITCH, pre_dump, NULL, "only the memory; the container goes on"),
	C("leave-running", OPT_SWITCH, leave_running, NULL, "the container goes on afterwards"),
	C("tcp-skip-in-flight", OPT_SWITCH, tcp_skip_in_flight, NULL, "leave out TCP connections that are being made"),
	C("link-remap", OPT_SWITCH, link_remap, NULL, "give open files that were deleted a name again"),
	C("page-server", OPT_STRING, page_server, "ADDRESS:PORT", "where memory is sent to, or served from with --lazy-pages"),
	C("status-fd", OPT_UINT, status_fd, "FD", "gets a zero byte when lazy pages can be asked for"),
	{ 0 },
};
#undef C

#define R(n, l, k, m, arg, help) { n, l, k, offsetof(struct opts_restore, m), arg, help }
const struct opt cli_restore_opts[] = {
	R("bundle", 'b', OPT_STRING, bundle, "DIR", "the directory with config.json (default: the current one)"),
	R("detach", 'd', OPT_SWITCH, detach, NULL, "return as soon as the container runs"),
	R("console-socket", 0, OPT_STRING, console_socket, "SOCKET", "unix socket that receives the terminal's master"),
	R("pid-file", 0, OPT_STRING, pid_file, "FILE", "write init's pid to this file"),
	CRIU_OPTS(opts_restore),
	R("tcp-close", 0, OPT_SWITCH, tcp_close, NULL, "restore TCP connections as closed ones"),
	R("lsm-profile", 0, OPT_STRING, lsm_profile, "TYPE:NAME", "another security profile than the saved one"),
	R("lsm-mount-context", 0, OPT_STRING, lsm_mount_context, "CONTEXT", "another SELinux context for mounts than the saved one"),
	R("no-pivot", 0, OPT_SWITCH, no_pivot, NULL, "accepted for compatibility; criu decides"),
	R("no-subreaper", 0, OPT_SWITCH, no_subreaper, NULL, "accepted for compatibility; there is none"),
	{ 0 },
};
#undef R
/* clang-format on */

int cli_checkpoint(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_checkpoint *o = opts;
	struct err e = ERR_NONE;
	struct checkpoint_args a = {
		.id = operands[0],
		.criu = o->criu,
		.parent_path = o->parent_path,
		.page_server = o->page_server,
		.status_fd =
			o->status_fd > 0 && o->status_fd <= INT_MAX ? (int) o->status_fd : -1,
		.leave_running = o->leave_running,
		.tcp_skip_in_flight = o->tcp_skip_in_flight,
		.link_remap = o->link_remap,
		.pre_dump = o->pre_dump,
	};

	a.criu.empty_ns = o->empty_ns.v;
	if (container_checkpoint(&c->env, &a, &e) < 0)
		return cli_fail(c, "checkpoint", &e, 1);
	return 0;
}

int cli_restore(void *global, const char **operands, int n, void *opts)
{
	struct cli *c = global;
	const struct opts_restore *o = opts;
	struct err e = ERR_NONE;
	int code = 0;
	struct restore_args a = {
		.create = {
			.id = operands[0],
			.bundle = o->bundle,
			.console_socket = o->console_socket,
			.pid_file = o->pid_file,
			.no_pivot = o->no_pivot,
			.detach = o->detach,
		},
		.criu = o->criu,
		.tcp_close = o->tcp_close,
		.lsm_profile = o->lsm_profile,
		.lsm_mount_context = o->lsm_mount_context,
	};

	a.criu.empty_ns = o->empty_ns.v;
	if (container_restore(&c->env, &a, &code, &e) < 0)
		return cli_fail(c, "restore", &e, 1);
	return code;
}
