#include "shim/talk.h"

#include <errno.h>
#include <stddef.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/util.h"

const char *talk_name(uint32_t kind)
{
	static const char *const names[] = { "nothing", "READY",  "STARTED", "SIGNAL",
					     "END",	"EXITED", "DRAINED", "ENDED" };

	return kind < ARRAY_SIZE(names) ? names[kind] : "a message of unknown kind";
}

/* The text travels only as far as it is used. */
static size_t wire_size(const struct talk_msg *m)
{
	return offsetof(struct talk_msg, text) + m->n_text;
}

int talk_send(int fd, const struct talk_msg *m, const int *fds, size_t n_fds, struct err *e)
{
	log_debug("say %s", talk_name(m->kind));
	if (sock_send(fd, m, wire_size(m), fds, n_fds, e) < 0)
		return err_wrap(e, "send %s", talk_name(m->kind));
	return 0;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[i]);
}

int talk_recv(int fd, struct talk_msg *out, int fds[TALK_FDS], size_t *n_fds, struct err *e)
{
	struct talk_msg m = { 0 };
	ssize_t n;

	*n_fds = TALK_FDS;
	n = sock_recv(fd, &m, sizeof(m), fds, n_fds, e);
	if (n <= 0)
		return (int) n;
	if ((size_t) n < offsetof(struct talk_msg, text) || m.n_text > TALK_TEXT ||
	    (size_t) n != wire_size(&m)) {
		close_all(fds, *n_fds);
		return err_set(e, EPROTO, "%zd bytes that are no message", n);
	}
	log_debug("hear %s", talk_name(m.kind));
	*out = m;
	return 1;
}
