/*
 * The first process of a container, from its clone to the hand-over to init_exec.
 *
 * Rights: it starts with those of the runtime (or, in a new user namespace, with all capabilities over that
 * namespace and none over the host). The host's mounts stay reachable by name until "enter root"; every step that
 * takes something from the host stands above it, and every step below knows only descriptors and the
 * container's own tree. Container paths are resolved inside in.root_fd from the first to the last.
 *
 * Channels: sync_fd to the parent until SYNC_CREATED, then the connection of `start` (or still sync_fd for
 * `run`). The first failing step is reported there and nothing is undone: what init made dies with it.
 */
#include "runtime/init_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/sock.h"
#include "base/util.h"
#include "runtime/cgroup.h"
#include "runtime/label.h"
#include "runtime/procfs.h"
#include "runtime/sync.h"

enum { JSON_MAX = 4 << 20 };

/* ---- before the root ---- */

static int join_cgroup(struct init *in, struct err *e)
{
	return in->a->cgroup ? cgroup_join_self(in->a->cgroup, e) : 0;
}

static int join_rdt_class(struct init *in, struct err *e)
{
	return in->a->rdt_tasks ? rdt_join_self(in->a->rdt_tasks, e) : 0;
}

static int settle_cpus(struct init *in, struct err *e)
{
	/* execCPUAffinity is for those who come later, by exec. */
	static const struct process_spec plain;

	return process_settle_cpus(&plain, e);
}

static int die_with_parent(struct init *in, struct err *e)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? err_sys(e, "parent death signal") : 0;
}

static int join_namespaces(struct init *in, struct err *e)
{
	return ns_join(in->ns_fds, e);
}

static int await_maps(struct init *in, struct err *e)
{
	return sync_expect(in->a->sync_fd, SYNC_MAPPED, e);
}

/* The parent did what its rights allow already; this finds out whether it was enough. */
static int prepare_process(struct init *in, struct err *e)
{
	return process_prepare(&in->spec->process, 0, e);
}

static int unshare_late(struct init *in, struct err *e)
{
	return ns_unshare_late(&in->spec->ns, e);
}

int init_become_root(bool keep_groups, struct err *e)
{
	/* Groups of the host's caller have no business here; where the kernel denies the call (the map of an
	 * ordinary user) they are not mapped either. An annotation may say that they have. */
	if (!keep_groups && setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(e, "drop groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, "become root of the user namespace (is id 0 mapped?)");
	return 0;
}

/* From the first moment in which a process of the container could look at this one. */
static int become_root(struct init *in, struct err *e)
{
	if (init_has_userns(in) && init_become_root(in->spec->process.user.keep_groups, e) < 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(e, "undumpable");
	return die_with_parent(in, e); /* a change of ids clears it */
}

static int new_session(struct init *in, struct err *e)
{
	return setsid() < 0 && errno != EPERM ? err_sys(e, "setsid") : 0;
}

static int new_keyring(struct init *in, struct err *e)
{
	auto_free char *name = xasprintf("_ses.%s", in->a->id ? in->a->id : "carrel");

	if (in->a->no_new_keyring)
		return 0;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) >= 0 || errno == ENOSYS)
		return 0;
	(void) err_sys(e, "session keyring");
	return err_hint(e, "do without by --no-new-keyring");
}

static int loopback(struct init *in, struct err *e)
{
	return ns_is_new(&in->spec->ns, NS_NET) ? ns_loopback_up(e) : 0;
}

static int open_host_things(struct init *in, struct err *e)
{
	const struct spec *s = in->spec;

	(void) umask(0);
	if (label_check(s->process.apparmor, s->process.selinux_label, e) < 0)
		return -1;
	if (s->n_sysctl > 0 || init_wants_proc(&s->process)) {
		in->proc_fd = procfs_open(e);
		if (in->proc_fd < 0)
			return -1;
	}
	if (s->root.masked && s->root.masked[0])
		return mask_open(&in->mask, e);
	return 0;
}

static int set_kernel_parameters(struct init *in, struct err *e)
{
	return sysctl_apply(in->spec->sysctl, in->spec->n_sysctl, in->proc_fd, e);
}

static int set_names(struct init *in, struct err *e)
{
	const char *host = in->spec->hostname, *domain = in->spec->domainname;

	if ((host || domain) && !ns_has(&in->spec->ns, NS_UTS))
		return err_set(e, EINVAL, "hostname and domainname need a uts namespace");
	if (host && sethostname(host, strlen(host)) < 0)
		return err_sys(e, "hostname %s", host);
	if (domain && setdomainname(domain, strlen(domain)) < 0)
		return err_sys(e, "domainname %s", domain);
	return 0;
}

/* ---- hooks ---- */

/* The template has "pid":0 where the pid goes that the host knows us by. */
static int fill_pid(const char *text, char **out, struct err *e)
{
	static const char place[] = "\"pid\":0";
	auto_buf struct buf b = BUF_LIMIT(JSON_MAX);
	char pid[16];
	const ssize_t n = readlink("/proc/self", pid, sizeof(pid) - 1);

	if (n <= 0)
		return err_sys(e, "/proc/self");
	pid[n] = '\0';
	for (const char *hit; (hit = strstr(text, place)); text = hit + sizeof(place) - 1) {
		if (buf_append(&b, text, (size_t) (hit - text), e) < 0 ||
		    buf_printf(&b, e, "\"pid\":%s", pid) < 0)
			return -1;
	}
	if (buf_puts(&b, text, e) < 0)
		return -1;
	*out = buf_take_str(&b);
	return 0;
}

static int fill_states(struct init *in, struct err *e)
{
	if (in->a->state_json && fill_pid(in->a->state_json, &in->state_json, e) < 0)
		return -1;
	if (in->a->notify_state && fill_pid(in->a->notify_state, &in->notify_state, e) < 0)
		return -1;
	return 0;
}

static int runtime_hooks(struct init *in, struct err *e)
{
	const struct hook_list *k = in->spec->hooks.kind;

	if (k[HOOK_PRESTART].n == 0 && k[HOOK_CREATE_RUNTIME].n == 0)
		return 0;
	if (sync_send(in->a->sync_fd, SYNC_HOOKS, e) < 0)
		return -1;
	return sync_expect(in->a->sync_fd, SYNC_RESUME, e);
}

static int run_hooks(struct init *in, enum hook_kind k, struct err *e)
{
	const struct hook_list *l = &in->spec->hooks.kind[k];

	return l->n > 0 ? hooks_run(l, k, in->state_json ? in->state_json : "{}", e) : 0;
}

static int container_hooks(struct init *in, struct err *e)
{
	return run_hooks(in, HOOK_CREATE_CONTAINER, e);
}

/* ---- inside ---- */

/* A file without any such permission, or on a noexec mount. */
static bool nobody_executes(const char *path)
{
	struct statvfs fs;
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && statvfs(path, &fs) == 0 &&
	       (!(st.st_mode & 0111) || (fs.f_flag & ST_NOEXEC));
}

/* Only what can be known with root's eyes; the user's follow before exec. Early, because engines
 * clean up after a create that failed, and not all of them after a start. */
static int check_program(struct init *in, struct err *e)
{
	struct err why = ERR_NONE;
	char *found = NULL;

	if (in->spec->process.cwd && chdir(in->spec->process.cwd) < 0)
		return 0;
	const int r = process_find_program(&in->spec->process, &found, &why);
	const bool certain =
		r < 0 && (why.code == ENOENT || why.code == EISDIR ||
			  (why.code == EACCES && nobody_executes(in->spec->process.args[0])));
	free(found);
	if (chdir("/") < 0)
		return err_sys(e, "chdir /");
	if (certain) {
		*e = why;
		return -1;
	}
	return 0;
}

/* Waiting for `start` may take for ever, and what waits needs nothing of the host. */
static int drop_descriptors(struct init *in, struct err *e)
{
	const struct init_args *a = in->a;
	int keep[] = { a->sync_fd, a->start_fd, a->seccomp_notify_fd, in->proc_fd };

	if (a->start_fd < 0)
		return 0; /* exec follows at once, and closes them */
	return init_close_others(a->preserve_fds, keep, ARRAY_SIZE(keep), e);
}

static int report_created(struct init *in, struct err *e)
{
	/* From here on the runtime may end without us: before it is told, or it could end too early. */
	if (prctl(PR_SET_PDEATHSIG, 0) < 0)
		return err_sys(e, "parent death signal");
	log_debug("init: closing the pipe to signal completion");
	return sync_send(in->a->sync_fd, SYNC_CREATED, e);
}

static int accept_start(int listen_fd, struct err *e)
{
	struct pollfd p = { .fd = listen_fd, .events = POLLIN };

	for (;;) {
		auto_close int conn = sock_accept(listen_fd, e);

		if (conn >= 0)
			return fd_set_nonblock(conn, false, e) < 0 ? -1 : take_fd(&conn);
		if (e->code != EAGAIN && e->code != ECONNABORTED)
			return -1;
		*e = ERR_NONE;
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_sys(e, "poll");
	}
}

static _Noreturn void end_by(int sig)
{
	_exit(128 + sig);
}

/* The first process of a pid namespace does not take a signal that it has no handler for, and a container that was
 * created must be one that can be stopped. init_exec takes the handlers away. */
static int end_by_signals(struct err *e)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	const struct sigaction sa = { .sa_handler = end_by };

	if (child_reset_signals(e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (sigaction(signals[i], &sa, NULL) < 0)
			return err_sys(e, "signal %d", signals[i]);
	}
	return 0;
}

static int await_start(struct init *in, struct err *e)
{
	int sync_fd = in->a->sync_fd;

	if (in->a->start_fd < 0)
		return 0;
	if (end_by_signals(e) < 0)
		return -1;
	fd_close(&sync_fd); /* nobody reads there any more */
	in->report_fd = FD_NONE;
	in->start_conn = accept_start(in->a->start_fd, e);
	if (in->start_conn < 0)
		return -1;
	in->report_fd = in->start_conn;
	return sync_expect(in->start_conn, SYNC_START, e);
}

static int exec_program(struct init *in, struct err *e)
{
	const struct init_exec x = {
		.process = &in->spec->process,
		.filter = in->a->filter,
		.preserve_fds = in->a->preserve_fds,
		.report_fd = in->report_fd,
		.proc_fd = in->proc_fd,
		.seccomp_notify_fd = in->a->seccomp_notify_fd,
		.notify_state = in->notify_state,
		.start_hooks = &in->spec->hooks.kind[HOOK_START_CONTAINER],
		.state_json = in->state_json,
	};

	return init_exec(&x, e);
}

/* clang-format off */
static const struct {
	const char *name;
	bool quiet; /* its errors say what they are about */
	int (*step)(struct init *in, struct err *e);
} steps[] = {
	{ "parent death signal", true, die_with_parent },  /* first: from here on no orphan is possible */
	{ "cgroup", false, join_cgroup },            /* before anything uses memory, and while single-threaded */
	{ "resctrl", true, join_rdt_class },         /* likewise */
	{ "processors", true, settle_cpus },         /* the cgroup says which there are */
	{ "namespaces", true, join_namespaces },     /* the cgroup files are the host's */
	{ "user namespace", false, await_maps },     /* ids mean nothing before */
	{ "process", true, prepare_process },        /* /proc/self is ours to write only until ids change */
	{ "namespaces", true, unshare_late },        /* after the cgroup: it becomes the root; likewise writes /proc/self */
	{ "user namespace", true, become_root },     /* files and mounts from here on belong to the container's root */
	{ "session", true, new_session },
	{ "keyring", true, new_keyring },
	{ "network", false, loopback },
	{ "host", true, open_host_things },          /* while the host's /proc and /dev are there */
	{ "sysctl", true, set_kernel_parameters },   /* namespaced, so it needs no root */
	{ "uts", true, set_names },
	{ "state", false, fill_states },             /* reads the host's /proc */
	{ "root", true, init_attach_root },               /* mounts can be made only on what is attached */
	{ "mounts", true, init_attach_mounts },           /* in the spec's order: later ones may lie on earlier ones */
	{ "devices", true, init_make_devices },           /* on the /dev that was mounted; may bind nodes of the host */
	{ "console", true, init_open_console },           /* needs the devpts that was mounted, and /dev for its bind */
	{ "hooks", true, runtime_hooks },            /* by the runtime, outside: they may add mounts and devices */
	{ "hooks", true, container_hooks },          /* must still see the host paths */
	{ "enter root", false, init_enter_root },         /* from here on the host's tree is gone */
	{ "cwd", true, init_make_cwd },                   /* before the root may become read-only */
	{ "covers", true, init_cover_paths },             /* after the hooks: what they mount is covered as well */
	{ "seal root", true, init_seal_root },            /* last change of mounts: targets were still made above */
	{ "program", true, check_program },          /* an error of create, not only of start */
	{ "descriptors", true, drop_descriptors },   /* also before processes of the container exist that could look */
	{ "created", true, report_created },
	{ "start", true, await_start },
	{ "exec", true, exec_program },
};
/* clang-format on */

static int run_steps(struct init *in, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		log_debug("init: %s", steps[i].name);
		if (steps[i].step(in, e) == 0)
			continue;
		return steps[i].quiet ? -1 : err_wrap(e, "%s", steps[i].name);
	}
	return 0;
}

int init_main(const struct init_args *a)
{
	struct init in = {
		.a = a,
		.spec = a->spec,
		.root_fd = FD_NONE,
		.proc_fd = FD_NONE,
		.mask = MASK_NONE,
		.report_fd = a->sync_fd,
		.start_conn = FD_NONE,
	};
	struct err e = ERR_NONE, ignored = ERR_NONE;

	memcpy(in.ns_fds, a->ns_fds, sizeof(in.ns_fds));
	log_debug("child process in init(): what follows are its steps");
	(void) run_steps(&in, &e);
	if (in.report_fd >= 0)
		(void) sync_send_failed(in.report_fd, &e, &ignored);
	return 1;
}
