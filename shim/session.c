#include "shim/session.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/orders.h"
#include "shim/session_io.h"
#include "shim/session_roles.h"
#include "shim/table.h"

enum {
	LOST_MS = 60000,   /* no byte from or to a WebSocket client: its connection is dead */
	CLOSING_MS = 5000, /* for what a closing client has not read */
	LINGER_MS = 2000,  /* for the peer's end of a closed connection */
	FLUSH_MS = 30000,  /* for a client, after the program's end */
	DRAIN_MS = 3000,   /* for the output after it; the kernel holds at most 64 KiB */
};

static void set_state(struct session *s, enum session_state state)
{
	static const char *const names[] = { "running", "draining", "flushing" };

	log_debug("process %u: %s -> %s", s->number, names[s->state], names[state]);
	s->state = state;
}

/* ---- the end ---- */

static uint16_t close_code(enum end_reason reason)
{
	static const uint16_t codes[] = {
		[END_EXITED] = CLOSE_NORMAL,	 [END_SIGNALLED] = CLOSE_NORMAL,
		[END_OOM] = CLOSE_OOM,		 [END_IDLE] = CLOSE_IDLE,
		[END_LIFETIME] = CLOSE_LIFETIME, [END_DELETED] = CLOSE_DELETED,
		[END_ERROR] = CLOSE_INTERNAL,	 [END_DETACHED] = CLOSE_DETACHED,
		[END_TIMEOUT] = CLOSE_NORMAL,	 [END_POLICY] = CLOSE_POLICY,
	};

	return codes[reason];
}

static void tell_exit(const struct session *s, struct client *c)
{
	const struct dialect_exit x = { end_reason_name(s->reason), s->exit_code,
					s->exit_signal };

	client_exit(c, &x, close_code(s->reason));
}

void session_out_ended(struct session *s)
{
	if (s->state != SESSION_DRAINING)
		return;
	set_state(s, SESSION_FLUSHING);
	s->flushing_ms = clock_mono_ms();
	recording_exit(&s->recording, s->exit_signal ? 128 + s->exit_signal : s->exit_code,
		       s->flushing_ms);
	table_drained(s->table, s);
	for (struct client *c = s->clients; c; c = c->next) {
		c->progress_ms = s->flushing_ms;
		tell_exit(s, c);
	}
	session_refresh(s);
}

void session_ended(struct session *s, enum end_reason reason, int code, int signal)
{
	if (s->state != SESSION_RUNNING)
		return;
	s->reason = reason;
	s->exit_code = code;
	s->exit_signal = signal;
	s->draining_ms = clock_mono_ms();
	set_state(s, SESSION_DRAINING);
	session_in_close(s);
	fd_close(&s->peer_fd); /* now the last writer's end shows as EIO, behind all output */
	session_out_drained(s);
	session_refresh(s);
}

/* ---- time ---- */

static void check_client(struct session *s, struct client *c, bool ping, uint64_t now)
{
	uint64_t in_state = now - c->state_ms;

	switch (c->state) {
	case CLIENT_OPEN:
		if (s->state == SESSION_FLUSHING &&
		    (now - c->progress_ms >= CLOSING_MS ||
		     now - MAX(s->flushing_ms, c->state_ms) >= FLUSH_MS))
			client_drop(c);
		else if (c->framing == CLIENT_WS && !c->input_paused &&
			 now - c->life_ms >= LOST_MS)
			client_drop(c);
		else if (ping)
			client_ping(c, now);
		break;
	case CLIENT_CLOSING:
		if (in_state >= CLOSING_MS)
			client_drop(c);
		break;
	case CLIENT_LINGER:
		if (in_state >= LINGER_MS)
			client_drop(c);
		break;
	case CLIENT_GONE:
		break;
	}
}

void session_tick(struct session *s, bool ping, uint64_t now_ms)
{
	for (struct client *c = s->clients; c; c = c->next)
		check_client(s, c, ping, now_ms);
	if (s->state == SESSION_DRAINING && now_ms - s->draining_ms >= DRAIN_MS) {
		log_warn("process %u: output did not end; what is left of it is lost",
			 s->number);
		session_out_close(s);
		session_out_ended(s);
	}
	session_refresh(s);
}

bool session_wants_tick(const struct session *s, bool *soon)
{
	for (const struct client *c = s->clients; c; c = c->next)
		*soon |= c->state != CLIENT_OPEN || s->state == SESSION_FLUSHING;
	*soon |= s->state == SESSION_DRAINING;
	return s->clients || s->state == SESSION_DRAINING;
}

void session_notice(struct session *s, const char *kind, uint64_t seconds_left)
{
	for (struct client *c = s->clients; c; c = c->next)
		client_notice(c, kind, seconds_left, NULL);
	session_refresh(s);
}

void session_notice_rule(struct session *s, const char *kind, const char *rule)
{
	for (struct client *c = s->clients; c; c = c->next)
		client_notice(c, kind, 0, rule);
	session_refresh(s);
}

/* ---- requests ---- */

int session_resize(struct session *s, unsigned cols, unsigned rows, struct err *e)
{
	struct winsize size = { .ws_col = (unsigned short) cols,
				.ws_row = (unsigned short) rows };

	if (!s->terminal)
		return err_set(e, ENOTTY, "this program has no terminal");
	if (s->state != SESSION_RUNNING || s->out_fd < 0)
		return err_set(e, ESRCH, "the program has ended");
	if (s->cols == cols && s->rows == rows)
		return 0;
	/* The kernel sends SIGWINCH to the terminal's foreground. */
	if (ioctl(s->out_fd, TIOCSWINSZ, &size) < 0)
		return err_sys(e, "resize to %u columns and %u rows", cols, rows);
	session_screen_resized(s, (uint16_t) cols, (uint16_t) rows);
	s->cols = (uint16_t) cols;
	s->rows = (uint16_t) rows;
	recording_size(&s->recording, s->cols, s->rows, clock_mono_ms());
	session_scan_resized(s);
	for (struct client *c = s->clients; c; c = c->next)
		client_size(c, s->cols, s->rows);
	session_refresh(s);
	return 0;
}

/* Only connected stream sockets: the rest of the shim relies on it. */
static int check_socket(int fd, struct err *e)
{
	int type = 0;
	socklen_t n = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0)
		return err_sys(e, "the client's descriptor");
	if (type != SOCK_STREAM)
		return err_set(e, EINVAL, "the client's descriptor is no stream socket");
	return 0;
}

static void take_over(struct session *s, const struct client *by)
{
	uint64_t now = clock_mono_ms();

	for (struct client *c = s->clients; c; c = c->next)
		if (c != by && c->role == CLIENT_WRITER)
			client_close(c, CLOSE_TAKEN_OVER, "another writer took over", now);
}

static int add_client(struct session *s, struct attach *a, struct client **out, struct err *e)
{
	struct client_spec spec = { .fd = a->fd,
				    .framing = a->framing,
				    .dialect = a->dialect,
				    .role = session_role_for(s, a),
				    .terminal = s->terminal,
				    .read_only = a->read_only,
				    .process = s->number,
				    .number = s->table->next_client + 1,
				    .since = a->since,
				    .has_since = a->has_since,
				    .window = s->table->orders->ack_window,
				    .cols = s->cols,
				    .rows = s->rows,
				    .sandbox_id = s->table->orders->id,
				    .policy = orders_policy_name(s->table->orders),
				    .ring = &s->ring,
				    .hooks = &s->hooks,
				    .now_ms = clock_mono_ms() };
	struct client *c;

	if (client_new(&spec, &c, e) < 0)
		return -1;
	a->fd = FD_NONE;
	if (client_preload(c, a->early, a->n_early, e) < 0 ||
	    loop_io_add(s->table->loop, &c->io, c->fd, 0, session_client_ready, c, e) < 0) {
		client_free(c);
		return -1;
	}
	c->owner = s;
	c->next = s->clients;
	s->clients = c;
	s->n_clients++;
	s->table->next_client++;
	session_role_came(s, c, a);
	table_client_came(s->table);
	*out = c;
	return 0;
}

int session_attach(struct session *s, struct attach *a, uint32_t *number, const char **code,
		   struct err *e)
{
	struct err ignored = ERR_NONE;
	struct client *c;

	if (check_socket(a->fd, e) < 0)
		return -1;
	if (s->table->n_clients >= s->table->orders->max_clients) {
		*code = "limit";
		return err_set(e, EMFILE, "%u clients are attached already",
			       s->table->n_clients);
	}
	if (session_role_for(s, a) == CLIENT_WRITER && a->cols && s->terminal &&
	    session_resize(s, a->cols, a->rows, &ignored) < 0)
		log_debug("attach: %s", ignored.msg);
	if (add_client(s, a, &c, e) < 0)
		return -1;
	if (a->takeover && a->role == CLIENT_WRITER)
		take_over(s, c);
	if (s->state == SESSION_FLUSHING)
		tell_exit(s, c);
	*number = c->number;
	session_refresh(s);
	return 0;
}

/* ---- life ---- */

static int open_io(struct session *s, struct err *e)
{
	if (s->terminal) {
		/* Watched apart: reading and writing wait for different things. */
		s->in_fd = fd_dup(s->out_fd, e);
		if (s->in_fd < 0)
			return -1;
	}
	if (s->err_fd >= 0 && fd_set_nonblock(s->err_fd, true, e) < 0)
		return -1;
	if (fd_set_nonblock(s->out_fd, true, e) < 0 || fd_set_nonblock(s->in_fd, true, e) < 0)
		return -1;
	return ring_init(&s->ring, s->table->orders->history_bytes, e);
}

int session_new(const struct session_spec *spec, struct session **out, struct err *e)
{
	struct session *s = xalloc(sizeof(*s));

	*s = (struct session){ .table = spec->table,
			       .number = spec->number,
			       .pid = spec->pid,
			       .terminal = spec->terminal,
			       .out_fd = spec->fds[0],
			       .in_fd = spec->terminal ? FD_NONE : spec->fds[1],
			       .peer_fd = spec->terminal ? spec->fds[1] : FD_NONE,
			       .err_fd = spec->err_fd,
			       .cols = spec->cols,
			       .rows = spec->rows };
	session_io_hooks(s);
	if (open_io(s, e) < 0) {
		session_free(s);
		return -1;
	}
	session_scan_open(s);
	session_out_start(s);
	*out = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	while (s->clients) {
		struct client *c = s->clients;

		s->clients = c->next;
		client_free(c);
	}
	session_out_close(s);
	session_in_close(s);
	session_scan_close(s);
	fd_close(&s->peer_fd);
	loop_timer_del(&s->due);
	recording_fini(&s->recording);
	session_screen_fini(&s->screen);
	ring_fini(&s->ring);
	free(s);
}
