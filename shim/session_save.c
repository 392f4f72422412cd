/* A session on its way to another program: history, screen, recording, clients, what waits for the program, and the descriptors. */
#include "base/fd.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/orders.h"
#include "shim/proto.h"
#include "shim/session.h"
#include "shim/session_io.h"
#include "shim/table.h"
#include "shim/table_exec.h"

/* ---- out ---- */

static void save_streams(const struct session *s, struct pack *p)
{
	pack_fd(p, s->out_fd);
	pack_fd(p, s->in_fd);
	pack_fd(p, s->err_fd);
	pack_fd(p, s->peer_fd);
	pack_bool(p, s->in_ends);
	pack_buf(p, &s->input);
	pack_u64(p, s->input_bytes);
	pack_u64(p, s->hold.due_ns ? s->hold.due_ns : s->hold_ns);
}

static void save_end(const struct session *s, struct pack *p)
{
	pack_u8(p, (uint8_t) s->reason);
	pack_u32(p, (uint32_t) s->exit_code);
	pack_u32(p, (uint32_t) s->exit_signal);
	pack_u64(p, s->cpu_ns);
	pack_u64(p, s->memory_peak);
	pack_u32(p, s->oom_kills);
	pack_bool(p, s->timed_out);
	pack_bool(p, s->exit_read);
	pack_u64(p, s->draining_ms);
	pack_u64(p, s->flushing_ms);
}

void session_save(const struct session *s, struct pack *p)
{
	pack_tag(p, "sess");
	pack_u32(p, s->number);
	pack_u32(p, (uint32_t) s->pid);
	pack_str(p, s->tag);
	pack_bool(p, s->terminal);
	pack_u8(p, (uint8_t) s->state);
	pack_u16(p, s->cols);
	pack_u16(p, s->rows);
	save_streams(s, p);
	save_end(s, p);
	table_due_save(s, p);
	ring_save(&s->ring, p);
	session_screen_save(s, p);
	recording_save(&s->recording, p);
	session_scan_save(s, p);
	pack_u32(p, s->pen);
	pack_u32(p, s->size_of);
	pack_u32(p, s->n_clients);
	for (const struct client *c = s->clients; c; c = c->next)
		client_save(c, p);
}

/* ---- in ---- */

static void restore_streams(struct session *s, struct unpack *u)
{
	s->out_fd = unpack_fd(u);
	s->in_fd = unpack_fd(u);
	s->err_fd = unpack_fd(u);
	s->peer_fd = unpack_fd(u);
	s->in_ends = unpack_bool(u);
	unpack_buf(u, &s->input);
	s->input_bytes = unpack_u64(u);
	s->hold_ns = unpack_u64(u);
}

static void restore_end(struct session *s, struct unpack *u)
{
	s->reason = unpack_u8_to(u, END_TIMEOUT, "a reason");
	s->exit_code = (int) unpack_u32_to(u, 255, "an exit code");
	s->exit_signal = (int) unpack_u32_to(u, 64, "a signal");
	s->cpu_ns = unpack_u64(u);
	s->memory_peak = unpack_u64(u);
	s->oom_kills = unpack_u32(u);
	s->timed_out = unpack_bool(u);
	s->exit_read = unpack_bool(u);
	s->draining_ms = unpack_u64(u);
	s->flushing_ms = unpack_u64(u);
}

/* In the order of the list: the last to come stands first. */
static void restore_clients(struct session *s, struct unpack *u)
{
	const struct dialect_exit exit = { end_reason_name(s->reason), s->exit_code,
					   s->exit_signal };
	uint32_t n = unpack_u32_to(u, s->table->orders->max_clients, "clients");
	struct client **at = &s->clients;

	while (n-- > 0) {
		struct client *c = client_restore(&s->ring, &s->hooks, &exit, u);

		if (!c)
			return;
		c->owner = s;
		*at = c;
		at = &c->next;
		s->n_clients++;
	}
}

static void restore_head(struct session *s, struct unpack *u)
{
	unpack_tag(u, "sess");
	s->number = unpack_u32(u);
	s->pid = (int32_t) unpack_u32(u);
	unpack_str(u, s->tag, sizeof(s->tag));
	s->terminal = unpack_bool(u);
	s->state = unpack_u8_to(u, SESSION_FLUSHING, "a process's state");
	s->cols = unpack_u16(u);
	s->rows = unpack_u16(u);
	if (s->number == 0 || s->cols < 1 || s->cols > PROTO_MAX_SIZE || s->rows < 1 ||
	    s->rows > PROTO_MAX_SIZE)
		(void) unpack_refuse(u, "process %u of %u by %u", s->number, s->cols, s->rows);
}

struct session *session_restore(struct table *t, struct unpack *u)
{
	struct session *s = xalloc(sizeof(*s));

	*s = (struct session){ .table = t,
			       .out_fd = FD_NONE,
			       .in_fd = FD_NONE,
			       .err_fd = FD_NONE,
			       .peer_fd = FD_NONE };
	session_io_hooks(s);
	restore_head(s, u);
	restore_streams(s, u);
	restore_end(s, u);
	table_due_restore(s, u);
	if (ring_restore(&s->ring, t->orders->history_bytes, u) == 0) {
		session_screen_restore(s, u);
		recording_restore(&s->recording, u);
		session_scan_restore(s, u);
		s->pen = unpack_u32(u);
		s->size_of = unpack_u32(u);
		restore_clients(s, u);
	}
	if (!unpack_failed(u))
		return s;
	session_free(s);
	return NULL;
}

int session_go_on(struct session *s, struct err *e)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (c->state != CLIENT_GONE && loop_io_add(s->table->loop, &c->io, c->fd, 0,
							   session_client_ready, c, e) < 0)
			return -1;
	session_io_go_on(s);
	return 0;
}
