/*
 * A job is the relay of unpack.c in a child of this process. It is as trusted as its parent: it looks at no byte
 * of what it moves. Its last word is one message over a SOCK_SEQPACKET pair, its end closes that.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "images/unpack.h"

struct last_word {
	int ret; /* unpack_archive's */
	struct err err;
	struct unpack_result result;
};

static int job_main(const struct unpack_spec *spec, int sock)
{
	struct last_word w = { .err = ERR_NONE };
	struct err ignored = ERR_NONE;

	/* The parent may have died before this; then nobody reads the result either. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		w.ret = err_sys(&w.err, "PR_SET_PDEATHSIG");
	else
		w.ret = unpack_archive(spec, &w.result, &w.err);
	(void) sock_send(sock, &w, sizeof(w), NULL, 0, &ignored);
	return 0;
}

/* The writing end of somebody else's pipe, inherited, would keep that pipe from ever ending. */
static void keep_only(const struct unpack_spec *spec, int sock)
{
	const int keep[] = { spec->in_fd, spec->tree_fd, spec->image_fd, sock };
	unsigned from = STDERR_FILENO + 1;

	for (;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < ARRAY_SIZE(keep); i++) {
			if (keep[i] >= (int) from)
				next = MIN(next, (unsigned) keep[i]);
		}
		if (next > from)
			(void) close_range(from, next - 1, 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

int unpack_start(const struct unpack_spec *spec, struct unpack_job *out, struct err *e)
{
	auto_close int mine = -1, its = -1;
	struct child c = CHILD_NONE;
	int pair[2], r;

	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	mine = pair[0];
	its = pair[1];
	r = child_clone(0, -1, &c, e);
	if (r < 0)
		return -1;
	if (r == 0) {
		keep_only(spec, its);
		_exit(job_main(spec, its));
	}
	*out = (struct unpack_job){ .child = c, .fd = take_fd(&mine) };
	return 0;
}

int unpack_finish(struct unpack_job *job, struct unpack_result *out, struct err *e)
{
	struct last_word w = { 0 };
	struct child_status st;
	ssize_t n = sock_recv(job->fd, &w, sizeof(w), NULL, NULL, e);

	fd_close(&job->fd);
	if (n < 0) {
		unpack_cancel(job);
		return -1;
	}
	if (child_wait(&job->child, &st, e) < 0)
		return -1;
	if (n != sizeof(w))
		return err_set(e, EPROTO, "the unpacking job ended by %s %d",
			       st.signalled ? "signal" : "exit", st.code);
	if (w.ret < 0) {
		*e = w.err;
		return -1;
	}
	*out = w.result;
	return w.ret;
}

void unpack_cancel(struct unpack_job *job)
{
	child_end(&job->child);
	fd_close(&job->fd);
}
