/* The end of a sandbox: what it used is read, its clients get the rest and the reason, and nothing of it is left. */
#include <poll.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/janitor_inside.h"
#include "shim/launch.h"
#include "shim/orders.h"
#include "shim/scan_group.h"
#include "shim/sweep.h"

enum {
	DRAINED_MS = 5000,	/* above the front's own limit */
	FRONT_FLUSH_MS = 45000, /* above the front's own limit for slow clients */
};

static void tell_front(struct janitor *j, const struct talk_msg *m)
{
	struct err e = ERR_NONE;

	if (j->front_alive && talk_send(j->spec->talk_fd, m, NULL, 0, &e) < 0) {
		log_warn("%s", e.msg);
		j->front_alive = false;
	}
}

static void decide_reason(struct janitor *j)
{
	exit_cgroup_read(&j->cgroup, &j->info.usage);
	exit_cgroup_oom(&j->cgroup, &j->info.oom);
	exit_cgroup_close(&j->cgroup);
	j->info.usage.cpu_ns += scan_group_cpu_ns(j->spec->dir_fd);
	if (!j->asked)
		j->info.reason = exit_reason(&j->status, j->info.usage.oom_kills);
	j->info.code = j->status.signalled ? 0 : j->status.code;
	j->info.signal = j->status.signalled ? j->status.code : 0;
	j->info.ended_ms = clock_real_ms();
}

/* The front's totals; without them exit.json has zeros there. */
static void await_drained(struct janitor *j)
{
	uint64_t until = clock_mono_ms() + DRAINED_MS, now;
	struct err e = ERR_NONE;
	struct talk_msg m;
	const void *body;
	int fds[TALK_FDS];
	size_t n_fds;

	while (j->front_alive && (now = clock_mono_ms()) < until) {
		struct pollfd p = { .fd = j->spec->talk_fd, .events = POLLIN };

		if (poll(&p, 1, (int) (until - now)) <= 0)
			continue;
		if (talk_recv_body(p.fd, j->room, &m, &body, fds, &n_fds, &e) <= 0) {
			j->front_alive = false;
			return;
		}
		for (size_t i = 0; i < n_fds; i++)
			fd_close(&fds[i]);
		if (m.kind != TALK_DRAINED)
			continue;
		j->info.usage.output_bytes = m.output_bytes;
		j->info.usage.input_bytes = m.input_bytes;
		return;
	}
}

static void log_failed(int r, const struct err *e)
{
	if (r < 0)
		log_error("%s", e->msg);
}

/* Writes exit.json and removes the rest. Each step is tried whatever became of the one before. */
static void leave_nothing(struct janitor *j)
{
	auto_buf struct buf text = BUF_LIMIT(TALK_TEXT);
	struct talk_msg ended = { .kind = TALK_ENDED };
	struct err e = ERR_NONE;
	int r;

	r = exit_info_print(&j->info, &text, &e);
	if (r == 0) {
		ended.n_text = (uint32_t) buf_len(&text);
		memcpy(ended.text, buf_bytes(&text), buf_len(&text));
		if (!j->orders->remove_dir)
			r = fd_write_atomic(j->spec->dir_fd, "exit.json", ended.text,
					    ended.n_text, 0600, false, &e);
	}
	log_failed(r, &e);
	fd_close(&j->bundle_fd);
	log_failed(sweep_bundle(j->spec->dir_fd, &e), &e);
	volume_close(&j->workspace);
	log_failed(sweep_slot(j->orders, &e), &e);
	tell_front(j, &ended);
}

void janitor_finish(struct janitor *j)
{
	struct talk_msg exited = { .kind = TALK_EXITED };
	struct child_status st;
	struct err e = ERR_NONE;

	decide_reason(j);
	exited.reason = j->info.reason;
	exited.code = j->info.code;
	exited.signal = j->info.signal;
	log_info("ended: %s, code %d, signal %d", end_reason_name(j->info.reason), j->info.code,
		 j->info.signal);
	exited.process = 1;
	freezer_fini(&j->freezer);
	procs_end(&j->procs); /* where they do not die with the first */
	tell_front(j, &exited);
	if (launch_delete(j->orders, &e) < 0) {
		log_warn("%s", e.msg);
		log_failed(sweep_cgroup(j->orders, j->spec->dir_fd, &e), &e);
	}
	await_drained(j);
	leave_nothing(j);
	if (child_wait_for(&j->front, FRONT_FLUSH_MS, &st, &e) <= 0)
		child_end(&j->front);
	/* Until now it had what the clients still get. */
	log_failed(scan_group_remove(j->spec->dir_fd, &e), &e);
	log_failed(sweep_socket(j->spec->dir_fd, &e),
		   &e); /* until now it answered what became of it */
	if (j->orders->remove_dir)
		log_failed(sweep_dir(j->spec->dir, &e), &e);
}

void janitor_undo_start(struct janitor *j)
{
	struct err e = ERR_NONE;

	child_end(&j->front);
	child_end(&j->init);
	log_failed(sweep_runtime(j->orders, j->spec->dir_fd, &e), &e);
	log_failed(scan_group_remove(j->spec->dir_fd, &e), &e);
	log_failed(sweep_bundle(j->spec->dir_fd, &e), &e);
	log_failed(sweep_socket(j->spec->dir_fd, &e), &e);
	log_failed(sweep_slot(j->orders, &e), &e);
}
