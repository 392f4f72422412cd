/*
 * Ending what runs in a cgroup, and the cgroup: freeze, signal, thaw; then rmdir until the kernel lets go.
 *
 * A killed process leaves its cgroup a moment after its parent could reap it, so the first rmdir may meet
 * EBUSY although nothing is left. v2 tells when that moment has come (cgroup.events), v1 has to be asked again.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "runtime/cgroup_systemd.h"

enum { KILL_ROUNDS = 64 };

int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *e)
{
	if (!cg->be)
		return err_set(e, ENOTSUP, "cannot freeze: the container has no cgroup");
	return cg->be->freeze(cg, frozen, e);
}

int cgroup_is_frozen(struct cgroup *cg, bool *out, struct err *e)
{
	*out = false;
	return cg->be ? cg->be->is_frozen(cg, out, e) : 0;
}

int cgroup_pids(struct cgroup *cg, pid_t **out, size_t *n, struct err *e)
{
	struct cgroup_pid_list list = { 0 };
	struct cgroup_hier *h = cgroup_main_hier(cg);
	struct err gone = ERR_NONE;
	int dir;

	*out = NULL;
	*n = 0;
	if (!h)
		return 0;
	dir = cgroup_dir(h, &gone);
	if (dir < 0) {
		if (gone.code == ENOENT)
			return 0;
		*e = gone;
		return -1;
	}
	if (cgroup_collect_pids(dir, &list, e) < 0) {
		free(list.v);
		return -1;
	}
	*out = list.v;
	*n = list.n;
	return 0;
}

/* Returns how many were there. A pid that vanished meanwhile is none of our business any more. */
static int signal_all(struct cgroup *cg, int sig, struct err *e)
{
	auto_free pid_t *pids = NULL;
	size_t n;

	if (cgroup_pids(cg, &pids, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (kill(pids[i], sig) < 0 && errno != ESRCH)
			return err_sys(e, "kill %d with signal %d", (int) pids[i], sig);
	return (int) n;
}

/* Frozen, nobody forks while the list is read and no pid is reused. Where freezing is not to be had (no
 * controller, a rootless caller) rounds are repeated until none is left, which a fork bomb cannot outrun:
 * each round kills all but the newest generation, and SIGKILL needs no cooperation. */
static int freeze_and_signal(struct cgroup *cg, int sig, struct err *e)
{
	struct err ignored = ERR_NONE;
	bool was = false, holds = false;
	int n;

	(void) cgroup_is_frozen(cg, &was, &ignored);
	if (!was && cgroup_main_hier(cg) &&
	    (cg->mode == CGROUP_V2 || cgroup_hier_of(cg, CTRL_FREEZER)))
		holds = cgroup_freeze(cg, true, &ignored) == 0;
	n = signal_all(cg, sig, e);
	if (holds || (was && sig == SIGKILL))
		(void) cgroup_freeze(cg, false, &ignored);
	return n;
}

static void nap(unsigned us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	(void) nanosleep(&ts, NULL);
}

int cgroup_kill(struct cgroup *cg, int sig, struct err *e)
{
	struct cgroup_hier *h = cgroup_main_hier(cg);
	struct err ignored = ERR_NONE;

	if (!h)
		return err_set(e, ENOTSUP,
			       "cannot signal all processes: the container has no cgroup");
	/* Linux 5.14; a v2 cgroup without the file goes the long way below. */
	if (cg->mode == CGROUP_V2 && sig == SIGKILL &&
	    cgroup_write(h, NULL, "cgroup.kill", "1", &ignored) == 0)
		return 0;
	for (int round = 0; round < KILL_ROUNDS; round++) {
		int n = freeze_and_signal(cg, sig, e);

		if (n < 0)
			return -1;
		if (n == 0 || sig != SIGKILL)
			return 0;
		nap(200 * (unsigned) MIN(round + 1, 10));
	}
	return err_set(e, EBUSY, "processes remain in %s after %d rounds of SIGKILL", h->path,
		       KILL_ROUNDS);
}

static int left_ms(uint64_t deadline)
{
	uint64_t now = clock_mono_ms();

	return now >= deadline ? 0 : (int) (deadline - now);
}

/* Blocks until cgroup.events says "populated 0", the cgroup is gone or time is up. */
static void wait_unpopulated(const struct cgroup_hier *h, uint64_t deadline)
{
	struct err ignored = ERR_NONE;
	int dir = cgroup_dir(h, &ignored);
	auto_close int fd = dir < 0 ? -1 : openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	char text[256];

	while (fd >= 0) {
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n <= 0)
			return;
		text[n] = '\0';
		if (strstr(text, "populated 0") || left_ms(deadline) == 0)
			return;
		if (poll(&p, 1, left_ms(deadline)) < 0 && errno != EINTR)
			return;
	}
}

static int still_busy(struct cgroup *cg, const struct cgroup_hier *h, int timeout_ms,
		      struct err *e)
{
	auto_free pid_t *pids = NULL;
	struct err ignored = ERR_NONE;
	size_t n = 0;

	if (cgroup_pids(cg, &pids, &n, &ignored) == 0 && n > 0)
		return err_set(e, EBUSY,
			       "cgroup %s is busy after %d ms: %zu process(es), first pid %d",
			       h->path, timeout_ms, n, (int) pids[0]);
	return err_set(e, EBUSY, "cgroup %s is busy after %d ms", h->path, timeout_ms);
}

static int remove_busy(struct cgroup *cg, const struct cgroup_hier *h, uint64_t deadline,
		       int timeout_ms, struct err *e)
{
	struct err killed = ERR_NONE;
	unsigned pause_us = 100;

	/* What cannot be killed shows as busy below, with its pid. */
	(void) cgroup_kill(cg, SIGKILL, &killed);
	for (;;) {
		int r;

		if (cg->mode == CGROUP_V2)
			wait_unpopulated(h, deadline);
		r = cgroup_rmdir_tree(h->path, e);
		if (r <= 0)
			return r;
		if (left_ms(deadline) == 0)
			return still_busy(cg, h, timeout_ms, e);
		nap(pause_us);
		pause_us = MIN(pause_us * 2, 20000u);
	}
}

int cgroup_remove(struct cgroup *cg, int timeout_ms, struct err *e)
{
	uint64_t deadline = clock_mono_ms() + (uint64_t) MAX(timeout_ms, 0);
	bool failed = false;

	for (size_t i = 0; i < cg->n; i++) {
		struct err own = ERR_NONE;
		int r = cgroup_rmdir_tree(cg->h[i].path, &own);

		if (r > 0)
			r = remove_busy(cg, &cg->h[i], deadline, timeout_ms, &own);
		/* The others go nevertheless; the first failure is the one to report. */
		if (r < 0 && !failed) {
			*e = own;
			failed = true;
		}
	}
	/* Without processes and directories the unit goes by itself; a failed one keeps its name until this. */
	if (!failed && cg->unit) {
		struct err why = ERR_NONE;

		if (cgroup_systemd_stop(cg, &why) < 0)
			log_debug("%s", why.msg);
	}
	return failed ? -1 : 0;
}
