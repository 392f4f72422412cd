/*
 * One thing after the other, blocking; what may happen at any time (the program's end, the front's death, a
 * message, a signal) is waited for in one place, watch().
 *
 * It is the parent of the front and, as subreaper, of the sandbox's first process: both deaths are seen
 * by pidfd, and neither can be confused with another process. When the front dies, even by SIGKILL, the
 * sandbox ends with the reason `error`. When the janitor dies, the front tells its clients and exits, the
 * lock becomes free, and `carrel-shim --sweep` does what is left.
 */
#include "shim/janitor_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stack.h"
#include "base/util.h"
#include "shim/launch.h"
#include "shim/orders.h"
#include "shim/scan_group.h"
#include "shim/sweep.h"
#include "shim/workspace.h"

enum {
	FRONT_READY_MS = 10000,
	DEATH_MS =
		5000, /* of a killed sandbox, before the runtime is asked to help (a frozen one) */
};

/* ---- the ready line ---- */

static void say_ready(int fd, pid_t pid, const struct err *why)
{
	auto_buf struct buf text = BUF_LIMIT(4096);
	auto_json_writer struct json_writer *w = json_writer_new(&text, false);
	struct err e = ERR_NONE;

	jw_object(w, NULL);
	jw_bool(w, "ok", why == NULL);
	if (why) {
		jw_str(w, "error", why->msg);
		jw_bool(w, "busy", why->code == ETXTBSY);
	} else
		jw_int(w, "pid", pid);
	jw_close(w);
	if (json_writer_end(w, &e) < 0 || buf_puts(&text, "\n", &e) < 0 ||
	    fd_write_all(fd, buf_bytes(&text), buf_len(&text), &e) < 0)
		log_warn("ready line: %s", e.msg);
}

void janitor_report_failure(int ready_fd, const struct err *why)
{
	say_ready(ready_fd, -1, why);
}

/* ---- start ---- */

int janitor_await_ready(struct janitor *j, struct err *e)
{
	struct pollfd p = { .fd = j->spec->talk_fd, .events = POLLIN };
	int fds[TALK_FDS], r;
	struct talk_msg m;
	size_t n_fds;

	do
		r = poll(&p, 1, FRONT_READY_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_set(e, ETIMEDOUT, "the front is not ready after %d s",
			       FRONT_READY_MS / 1000);
	r = r < 0 ? err_sys(e, "poll") : talk_recv(p.fd, &m, fds, &n_fds, e);
	if (r == 0)
		return err_set(e, ECHILD, "the front died before it was ready; see shim.log");
	if (r > 0 && m.kind == TALK_FAILED)
		return err_set(e, EIO, "%.*s", (int) MIN(m.n_text, (uint32_t) TALK_TEXT),
			       m.text);
	if (r > 0 && m.kind != TALK_READY)
		return err_set(e, EPROTO, "the front said %s where READY belongs",
			       talk_name(m.kind));
	return r < 0 ? -1 : 0;
}

/* The runtime has made the sandbox's group by now, the scanner has read its rules, which no limit is to make a wait of, and nothing
 * of the sandbox has been read. */
static int place_scanner(const struct janitor *j, struct err *e)
{
	auto_free char *group = NULL;

	if (!j->spec->scanner)
		return 0;
	group = sweep_own_cgroup(j->orders, j->spec->dir_fd);
	if (!group)
		return 0;
	return scan_group_place(j->spec->dir_fd, group, j->spec->scanner, e) < 0
		       ? err_wrap(e, "the policy scanner")
		       : 0;
}

static int start(struct janitor *j, struct err *e)
{
	struct talk_msg started = { .kind = TALK_STARTED };
	struct launched l = LAUNCHED_NONE;
	struct err cg = ERR_NONE;
	int r;

	j->bundle_fd = openat(j->spec->dir_fd, "bundle",
			      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (j->bundle_fd < 0)
		return err_sys(e, "%s/bundle", j->spec->dir);
	if (rootfs_mount(j->orders, j->bundle_fd, &j->rootfs, e) < 0 ||
	    workspace_mount(j->orders, j->bundle_fd, &j->workspace, e) < 0 ||
	    launch_run(j->orders, j->spec->dir, j->bundle_fd, &l, e) < 0)
		return -1;
	j->init = l.init;
	j->info.started_ms = clock_real_ms();
	started.pid = l.init.pid;
	started.process = 1;
	r = janitor_await_ready(j, e);
	if (r == 0)
		r = place_scanner(j, e);
	if (r == 0 && j->orders->terminal) {
		j->terminal_fd = fd_dup(l.fds[0], e);
		r = j->terminal_fd < 0 ? -1 : 0;
	}
	if (r == 0)
		r = talk_send(j->spec->talk_fd, &started, l.fds, 2, e);
	fd_close(&l.fds[0]);
	fd_close(&l.fds[1]);
	if (r == 0)
		say_ready(j->spec->ready_fd, l.init.pid, NULL);
	/* After the ready line: its reader waits, the counters do not. */
	if (r == 0 && exit_cgroup_open(l.init.pid, &j->cgroup, &cg) < 0)
		log_warn("usage will be missing: %s", cg.msg);
	return r;
}

/* ---- life ---- */

/* The first to ask decides the reason. */
static void ask_end(struct janitor *j, enum end_reason reason, const char *why)
{
	struct err e = ERR_NONE;

	if (j->asked)
		return;
	j->asked = true;
	j->info.reason = reason;
	if (why) {
		(void) snprintf(j->error, sizeof(j->error), "%s", why);
		j->info.error = j->error;
		log_error("%s", why);
	}
	procs_stop_starting(&j->procs);
	/* The first process is pid 1 of its namespace: the kernel kills everything with it. */
	if (child_kill(&j->init, SIGKILL, &e) < 0)
		log_error("kill the sandbox: %s", e.msg);
	freezer_thaw(&j->freezer);
}

static int pass_signal(struct janitor *j, const struct talk_msg *m, struct err *e)
{
	bool foreground = m->code == TALK_TO_FOREGROUND;

	if (m->signal < 1 || m->signal > 64)
		return err_set(e, EINVAL, "it is no signal");
	if (m->process != 1)
		return procs_signal(&j->procs, m->process, m->signal, foreground, e);
	if (foreground && j->terminal_fd >= 0)
		return procs_signal_foreground(j->terminal_fd, m->signal, e);
	return child_kill(&j->init, m->signal, e);
}

/* With END_ERROR the front says why. */
static void take_end(struct janitor *j, const struct talk_msg *m)
{
	char why[sizeof(j->error)];

	(void) snprintf(why, sizeof(why), "%.*s", (int) MIN(m->n_text, (uint32_t) TALK_TEXT),
			m->text);
	if (m->reason == END_ERROR)
		ask_end(j, END_ERROR, why);
	else if (m->reason >= END_IDLE && m->reason < END_ERROR)
		ask_end(j, (enum end_reason) m->reason, NULL);
}

void janitor_front_died(struct janitor *j)
{
	j->front_alive = false;
	ask_end(j, END_ERROR, "the shim's front died");
}

void janitor_take(struct janitor *j, const struct talk_msg *m, const void *body)
{
	struct err e = ERR_NONE;

	switch (m->kind) {
	case TALK_END:
		take_end(j, m);
		break;
	case TALK_SIGNAL:
		if (pass_signal(j, m, &e) < 0)
			log_info("process %u: signal %d: %s", m->process, m->signal, e.msg);
		break;
	case TALK_PAUSE:
	case TALK_RESUME:
		freezer_ask(&j->freezer, m->kind == TALK_PAUSE);
		break;
	case TALK_EXEC:
		procs_exec(&j->procs, m->process, body, m->n_text);
		break;
	default:
		log_warn("the front said %s, which has no meaning now", talk_name(m->kind));
	}
}

static void take_talk(struct janitor *j)
{
	struct err e = ERR_NONE;
	int fds[TALK_FDS], r;
	const void *body;
	struct talk_msg m;
	size_t n_fds;

	r = talk_recv_body(j->spec->talk_fd, j->room, &m, &body, fds, &n_fds, &e);
	if (r <= 0) {
		janitor_front_died(j);
		return;
	}
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	if (m.kind == TALK_UPGRADE)
		janitor_upgrade(j, &m);
	else
		janitor_take(j, &m, body);
}

/* Orphans of the runtime come to us as their subreaper. Who is known is reaped where he is awaited; while a
 * runtime is at work, the process that it makes is not known yet. */
static void reap_strangers(struct janitor *j)
{
	siginfo_t si;

	while (!procs_starting(&j->procs)) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0 ||
		    si.si_pid == j->init.pid || si.si_pid == j->front.pid ||
		    si.si_pid == j->freezer.runtime.pid || procs_has_pid(&j->procs, si.si_pid))
			return;
		(void) waitpid(si.si_pid, NULL, WNOHANG);
	}
}

static void take_signal(struct janitor *j)
{
	struct signalfd_siginfo si;

	if (read(j->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD)
		reap_strangers(j);
	else
		ask_end(j, END_DELETED, NULL);
}

/* Until the first process has ended. */
static int watch(struct janitor *j, struct err *e)
{
	uint64_t kill_deadline = 0;

	stack_give_back();
	for (;;) {
		struct pollfd p[4 + PROCS_MAX] = {
			{ .fd = j->init.pidfd, .events = POLLIN },
			{ .fd = j->front_alive ? j->spec->talk_fd : -1, .events = POLLIN },
			{ .fd = j->signal_fd, .events = POLLIN },
			{ .fd = freezer_fd(&j->freezer), .events = POLLIN },
		};
		size_t n = 4 + procs_wait_for(&j->procs, p + 4);
		bool due = j->asked || p[3].fd >= 0 || procs_starting(&j->procs);
		int r = poll(p, n, due ? 500 : -1);

		if (r < 0 && errno != EINTR)
			return err_sys(e, "poll");
		freezer_look(&j->freezer);
		if (j->procs.list) {
			procs_look(&j->procs);
			reap_strangers(j);
		}
		if (r > 0 && p[0].revents)
			return child_wait(&j->init, &j->status, e);
		if (r > 0 && p[1].revents)
			take_talk(j);
		if (r > 0 && p[2].revents)
			take_signal(j);
		if (!j->asked)
			continue;
		if (kill_deadline == 0)
			kill_deadline = clock_mono_ms() + DEATH_MS;
		else if (clock_mono_ms() >= kill_deadline) {
			struct err ignored = ERR_NONE;

			/* Frozen, most likely: the runtime knows how to thaw it. */
			if (sweep_runtime(j->orders, j->spec->dir_fd, &ignored) < 0)
				log_error("%s", ignored.msg);
			kill_deadline = clock_mono_ms() + DEATH_MS;
		}
	}
}

/* ---- the whole ---- */

static int open_signals(struct err *e)
{
	sigset_t set;
	int fd;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGCHLD);
	(void) sigaddset(&set, SIGTERM);
	(void) sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return err_sys(e, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, "signalfd") : fd;
}

/* Pages that no message ever filled cost nothing. */
static int open_room(struct janitor *j, struct err *e)
{
	j->room = mmap(NULL, TALK_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	return j->room == MAP_FAILED ? err_sys(e, "map a message's buffer") : 0;
}

int janitor_open(struct janitor *j, struct janitor_spec *spec, struct err *e)
{
	*j = (struct janitor){ .spec = spec,
			       .orders = spec->orders,
			       .signal_fd = open_signals(e),
			       .bundle_fd = FD_NONE,
			       .terminal_fd = FD_NONE,
			       .workspace = VOLUME_NONE,
			       .front = spec->front,
			       .init = CHILD_NONE,
			       .freezer = { .runtime = CHILD_NONE },
			       .front_alive = true,
			       .cgroup = EXIT_CGROUP_NONE,
			       .info = { .id = spec->orders->id } };
	return j->signal_fd < 0 ? -1 : open_room(j, e);
}

/* What its parts are lent, once there is a sandbox. */
static void lend(struct janitor *j)
{
	j->procs.orders = j->freezer.orders = j->orders;
	j->procs.dir = j->freezer.dir = j->spec->dir;
	j->procs.bundle_fd = j->freezer.bundle_fd = j->bundle_fd;
	j->procs.talk_fd = j->freezer.talk_fd = j->spec->talk_fd;
	j->procs.cgroup = &j->cgroup;
}

void janitor_live(struct janitor *j)
{
	struct err e = ERR_NONE;

	lend(j);
	if (watch(j, &e) < 0) {
		log_error("%s", e.msg);
		ask_end(j, END_ERROR, e.msg);
		child_end(&j->init);
	}
	janitor_finish(j);
	fd_close(&j->terminal_fd);
	rootfs_fini(&j->rootfs);
}

int janitor_run(struct janitor_spec *spec, struct err *e)
{
	struct janitor j;

	if (janitor_open(&j, spec, e) < 0 || start(&j, e) < 0) {
		janitor_undo_start(&j);
		rootfs_fini(&j.rootfs);
		volume_close(&j.workspace);
		say_ready(spec->ready_fd, -1, e);
		fd_close(&spec->ready_fd);
		return -1;
	}
	fd_close(&spec->ready_fd);
	janitor_live(&j);
	return 0;
}
