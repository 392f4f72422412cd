/* The janitor's part of an upgrade: one function a step, each of which can fail without harm, up to the execve. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/handover.h"
#include "shim/janitor_inside.h"
#include "shim/orders.h"

enum {
	COLLECT_MS = 20000,
	FDS_WANTED = 8192, /* for a moment: those of both halves */
	BODY_BYTES = 1 << 20,
	EACH_BYTES =
		4
		<< 20, /* of a client's or a process's buffers, above what they hold at most */
	KEPT_PROCESSES = 512,
};

/* ---- the answer ---- */

/* The front goes on. Without a reason there was nothing to do. */
static void tell(struct janitor *j, const struct err *why)
{
	struct talk_msg m = { .kind = TALK_UPGRADED };
	struct err e = ERR_NONE;

	if (why->code) {
		int n = snprintf(m.text, sizeof(m.text), "%s", why->msg);

		m.code = why->code;
		m.n_text = (uint32_t) MIN((size_t) n, sizeof(m.text) - 1);
		log_info("upgrade: %s", why->msg);
	}
	if (talk_send(j->spec->talk_fd, &m, NULL, 0, &e) < 0)
		log_warn("%s", e.msg);
}

/* ---- the front's state ---- */

/* A front that nobody can trust any more must not fill the memory. */
static uint64_t state_limit(const struct orders *o)
{
	return KEPT_PROCESSES * (o->history_bytes + EACH_BYTES) +
	       (uint64_t) (o->max_clients + 64) * EACH_BYTES;
}

static int take_fds(struct handover *h, int *fds, size_t n_fds, struct err *e)
{
	for (size_t i = 0; i < n_fds; i++) {
		if (h->n_front_fds == HANDOVER_FDS_MAX) {
			for (; i < n_fds; i++)
				fd_close(&fds[i]);
			return err_set(e, EPROTO, "the front has more than %d descriptors",
				       HANDOVER_FDS_MAX);
		}
		h->front_fds[h->n_front_fds++] = fds[i];
	}
	return 0;
}

struct collected {
	uint64_t bytes;
	bool done;
};

static int take_message(struct janitor *j, struct handover *h, const struct talk_msg *m,
			const void *body, struct collected *c, struct err *e)
{
	switch (m->kind) {
	case TALK_STATE:
		c->bytes += m->n_text;
		if (c->bytes > state_limit(j->orders))
			return err_set(e, EPROTO, "the front's state is too large");
		return fd_write_all(h->front_fd, body, m->n_text, e);
	case TALK_HANDED:
		if (m->output_bytes != c->bytes || m->process != h->n_front_fds)
			return err_set(e, EPROTO, "a part of the front's state is missing");
		c->done = true;
		return 0;
	case TALK_KEPT:
		return err_set(e, m->code, "%.*s", (int) m->n_text, m->text);
	default: /* said before it heard of this */
		janitor_take(j, m, body);
		return 0;
	}
}

static int collect_one(struct janitor *j, struct handover *h, struct collected *c,
		       struct err *e)
{
	int fds[TALK_FDS], r;
	struct talk_msg m;
	const void *body;
	size_t n_fds;

	r = talk_recv_body(j->spec->talk_fd, j->room, &m, &body, fds, &n_fds, e);
	if (r <= 0) {
		janitor_front_died(j);
		return err_set(e, ECHILD, "the front died");
	}
	if (m.kind == TALK_STATE)
		r = take_fds(h, fds, n_fds, e);
	else
		for (size_t i = 0; i < n_fds; i++)
			fd_close(&fds[i]);
	return r < 0 ? -1 : take_message(j, h, &m, body, c, e);
}

static int collect(struct janitor *j, struct handover *h, struct err *e)
{
	const struct talk_msg ask = { .kind = TALK_HANDOVER };
	uint64_t until = clock_mono_ms() + COLLECT_MS, now;
	struct collected c = { 0 };

	if (talk_send(j->spec->talk_fd, &ask, NULL, 0, e) < 0)
		return -1;
	while (!c.done) {
		struct pollfd p = { .fd = j->spec->talk_fd, .events = POLLIN };

		now = clock_mono_ms();
		if (now >= until)
			return err_set(e, ETIMEDOUT, "the front has not handed over after %d s",
				       COLLECT_MS / 1000);
		if (poll(&p, 1, (int) (until - now)) > 0 && collect_one(j, h, &c, e) < 0)
			return -1;
	}
	if (j->asked)
		return err_set(e, ESRCH, "the sandbox is ending");
	return 0;
}

/* ---- the janitor's ---- */

static int write_own(struct janitor *j, struct handover *h, const char *path,
		     const struct rlimit *files, struct err *e)
{
	struct pack p = PACK(BODY_BYTES);
	int r;

	pack_u64(&p, files->rlim_cur);
	pack_str(&p, path);
	janitor_save(j, &p);
	r = pack_end(&p, e);
	if (r == 0) {
		h->n_fds = buf_len(&p.fds) / sizeof(int);
		h->fds = xalloc(MAX(buf_len(&p.fds), sizeof(int)));
		memcpy(h->fds, buf_bytes(&p.fds), buf_len(&p.fds));
		r = handover_write(h, &p.out, e);
	}
	pack_fini(&p);
	return r;
}

static int open_files(struct handover *h, struct err *e)
{
	h->own_fd = memfd_create("carrel-shim-janitor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	h->front_fd = memfd_create("carrel-shim-front", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	h->front_fds = xalloc(HANDOVER_FDS_MAX * sizeof(int));
	if (h->own_fd < 0 || h->front_fd < 0)
		return err_sys(e, "a file for the state");
	return 0;
}

/* ---- the steps ---- */

/* Returns only when it failed. */
static int become(struct janitor *j, int program_fd, const struct handover *h, struct err *e)
{
	const struct talk_msg leaving = { .kind = TALK_LEAVING };
	char number[16];
	char *argv[] = { "carrel-shim", "--dir", (char *) j->spec->dir,
			 "--resume",	number,	 log_wants(LOG_LV_DEBUG) ? "--debug" : NULL,
			 NULL };
	struct err ignored = ERR_NONE;

	(void) snprintf(number, sizeof(number), "%d", h->own_fd);
	/* To a front that was killed meanwhile there is nothing to say, and all that it had is here. */
	if (talk_send(j->spec->talk_fd, &leaving, NULL, 0, &ignored) < 0)
		log_warn("upgrade: %s", ignored.msg);
	if (handover_keep(h, true, e) < 0)
		return -1;
	log_info("upgrade: leaving");
	(void) syscall(SYS_execveat, program_fd, "", argv, environ, AT_EMPTY_PATH);
	(void) err_sys(e, "execute the new program");
	(void) handover_keep(h, false, &ignored);
	return -1;
}

static int may_begin(const struct janitor *j, struct err *e)
{
	if (j->asked)
		return err_set(e, ESRCH, "the sandbox is ending");
	if (procs_starting(&j->procs))
		return err_set(e, EBUSY, "a process is starting; try again");
	if (freezer_fd(&j->freezer) >= 0)
		return err_set(e, EBUSY, "it is being paused or resumed; try again");
	return 0;
}

static int hand_over(struct janitor *j, const char *path, int program_fd,
		     const struct rlimit *files, struct err *e)
{
	struct handover h = HANDOVER_NONE;
	int r = open_files(&h, e);

	if (r == 0)
		r = collect(j, &h, e);
	if (r == 0)
		r = write_own(j, &h, path, files, e);
	if (r == 0)
		r = handover_try_program(program_fd, path, j->spec->dir, &h, e);
	if (r == 0)
		r = become(j, program_fd, &h, e);
	handover_fini(&h);
	return r;
}

static int upgrade(struct janitor *j, const char *path, bool force, struct err *e)
{
	auto_close int program_fd = FD_NONE;
	struct rlimit before, more;
	bool same = false;
	int r;

	if (may_begin(j, e) < 0)
		return -1;
	program_fd = handover_open_program(path, e);
	if (program_fd < 0 || handover_ask_program(program_fd, path, &same, e) < 0)
		return -1;
	if (same && !force)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &before) < 0)
		return err_sys(e, "getrlimit");
	more = before;
	more.rlim_cur = MAX(before.rlim_cur, MIN(before.rlim_max, (rlim_t) FDS_WANTED));
	(void) setrlimit(RLIMIT_NOFILE, &more);
	r = hand_over(j, path, program_fd, &before, e);
	(void) setrlimit(RLIMIT_NOFILE, &before);
	return r;
}

void janitor_upgrade(struct janitor *j, const struct talk_msg *m)
{
	auto_free char *path = m->n_text	  ? xstrndup(m->text, m->n_text)
			       : j->spec->program ? xstrdup(j->spec->program)
						  : NULL;
	struct err e = ERR_NONE;

	if (!path)
		(void) err_set(&e, ENOENT, "where this program lies is not known; name one");
	else
		(void) upgrade(j, path, m->code != 0, &e);
	if (j->front_alive)
		tell(j, &e);
}
