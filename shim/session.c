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
#include "shim/talk.h"

enum {
	PING_MS = 15000,   /* proxies end connections that are silent for a minute */
	LOST_MS = 60000,   /* no byte from or to a WebSocket client: its connection is dead */
	CLOSING_MS = 5000, /* for what a closing client has not read */
	LINGER_MS = 2000,  /* for the peer's end of a closed connection */
	FLUSH_MS = 30000,  /* for all clients together, after the program's end */
	DRAIN_MS = 3000,   /* for the output after it; the kernel holds at most 64 KiB */
	FIRST_CLIENT_MS =
		2000, /* output of a program that was quicker than its first client waits */
	SOON_MS = 250,
};

static void set_state(struct session *s, enum session_state state)
{
	static const char *const names[] = { "running", "draining", "flushing" };

	log_debug("session: %s -> %s", names[s->state], names[state]);
	s->state = state;
}

/* ---- the end ---- */

static uint16_t close_code(enum end_reason reason)
{
	static const uint16_t codes[] = {
		[END_EXITED] = CLOSE_NORMAL,	 [END_SIGNALLED] = CLOSE_NORMAL,
		[END_OOM] = CLOSE_OOM,		 [END_IDLE] = CLOSE_IDLE,
		[END_LIFETIME] = CLOSE_LIFETIME, [END_DELETED] = CLOSE_DELETED,
		[END_ERROR] = CLOSE_INTERNAL,
	};

	return codes[reason];
}

static void tell_exit(const struct session *s, struct client *c)
{
	auto_buf struct buf text = BUF_LIMIT(512);
	struct err e = ERR_NONE;

	if (proto_exit(&text, end_reason_name(s->reason), s->exit_code, s->exit_signal, &e) < 0)
		log_error("EXIT: %s", e.msg);
	client_exit(c, buf_bytes(&text), buf_len(&text), close_code(s->reason));
}

void session_out_ended(struct session *s)
{
	struct talk_msg m = { .kind = TALK_DRAINED,
			      .output_bytes = s->ring.next,
			      .input_bytes = s->input_bytes };
	struct err e = ERR_NONE;

	if (s->state != SESSION_DRAINING)
		return;
	set_state(s, SESSION_FLUSHING);
	s->flushing_ms = clock_mono_ms();
	if (!s->janitor_gone && talk_send(s->talk_fd, &m, NULL, 0, &e) < 0)
		log_error("%s", e.msg);
	for (struct client *c = s->clients; c; c = c->next) {
		c->progress_ms = s->flushing_ms;
		tell_exit(s, c);
	}
	session_refresh(s);
}

/* The program is dead: from here on only its last output moves. */
static void program_ended(struct session *s, enum end_reason reason, int code, int signal)
{
	if (s->state != SESSION_RUNNING)
		return;
	s->reason = reason;
	s->exit_code = code;
	s->exit_signal = signal;
	s->draining_ms = clock_mono_ms();
	set_state(s, SESSION_DRAINING);
	timers_stop(&s->timers);
	session_in_close(s);
	fd_close(&s->peer_fd); /* now the last writer's end shows as EIO, behind all output */
	if (s->out_fd < 0)
		session_out_ended(s);
	session_refresh(s);
}

void session_check_done(struct session *s)
{
	bool by_itself =
		s->reason == END_EXITED || s->reason == END_SIGNALLED || s->reason == END_OOM;

	if (s->state != SESSION_FLUSHING || s->clients || (!s->gone && !s->janitor_gone))
		return;
	if (by_itself && !s->ever_attached && !s->janitor_gone &&
	    clock_mono_ms() - s->flushing_ms < FIRST_CLIENT_MS)
		return;
	loop_stop(s->loop);
}

void session_end(struct session *s, enum end_reason reason)
{
	struct talk_msg m = { .kind = TALK_END, .reason = reason };
	struct err e = ERR_NONE;

	if (s->ending || s->state != SESSION_RUNNING) {
		if (reason == END_DELETED)
			s->ever_attached = true; /* nobody will come to fetch the output */
		session_refresh(s);
		return;
	}
	log_info("end: %s", end_reason_name(reason));
	s->ending = true;
	if (talk_send(s->talk_fd, &m, NULL, 0, &e) < 0)
		log_error("%s", e.msg);
}

static void talk_ready(void *arg, uint32_t events)
{
	struct session *s = arg;
	int fds[TALK_FDS];
	struct err e = ERR_NONE;
	struct talk_msg m;
	size_t n_fds;
	int r = talk_recv(s->talk_fd, &m, fds, &n_fds, &e);

	if (r < 0 && e.code == EAGAIN)
		return;
	if (r <= 0) {
		log_error("the janitor is dead%s%s", r < 0 ? ": " : "", r < 0 ? e.msg : "");
		s->janitor_gone = true;
		loop_io_del(&s->talk_io);
		program_ended(s, END_ERROR, 0, 0);
		session_refresh(s);
		return;
	}
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	if (m.kind == TALK_EXITED) {
		program_ended(s, MIN(m.reason, (uint32_t) END_ERROR), m.code, m.signal);
	} else if (m.kind == TALK_ENDED) {
		memcpy(s->exit_json, m.text, MIN((size_t) m.n_text, sizeof(s->exit_json) - 1));
		s->gone = true;
		control_ended(&s->control);
		session_refresh(s);
	} else
		log_error("the janitor said %s, which has no meaning here", talk_name(m.kind));
}

/* ---- time ---- */

static void check_client(struct session *s, struct client *c, bool ping, uint64_t now)
{
	uint64_t in_state = now - c->state_ms;

	switch (c->state) {
	case CLIENT_OPEN:
		if (s->state == SESSION_FLUSHING &&
		    (now - c->progress_ms >= CLOSING_MS || now - s->flushing_ms >= FLUSH_MS))
			client_drop(c);
		else if (c->framing == CLIENT_WS && !c->input_paused &&
			 now - c->life_ms >= LOST_MS)
			client_drop(c);
		else if (ping)
			client_ping(c);
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

static void tick(void *arg)
{
	struct session *s = arg;
	uint64_t now = clock_mono_ms();
	bool ping = now - s->pinged_ms >= PING_MS;

	if (ping)
		s->pinged_ms = now;
	for (struct client *c = s->clients; c; c = c->next)
		check_client(s, c, ping, now);
	if (s->state == SESSION_DRAINING && now - s->draining_ms >= DRAIN_MS) {
		log_warn("output did not end; what is left of it is lost");
		session_out_close(s);
		session_out_ended(s);
	}
	session_refresh(s);
}

/* The next look is soon while something is ending, at the next ping while there are clients, and never in
 * a terminal that nobody watches: it does not wake the processor. */
void session_arm_tick(struct session *s)
{
	uint64_t delay = PING_MS, due;

	if (s->state == SESSION_RUNNING && !s->clients) {
		loop_timer_del(&s->tick);
		return;
	}
	for (struct client *c = s->clients; c; c = c->next)
		if (c->state != CLIENT_OPEN)
			delay = SOON_MS;
	if (s->state != SESSION_RUNNING)
		delay = SOON_MS;
	due = clock_mono_ns() + delay * 1000000;
	if (s->tick.due_ns == 0 || due < s->tick.due_ns)
		loop_timer_set_ns(s->loop, &s->tick, due, tick, s);
}

void session_notice(struct session *s, const char *kind, uint64_t seconds_left)
{
	for (struct client *c = s->clients; c; c = c->next)
		client_notice(c, kind, seconds_left);
	session_refresh(s);
}

/* ---- requests ---- */

int session_resize(struct session *s, unsigned cols, unsigned rows, struct err *e)
{
	struct winsize size = { .ws_col = (unsigned short) cols,
				.ws_row = (unsigned short) rows };

	if (!s->orders->terminal)
		return err_set(e, ENOTTY, "this program has no terminal");
	if (s->state != SESSION_RUNNING || s->out_fd < 0)
		return err_set(e, ESRCH, "the program has ended");
	if (s->cols == cols && s->rows == rows)
		return 0;
	/* The kernel sends SIGWINCH to the terminal's foreground. */
	if (ioctl(s->out_fd, TIOCSWINSZ, &size) < 0)
		return err_sys(e, "resize to %u columns and %u rows", cols, rows);
	s->cols = (uint16_t) cols;
	s->rows = (uint16_t) rows;
	for (struct client *c = s->clients; c; c = c->next)
		client_size(c, s->cols, s->rows);
	session_refresh(s);
	return 0;
}

int session_signal(struct session *s, int sig, struct err *e)
{
	struct talk_msg m = { .kind = TALK_SIGNAL, .signal = sig };

	return talk_send(s->talk_fd, &m, NULL, 0, e);
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
				    .role = a->role,
				    .number = s->next_number + 1,
				    .since = a->since,
				    .has_since = a->has_since,
				    .window = s->orders->ack_window,
				    .cols = s->cols,
				    .rows = s->rows,
				    .sandbox_id = s->orders->id,
				    .ring = &s->ring,
				    .hooks = &s->hooks,
				    .now_ms = clock_mono_ms() };
	struct client *c;

	if (client_new(&spec, &c, e) < 0)
		return -1;
	a->fd = FD_NONE;
	if (client_preload(c, a->early, a->n_early, e) < 0 ||
	    loop_io_add(s->loop, &c->io, c->fd, 0, session_client_ready, c, e) < 0) {
		client_free(c);
		return -1;
	}
	c->owner = s;
	c->next = s->clients;
	s->clients = c;
	s->n_clients++;
	s->next_number++;
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
	if (s->n_clients >= s->orders->max_clients) {
		*code = "limit";
		return err_set(e, EMFILE, "%u clients are attached already", s->n_clients);
	}
	if (a->role == CLIENT_WRITER && a->cols && s->orders->terminal &&
	    session_resize(s, a->cols, a->rows, &ignored) < 0)
		log_debug("attach: %s", ignored.msg);
	if (add_client(s, a, &c, e) < 0)
		return -1;
	if (a->takeover && a->role == CLIENT_WRITER)
		take_over(s, c);
	if (s->state == SESSION_FLUSHING)
		tell_exit(s, c);
	s->ever_attached = true;
	*number = c->number;
	session_refresh(s);
	return 0;
}

/* ---- life ---- */

int session_init(struct session *s, const struct session_spec *spec, struct err *e)
{
	const struct orders *o = spec->orders;

	*s = (struct session){ .loop = spec->loop,
			       .orders = o,
			       .talk_fd = spec->talk_fd,
			       .out_fd = spec->fds[0],
			       .in_fd = o->terminal ? FD_NONE : spec->fds[1],
			       .peer_fd = o->terminal ? spec->fds[1] : FD_NONE,
			       .cols = (uint16_t) o->cols,
			       .rows = (uint16_t) o->rows,
			       .pid = spec->pid,
			       .pinged_ms = clock_mono_ms() };
	session_io_hooks(s);
	if (o->terminal) {
		s->in_fd = fd_dup(
			s->out_fd,
			e); /* watched apart: reading and writing wait for different things */
		if (s->in_fd < 0)
			return -1;
	}
	if (fd_set_nonblock(s->out_fd, true, e) < 0 || fd_set_nonblock(s->in_fd, true, e) < 0 ||
	    fd_set_nonblock(s->talk_fd, true, e) < 0 ||
	    ring_init(&s->ring, o->history_bytes, e) < 0 ||
	    loop_io_add(s->loop, &s->talk_io, s->talk_fd, EPOLLIN, talk_ready, s, e) < 0 ||
	    control_init(&s->control, s, spec->listen_fd, e) < 0)
		return -1;
	timers_start(&s->timers, s);
	session_out_start(s);
	return 0;
}

void session_fini(struct session *s)
{
	while (s->clients) {
		struct client *c = s->clients;

		s->clients = c->next;
		client_free(c);
	}
	control_fini(&s->control);
	timers_stop(&s->timers);
	loop_timer_del(&s->tick);
	session_out_close(s);
	session_in_close(s);
	fd_close(&s->peer_fd);
	loop_io_del(&s->talk_io);
	ring_fini(&s->ring);
}
