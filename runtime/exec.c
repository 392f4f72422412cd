/*
 * exec: one more process in a running container.
 *
 *   carrel-runtime exec                              the new process
 *   -------------------                              ---------------
 *   reads state and filter, opens init's pidfd
 *   clones it into the pid namespace [and cgroup] -> joins the cgroup (v1), then all namespaces at once by the pidfd
 *                                                    resolves --user, makes and sends the terminal, init_exec
 *                                 <--------------- SYNC_FAILED, or end of file by exec
 *   pid file; waits in the foreground, or leaves
 *
 * As root the runtime itself never enters a namespace but for the pid namespace of its children. An ordinary
 * user may enter that one only through the container's user namespace: then ns_clone's intermediate does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sock.h"
#include "runtime/annotations.h"
#include "runtime/console.h"
#include "runtime/exec_process.h"
#include "runtime/foreground.h"
#include "runtime/init.h"
#include "runtime/label.h"
#include "runtime/procfs.h"
#include "runtime/startup.h"
#include "runtime/sync.h"

struct entry {
	const struct container_env *env;
	const struct exec_args *args;
	struct container c;
	struct spec *spec; /* its process only */
	struct filter_program filter;
	struct ns_spec ns; /* as an ordinary user: all of the container's by path */
	int ns_fds[NS_COUNT];
	int init_fd; /* pidfd */
	int root_fd; /* init's root, where a mount namespace does not lead to it; else -1 */
	int sync_fd, report_fd; /* ours and the child's end */
	int console_fd;		/* foreground terminal: the master comes over this socket */
	int console_sock_fd;	/* where the child sends it */
	int pidfd_sock_fd;
	int notify_fd;
	int rdt_tasks[RDT_TASKS];
	struct child child;
};

static int check_running(struct entry *x, struct err *e)
{
	enum state_status status;
	struct err why = ERR_NONE;

	if (!x->c.state)
		return err_set(e, EINVAL, "cannot exec in a container that is half-made");
	if (container_status(&x->c, &status, e) < 0)
		return -1;
	if (status == STATE_PAUSED && !x->args->ignore_paused)
		return err_set(e, EBUSY,
			       "cannot exec in a paused container (use --ignore-paused to "
			       "override)");
	if (status != STATE_STOPPED && status != STATE_CREATING)
		x->init_fd = state_open_init(x->c.state, &why);
	if (x->init_fd >= 0)
		return 0;
	return err_set(e, ESRCH, "cannot exec in a stopped container: container not running");
}

static int check_console(const struct entry *x, struct err *e)
{
	const bool terminal = x->spec->process.terminal, socket = x->args->console_socket;

	if (x->args->detach && terminal && !socket)
		return err_set(
			e, EINVAL,
			"cannot allocate tty if carrel-runtime will detach without setting "
			"console socket");
	if ((!x->args->detach || !terminal) && socket)
		return err_set(e, EINVAL,
			       "cannot use console socket if carrel-runtime will not detach or "
			       "allocate tty");
	return 0;
}

static int load(struct entry *x, struct err *e)
{
	if (container_open(x->env, x->args->id, STATE_SHARED, &x->c, e) < 0 ||
	    check_running(x, e) < 0 ||
	    exec_process_load(x->c.state, x->args, &x->spec, e) < 0 ||
	    spec_add_inherited(x->spec, x->c.state->linux_part, e) < 0)
		return -1;
	x->spec->process.user.keep_groups =
		json_get(x->c.state->annotations, KEEP_GROUPS_ANNOTATION);
	for (size_t i = 0; i < x->spec->n_warnings; i++)
		x->env->warn(x->spec->warnings[i]);
	if (x->c.state->has_filter && state_read_filter(x->c.dir_fd, &x->filter, e) < 0)
		return -1;
	return check_console(x, e);
}

static int open_channels(struct entry *x, struct err *e)
{
	int pair[2];

	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	x->sync_fd = pair[0];
	x->report_fd = pair[1];
	if (x->filter.notifies) {
		x->notify_fd =
			sock_connect_at(AT_FDCWD, x->c.state->listener_path, SOCK_STREAM, e);
		if (x->notify_fd < 0)
			return err_wrap(e, "failed to connect with seccomp agent");
	}
	if (x->args->pidfd_socket) {
		x->pidfd_sock_fd = container_connect_pidfd(x->args->pidfd_socket, e);
		if (x->pidfd_sock_fd < 0)
			return -1;
	}
	if (x->args->console_socket) {
		x->console_sock_fd =
			sock_connect_at(AT_FDCWD, x->args->console_socket, SOCK_STREAM, e);
		return x->console_sock_fd < 0 ? err_wrap(e, "console socket") : 0;
	}
	if (!x->spec->process.terminal)
		return 0;
	if (sock_pair(SOCK_STREAM, pair, e) < 0)
		return -1;
	x->console_fd = pair[0];
	x->console_sock_fd = pair[1];
	return 0;
}

/* The pid namespace is that of the process' birth. */
static unsigned long join_flags(const struct state *s)
{
	unsigned long flags = 0;

	for (int k = 0; k < NS_COUNT; k++) {
		if ((s->namespaces & (1u << k)) && k != NS_PID)
			flags |= ns_clone_flag((enum ns_kind) k);
	}
	return flags;
}

/* For an ordinary user: the namespace files of init, which the open pidfd proves to be init's still. */
static int open_namespaces(struct entry *x, struct err *e)
{
	enum state_status status;
	struct err why = ERR_NONE;
	char paths[NS_COUNT][48];

	for (int k = 0; k < NS_COUNT; k++) {
		if (!(x->c.state->namespaces & (1u << k)))
			continue;
		(void) snprintf(paths[k], sizeof(paths[k]), "/proc/%d/ns/%s", x->c.state->pid,
				ns_proc_name((enum ns_kind) k));
		x->ns.ns[k] = (struct ns_entry){ .listed = true, .path = paths[k] };
	}
	if (ns_open_paths(&x->ns, x->ns_fds, e) < 0) {
		/* Nobody may look at init before it has become the container's program. */
		if (e->code == EACCES && container_status(&x->c, &status, &why) == 0 &&
		    status == STATE_CREATED)
			return err_hint(e, "start the container first: before that only root "
					   "may exec into it");
		return -1;
	}
	auto_close int again = state_open_init(x->c.state, &why);
	return again < 0 ? err_set(e, ESRCH, "container not running") : 0;
}

/* ---- the new process ---- */

static int make_console(const struct entry *x, int root_fd, struct err *e)
{
	const struct process_spec *p = &x->spec->process;
	auto_close int master = FD_NONE;
	auto_close int slave = FD_NONE;

	/* A session of its own also without: the caller's terminal is none of its business, and criu can save only
	 * what has no leader outside. */
	if (!p->terminal)
		return setsid() < 0 && errno != EPERM ? err_sys(e, "setsid") : 0;
	if (console_open(root_fd, p->rows, p->cols, !x->args->console_socket, &master, &slave,
			 e) < 0 ||
	    console_send(x->console_sock_fd, master, e) < 0)
		return -1;
	return console_take(slave, e);
}

/* The pid as the host sees it, read while the host's procfs is still ours. */
static int own_host_pid(struct err *e)
{
	char text[16];
	const ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n <= 0)
		return err_sys(e, "/proc/self");
	text[n] = '\0';
	return atoi(text);
}

static int notify_text(const struct entry *x, pid_t pid, struct buf *out, struct err *e)
{
	auto_buf struct buf state = BUF_LIMIT(1 << 20);

	if (container_hook_state(x->c.state, STATE_RUNNING, x->c.state->pid, &state, e) < 0)
		return -1;
	return container_notify_state(x->c.state->oci_version, x->c.state->listener_metadata,
				      pid, buf_str(&state), out, e);
}

static int enter(struct entry *x, struct err *e)
{
	const bool by_fds = x->ns_fds[NS_MNT] >= 0;
	auto_buf struct buf notify = BUF_LIMIT(1 << 20);
	const pid_t pid = x->notify_fd < 0 ? 0 : own_host_pid(e);

	if (pid < 0 || (pid > 0 && notify_text(x, pid, &notify, e) < 0))
		return -1;
	auto_close int proc_fd = FD_NONE;
	if (init_wants_proc(&x->spec->process)) {
		if (label_check(x->spec->process.apparmor, x->spec->process.selinux_label, e) <
		    0)
			return -1;
		proc_fd = procfs_open(e); /* the container's own could be anything */
		if (proc_fd < 0)
			return -1;
	}
	/* From here on processes of the container may see this one: nothing of it is theirs to look at. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "prctl");
	if (cgroup_join_self(x->c.cgroup, e) < 0)
		return err_wrap(e, "adding pid of the new process to cgroups");
	if (rdt_join_self(x->rdt_tasks, e) < 0 || process_settle_cpus(&x->spec->process, e) < 0)
		return -1;
	const int r = by_fds ? ns_join(x->ns_fds, e)
			     : ns_join_process(x->init_fd, join_flags(x->c.state), e);
	if (r < 0)
		return -1;
	if (x->root_fd >= 0 && (fchdir(x->root_fd) < 0 || chroot(".") < 0))
		return err_sys(e, "enter the container's root");
	/* What it makes from here on, a terminal above all, belongs to the container's root. */
	if ((x->c.state->namespaces & (1u << NS_USER)) &&
	    init_become_root(x->spec->process.user.keep_groups, e) < 0)
		return -1;
	auto_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return err_sys(e, "open the container's root");
	if (x->args->user &&
	    process_user_parse(x->args->user, root_fd, &x->spec->process.user, e) < 0)
		return err_wrap(e, "--user %s", x->args->user);
	if (exec_process_groups(x->args, x->spec, e) < 0 || make_console(x, root_fd, e) < 0)
		return -1;
	const struct init_exec exec = {
		.process = &x->spec->process,
		.filter = x->c.state->has_filter ? &x->filter : NULL,
		.preserve_fds = x->args->preserve_fds,
		.report_fd = x->report_fd,
		.proc_fd = proc_fd,
		.seccomp_notify_fd = x->notify_fd,
		.notify_state = pid > 0 ? buf_str(&notify) : NULL,
	};
	log_debug("setns_init: about to exec %s", x->spec->process.args[0]);
	return init_exec(&exec, e);
}

static _Noreturn void become_process(struct entry *x)
{
	struct err e = ERR_NONE, ignored = ERR_NONE;

	log_debug("child process in init(): joins the container");
	fd_close(&x->sync_fd);
	fd_close(&x->console_fd);
	fd_close(&x->pidfd_sock_fd);
	fd_close(&x->c.dir_fd);
	fd_close(&x->c.root_fd);
	if (cgroup_settles(x->c.cgroup) && sync_expect(x->report_fd, SYNC_MAPPED, &e) < 0)
		_exit(255);
	if (enter(x, &e) < 0)
		(void) sync_send_failed(x->report_fd, &e, &ignored);
	_exit(255);
}

/* ---- the runtime's side ---- */

/* On v2 the process is born in its cgroup. That which was made for the container may be gone or, since it has got
 * controllers for groups below it, take no processes any more: then it is the one that init has moved to. */
static int clone_in_cgroup(struct entry *x, struct err *e)
{
	const bool v2 = cgroup_mode(x->c.cgroup) == CGROUP_V2;
	int fd, r = cgroup_clone_fd(x->c.cgroup, &fd, e);
	const bool gone = v2 && fd < 0 && (r == 0 || e->code == ENOENT);

	if (r == 0 && !gone)
		r = ns_clone(&x->ns, x->ns_fds, fd, &x->child, e);
	if (!gone && (r >= 0 || !v2 || fd < 0 || e->code != EBUSY))
		return r;
	if (x->args->cgroups && x->args->cgroups[0])
		return err_wrap(e, "adding pid of the new process to cgroups");
	*e = ERR_NONE;
	if (cgroup_follow(x->c.cgroup, x->c.state->pid, e) < 0)
		return err_wrap(e, "the cgroup of init");
	r = cgroup_clone_fd(x->c.cgroup, &fd, e);
	if (r == 0)
		r = ns_clone(&x->ns, x->ns_fds, fd, &x->child, e);
	return r < 0 ? err_wrap(e, "adding pid of the new process to cgroups") : r;
}

/* Without a mount namespace of its own only init's root is the container's. */
static int open_root(struct entry *x, struct err *e)
{
	auto_free char *path = xasprintf("/proc/%d/root", (int) x->c.state->pid);
	struct err why = ERR_NONE;

	if (x->c.state->namespaces & (1u << NS_MNT))
		return 0;
	x->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (x->root_fd < 0)
		return err_sys(e, "open the container's root");
	/* Still init's? */
	auto_close int again = state_open_init(x->c.state, &why);
	return again < 0 ? err_set(e, ESRCH, "container not running") : 0;
}

static int clone_process(struct entry *x, struct err *e)
{
	if (open_root(x, e) < 0)
		return -1;
	if (x->args->cgroups && x->args->cgroups[0] &&
	    cgroup_select(x->c.cgroup, x->args->cgroups, e) < 0)
		return -1;
	log_debug("nsexec container setup: clone into the namespaces of pid %d",
		  x->c.state->pid);
	if (process_enter_cpus(&x->spec->process, e) < 0 ||
	    rdt_open_tasks(&x->c.state->rdt, x->rdt_tasks, e) < 0)
		return -1;
	if (geteuid() != 0) {
		if (open_namespaces(x, e) < 0)
			return -1;
	} else if (x->c.state->namespaces & (1u << NS_PID)) {
		/* A pidfd stands for the namespace; entered for the clone only, so that what the runtime itself
		 * starts later is not in the container. */
		x->ns_fds[NS_PID] = fd_dup(x->init_fd, e);
		if (x->ns_fds[NS_PID] < 0)
			return -1;
	}
	const int r = clone_in_cgroup(x, e);
	if (r == 0)
		become_process(x);
	ns_close(x->ns_fds);
	fd_close(&x->report_fd);
	fd_close(&x->console_sock_fd);
	fd_close(&x->notify_fd);
	for (int i = 0; i < RDT_TASKS; i++)
		fd_close(&x->rdt_tasks[i]);
	if (r < 0)
		return -1;
	/* Only systemd may move it into its unit: it waits for that. */
	if (!cgroup_settles(x->c.cgroup))
		return 0;
	if (cgroup_settle(x->c.cgroup, x->child.pid, e) < 0)
		return -1;
	return sync_send(x->sync_fd, SYNC_MAPPED, e);
}

static int run_process(struct entry *x, int *code, struct err *e)
{
	auto_close int master = FD_NONE;

	if (!x->args->detach && foreground_block_signals(e) < 0)
		return -1;
	if (load(x, e) < 0 || open_channels(x, e) < 0 || clone_process(x, e) < 0 ||
	    sync_expect_eof(x->sync_fd, e) < 0)
		return -1;
	if (x->pidfd_sock_fd >= 0 &&
	    container_send_pidfd(x->pidfd_sock_fd, x->child.pidfd, e) < 0)
		return -1;
	if (x->args->pid_file &&
	    container_write_pid_file(x->args->pid_file, x->child.pid, e) < 0)
		return -1;
	state_unlock(x->c.dir_fd);
	if (x->args->detach)
		return 0;
	if (x->console_fd >= 0) {
		master = foreground_receive_console(x->console_fd, e);
		if (master < 0)
			return -1;
	}
	return foreground_wait(&x->child, master, NULL, code, e);
}

int container_exec(const struct container_env *env, const struct exec_args *a, int *code,
		   struct err *e)
{
	struct entry x = {
		.env = env,
		.args = a,
		.c = CONTAINER_NONE,
		.init_fd = -1,
		.root_fd = -1,
		.sync_fd = -1,
		.report_fd = -1,
		.console_fd = -1,
		.console_sock_fd = -1,
		.pidfd_sock_fd = -1,
		.notify_fd = -1,
		.rdt_tasks = { -1, -1 },
		.child = CHILD_NONE,
	};

	for (int k = 0; k < NS_COUNT; k++)
		x.ns_fds[k] = FD_NONE;
	*code = 0;
	const int r = run_process(&x, code, e);
	if (r < 0)
		child_end(&x.child);
	fd_close(&x.child.pidfd);
	fd_close(&x.init_fd);
	fd_close(&x.root_fd);
	fd_close(&x.sync_fd);
	fd_close(&x.report_fd);
	fd_close(&x.console_fd);
	fd_close(&x.console_sock_fd);
	fd_close(&x.pidfd_sock_fd);
	fd_close(&x.notify_fd);
	ns_close(x.ns_fds);
	filter_program_fini(&x.filter);
	spec_free_ptr(&x.spec);
	container_close(&x.c);
	return r;
}
