#include "shim/talk.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/util.h"

const char *talk_name(uint32_t kind)
{
	static const char *const names[] = {
		"nothing", "READY",    "STARTED", "SIGNAL", "END",    "EXITED",	 "DRAINED",
		"ENDED",   "EXEC",     "FAILED",  "PAUSE",  "RESUME", "PAUSED",	 "RESUMED",
		"UPGRADE", "HANDOVER", "STATE",	  "HANDED", "KEPT",   "LEAVING", "UPGRADED"
	};

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

int talk_send_body(int fd, const struct talk_msg *m, const void *body, size_t n, const int *fds,
		   size_t n_fds, struct err *e)
{
	auto_buf struct buf all = BUF_LIMIT(TALK_ROOM);
	struct talk_msg head = *m;

	log_debug("say %s", talk_name(m->kind));
	head.n_text = (uint32_t) n;
	if (n > TALK_BODY)
		return err_set(e, E2BIG, "%s: %zu bytes", talk_name(m->kind), n);
	if (buf_append(&all, &head, offsetof(struct talk_msg, text), e) < 0 ||
	    buf_append(&all, body, n, e) < 0 ||
	    sock_send(fd, buf_bytes(&all), buf_len(&all), fds, n_fds, e) < 0)
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

static bool has_body(uint32_t kind)
{
	return kind == TALK_EXEC || kind == TALK_STATE;
}

int talk_recv_body(int fd, void *room, struct talk_msg *out, const void **body,
		   int fds[TALK_FDS], size_t *n_fds, struct err *e)
{
	const size_t head = offsetof(struct talk_msg, text);
	ssize_t n;

	*n_fds = TALK_FDS;
	n = sock_recv(fd, room, TALK_ROOM, fds, n_fds, e);
	if (n <= 0)
		return (int) n;
	if ((size_t) n >= head)
		memcpy(out, room, head);
	if ((size_t) n < head || (size_t) n - head != out->n_text ||
	    (!has_body(out->kind) && out->n_text > TALK_TEXT)) {
		close_all(fds, *n_fds);
		return err_set(e, EPROTO, "%zd bytes that are no message", n);
	}
	log_debug("hear %s", talk_name(out->kind));
	*body = (const char *) room + head;
	if (!has_body(out->kind))
		memcpy(out->text, *body, out->n_text);
	return 1;
}
