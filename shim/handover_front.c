/* The front's part: its state goes to the janitor in messages of one body each, eight descriptors at a time. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/handover.h"
#include "shim/table.h"
#include "shim/talk.h"

struct sender {
	const struct table *table;
	struct pack pack;
	size_t fds_sent;
	uint64_t bytes;
};

static int send_state(void *arg, const void *p, size_t n, struct err *e)
{
	const struct talk_msg m = { .kind = TALK_STATE };
	struct sender *s = arg;
	const int *fds = (const int *) (const void *) buf_bytes(&s->pack.fds);
	size_t n_fds =
		MIN(buf_len(&s->pack.fds) / sizeof(int) - s->fds_sent, (size_t) TALK_FDS);

	if (talk_send_body(s->table->talk_fd, &m, p, n, fds + s->fds_sent, n_fds, e) < 0)
		return -1;
	s->fds_sent += n_fds;
	s->bytes += n;
	return 0;
}

/* More descriptors than messages with bytes. */
static int send_rest(struct sender *s, struct err *e)
{
	while (s->fds_sent < buf_len(&s->pack.fds) / sizeof(int))
		if (send_state(s, "", 0, e) < 0)
			return -1;
	return 0;
}

static int send_all(struct table *t, struct err *e)
{
	struct sender s = { .table = t, .pack = PACK(TALK_BODY) };
	struct talk_msg done = { .kind = TALK_HANDED };
	int r;

	s.pack.flush = send_state;
	s.pack.arg = &s;
	table_save(t, &s.pack);
	r = pack_end(&s.pack, e);
	if (r == 0)
		r = send_rest(&s, e);
	done.process = (uint32_t) s.fds_sent;
	done.output_bytes = s.bytes;
	pack_fini(&s.pack);
	return r < 0 ? -1 : talk_send(t->talk_fd, &done, NULL, 0, e);
}

static int say_kept(const struct table *t, const struct err *why, struct err *e)
{
	struct talk_msg m = { .kind = TALK_KEPT, .code = why->code };
	int n = snprintf(m.text, sizeof(m.text), "%s", why->msg);

	m.n_text = (uint32_t) MIN((size_t) n, sizeof(m.text) - 1);
	return talk_send(t->talk_fd, &m, NULL, 0, e);
}

/* UPGRADED, and it goes on; or the end of the stream after LEAVING. */
static bool await_verdict(struct table *t, struct err *e)
{
	bool leaving = false;
	struct talk_msg m;
	int fds[TALK_FDS];
	size_t n_fds;

	for (;;) {
		int r = talk_recv(t->talk_fd, &m, fds, &n_fds, e);

		if (r <= 0)
			return leaving; /* if not: the janitor is dead, which the loop will find */
		for (size_t i = 0; i < n_fds; i++)
			fd_close(&fds[i]);
		if (m.kind == TALK_LEAVING)
			leaving = true;
		else if (m.kind == TALK_UPGRADED)
			break;
		else
			log_error("the janitor said %s, which has no meaning here",
				  talk_name(m.kind));
	}
	table_upgraded(t, &m);
	return false;
}

static int hand_over(struct table *t, struct err *e)
{
	struct err why = ERR_NONE;
	const char *code;

	if (table_may_hand_over(t, &code, &why) == 0 && send_all(t, &why) == 0)
		return 0;
	return say_kept(t, &why, e);
}

bool handover_front(struct table *t)
{
	struct err e = ERR_NONE;
	bool gone = false;

	/* The janitor is doing nothing else than this. */
	if (fd_set_nonblock(t->talk_fd, false, &e) == 0 && hand_over(t, &e) == 0)
		gone = await_verdict(t, &e);
	if (gone)
		return true;
	if (e.code)
		log_warn("hand-over: %s", e.msg);
	if (fd_set_nonblock(t->talk_fd, true, &e) < 0)
		log_error("%s", e.msg);
	return false;
}
