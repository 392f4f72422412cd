#include "shim/session_io.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/session_roles.h"
#include "shim/table.h"

enum {
	OUT_PER_TURN =
		32768,	 /* between looks at the clients' input: Ctrl-C waits for no more */
	OUT_READ = 4096, /* a terminal gives at most 4,095 bytes at once */
	OUT_FEW = 1024,	 /* a shorter read has most likely emptied it */
	SEND_PER_TURN = 131072,	 /* to one client */
	HOLD_PENDING = 65536,	 /* the quickest writer may be this far behind the program */
	HOLD_STALL_MS = 5000,	 /* a writer that has not moved for so long holds nothing up */
	INPUT_FULL = 65536,	 /* from here on clients are not read ... */
	INPUT_LIMIT = 2 * 65536, /* ... so one more message at most is added */
	INPUT_AGAIN = 16384,	 /* and read again when the program has taken all but this */
};

static void out_ready(void *arg, uint32_t events);
static void rest_over(void *arg);
static void err_ready(void *arg, uint32_t events);
static void in_ready(void *arg, uint32_t events);
static void refresh(void *arg);

void session_refresh(struct session *s)
{
	loop_defer(s->table->loop, &s->refresh, refresh, s);
}

/* ---- output ---- */

/* How many bytes may be read now without taking output from a writer that keeps up. */
static size_t clients_room(const struct session *s, uint64_t now_ms)
{
	uint64_t limit = s->state == SESSION_RUNNING
				 ? MIN((size_t) HOLD_PENDING, s->ring.size / 2)
				 : s->ring.size - OUT_READ;
	uint64_t best = UINT64_MAX;

	for (const struct client *c = s->clients; c; c = c->next) {
		uint64_t behind = client_behind(c);

		if (c->role != CLIENT_WRITER || c->state != CLIENT_OPEN)
			continue;
		if (behind > 0 && now_ms - c->progress_ms >= HOLD_STALL_MS)
			continue;
		best = MIN(best, behind);
	}
	if (best == UINT64_MAX)
		return OUT_PER_TURN;
	if (ring_turns(&s->ring, s->ring.next - best) >= RING_TURNS_HELD)
		return 0;
	return best < limit ? (size_t) (limit - best) : 0;
}

static size_t out_room(const struct session *s, uint64_t now_ms)
{
	size_t room = clients_room(s, now_ms);

	return s->scan.on ? MIN(room, session_scan_room(s)) : room;
}

/* A client that has everything is not stalled, however long nothing came. */
static void note_caught_up(struct session *s, uint64_t now_ms)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (client_behind(c) == 0)
			c->progress_ms = now_ms;
}

static void close_stream(struct loop_io *io, int *fd)
{
	loop_io_del(io);
	fd_close(fd);
}

void session_out_close(struct session *s)
{
	loop_timer_del(&s->hold);
	pace_stop(&s->pace);
	s->ring.more = false;
	close_stream(&s->out_io, &s->out_fd);
	close_stream(&s->err_io, &s->err_fd);
}

void session_out_drained(struct session *s)
{
	if (s->out_fd >= 0 || s->err_fd >= 0 || session_scan_draining(s))
		return;
	session_out_close(s);
	session_out_ended(s);
}

/* One of a program's outputs. */
struct source {
	int *fd;
	struct loop_io *io;
	enum ring_stream stream;
};

/* One read; false when there is nothing more for now. */
static bool read_some(struct session *s, const struct source *from, size_t *budget,
		      uint64_t now_ms)
{
	uint8_t scanned[OUT_READ], *p = scanned;
	size_t want = MIN((size_t) OUT_READ, *budget);
	ssize_t n;

	if (!s->scan.on) {
		session_screen_keep(s, want);
		want = ring_reserve(&s->ring, want, &p);
	}
	n = read(*from->fd, p, want);

	if (n > 0) {
		if (s->scan.on)
			session_scan_output(s, from->stream, p, (size_t) n);
		else {
			ring_turn(&s->ring, from->stream);
			ring_commit(&s->ring, (size_t) n);
			recording_output(&s->recording, p, (size_t) n, now_ms);
		}
		*budget -= (size_t) n;
		return (size_t) n == want || n >= OUT_FEW;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* EIO is how a terminal says that its last writer is gone. */
	if (n < 0 && errno != EIO)
		log_error("read output: %s", strerror(errno));
	close_stream(from->io, from->fd);
	if (s->scan.on)
		session_scan_output_end(s, from->stream);
	session_out_drained(s);
	return false;
}

static void read_output(struct session *s, const struct source *from)
{
	uint64_t now = clock_mono_ms();
	size_t may = MIN(out_room(s, now), (size_t) OUT_PER_TURN), budget = may;

	note_caught_up(s, now);
	while (*from->fd >= 0 && budget > 0 && read_some(s, from, &budget, now))
		;
	if (budget != may)
		timers_activity(&s->table->timers, now);
	/* Pipes are read at once: the order of two of them is what a reader sees. */
	if (s->terminal && s->out_fd >= 0)
		pace_read(&s->pace, s->table->loop, budget > 0, may - budget, now, rest_over,
			  s);
	s->ring.more = s->terminal && s->out_fd >= 0 && (budget == 0 || pace_rests(&s->pace));
	session_refresh(s);
}

static void out_ready(void *arg, uint32_t events)
{
	struct session *s = arg;
	const struct source from = { &s->out_fd, &s->out_io, RING_OUTPUT };

	read_output(s, &from);
}

static void err_ready(void *arg, uint32_t events)
{
	struct session *s = arg;
	const struct source from = { &s->err_fd, &s->err_io, RING_ERRORS };

	read_output(s, &from);
}

/* A stream that goes on is read without asking whether there is something. */
static void rest_over(void *arg)
{
	struct session *s = arg;

	if (s->out_fd >= 0 && out_room(s, clock_mono_ms()) >= OUT_READ)
		out_ready(s, EPOLLIN);
	else
		session_refresh(s);
}

static void hold_fired(void *arg)
{
	session_refresh(arg);
}

static void watch(struct session *s, struct loop_io *io, int fd, bool want, loop_io_fn fn)
{
	struct err e = ERR_NONE;

	if (fd < 0 || want == (io->loop != NULL))
		return;
	if (!want)
		loop_io_del(io);
	else if (loop_io_add(s->table->loop, io, fd, EPOLLIN, fn, s, &e) < 0)
		log_error("watch output: %s", e.msg);
}

/* Watches the output exactly while it may be read: a hang-up is reported whatever is asked for. */
static void watch_out(struct session *s, uint64_t now_ms)
{
	bool open = s->out_fd >= 0 || s->err_fd >= 0;
	bool room = open && out_room(s, now_ms) >= OUT_READ;
	bool want = room && !pace_rests(&s->pace);

	if (open && !room && s->hold.due_ns == 0)
		loop_timer_set(s->table->loop, &s->hold, HOLD_STALL_MS, hold_fired, s);
	if (room && s->hold.due_ns != 0)
		loop_timer_del(&s->hold);
	watch(s, &s->out_io, s->out_fd, want, out_ready);
	watch(s, &s->err_io, s->err_fd, want, err_ready);
}

void session_out_start(struct session *s)
{
	watch_out(s, clock_mono_ms());
}

/* ---- input ---- */

void session_in_close(struct session *s)
{
	loop_io_del(&s->in_io);
	fd_close(&s->in_fd);
	buf_fini(&s->input);
}

static bool input_full(void *arg)
{
	struct session *s = arg;

	return buf_len(&s->input) + s->scan.flight[SCAN_IN] >= INPUT_FULL;
}

/* Gives the program what it takes; the rest waits for POLLOUT. */
static void push_input(struct session *s)
{
	struct err e = ERR_NONE;
	ssize_t n = 1;

	while (s->in_fd >= 0 && buf_len(&s->input) > 0 && n > 0) {
		n = write(s->in_fd, buf_bytes(&s->input), buf_len(&s->input));
		if (n > 0)
			buf_consume(&s->input, (size_t) n);
		else if (errno != EAGAIN && errno != EINTR)
			session_in_close(s); /* nobody reads it any more */
	}
	if (s->in_fd >= 0 && buf_len(&s->input) == 0 && s->in_ends)
		session_in_close(s);
	if (s->in_fd < 0)
		return;
	if (buf_len(&s->input) == 0) {
		loop_io_del(&s->in_io);
		if (s->input.cap > OUT_READ)
			buf_fini(&s->input);
	} else if (!s->in_io.loop && loop_io_add(s->table->loop, &s->in_io, s->in_fd, EPOLLOUT,
						 in_ready, s, &e) < 0)
		log_error("watch input: %s", e.msg);
}

static void in_ready(void *arg, uint32_t events)
{
	struct session *s = arg;

	push_input(s);
	if (buf_len(&s->input) <= INPUT_AGAIN)
		session_refresh(s);
}

int session_input(struct session *s, const void *p, size_t n, struct err *e)
{
	uint64_t now = clock_mono_ms();
	const size_t waiting = buf_len(&s->input) + s->scan.flight[SCAN_IN];

	if (s->in_fd < 0 || s->in_ends || s->scan.ending[SCAN_IN])
		return err_set(e, EPIPE, "the program takes no more input");
	if (waiting + n > INPUT_LIMIT)
		return err_set(e, ENOBUFS,
			       "the program has not read %zu bytes yet; try again later",
			       waiting);
	if (!s->scan.on && buf_append(&s->input, p, n, e) < 0)
		return -1;
	s->input_bytes += n;
	timers_activity(&s->table->timers, now);
	if (pace_typed(&s->pace, now)) {
		s->ring.more = false;
		session_refresh(s);
	}
	if (s->scan.on)
		session_scan_input(s, p, n);
	else
		push_input(s);
	return 0;
}

void session_input_put(struct session *s, const void *p, size_t n)
{
	struct err e = ERR_NONE;

	if (s->in_fd < 0)
		return;
	if (buf_append(&s->input, p, n, &e) < 0)
		log_error("process %u: input: %s", s->number, e.msg);
	push_input(s);
}

void session_io_go_on(struct session *s)
{
	push_input(s);
	if (s->hold_ns)
		loop_timer_set_ns(s->table->loop, &s->hold, s->hold_ns, hold_fired, s);
	s->hold_ns = 0;
	session_out_start(s);
	session_refresh(s);
}

static void client_input(void *arg, struct client *c, const uint8_t *p, size_t n)
{
	struct session *s = arg;
	struct err e = ERR_NONE;

	session_typed(s, c);
	if (session_input(s, p, n, &e) < 0)
		log_debug("client %u: input: %s", c->number, e.msg);
}

void session_input_end(struct session *s)
{
	/* A terminal has no end of input but the one that its user types. */
	if (s->terminal)
		return;
	if (s->scan.on)
		session_scan_input_end(s);
	else
		session_input_close(s);
}

void session_input_close(struct session *s)
{
	s->in_ends = true;
	push_input(s);
}

static void client_input_end(void *arg, struct client *c)
{
	session_input_end(arg);
}

static void client_resize(void *arg, struct client *c)
{
	session_size_wanted(arg, c);
}

static void client_take(void *arg, struct client *c, bool take)
{
	session_take_pen(arg, c, take);
}

void session_io_hooks(struct session *s)
{
	s->input = BUF_LIMIT(INPUT_LIMIT);
	s->hooks = (struct client_hooks){ .arg = s,
					  .input_full = input_full,
					  .input = client_input,
					  .input_end = client_input_end,
					  .resize = client_resize,
					  .screen = session_screen_take,
					  .take = client_take };
}

/* ---- clients ---- */

void session_client_ready(void *arg, uint32_t events)
{
	struct client *c = arg;
	struct session *s = c->owner;

	if (events & EPOLLIN)
		client_read(c, clock_mono_ms());
	else if (events & (EPOLLERR | EPOLLHUP))
		client_drop(c);
	session_refresh(s);
}

static void free_client(void *arg)
{
	client_free(arg);
}

/* Sends, and tells the loop what the client waits for. */
static void serve(struct session *s, struct client *c, uint64_t now_ms)
{
	struct err e = ERR_NONE;

	if (client_has_pending(c) || (c->input_paused && !input_full(s)))
		client_read(c, now_ms);
	client_write(c, SEND_PER_TURN, now_ms);
	if (c->state != CLIENT_GONE && loop_io_set(&c->io, client_wants(c), &e) < 0) {
		log_error("client %u: %s", c->number, e.msg);
		client_drop(c);
	}
}

static void refresh(void *arg)
{
	struct session *s = arg;
	uint64_t now = clock_mono_ms();
	struct client **at = &s->clients;

	while (*at) {
		struct client *c = *at;

		serve(s, c, now);
		if (c->state != CLIENT_GONE) {
			at = &c->next;
			continue;
		}
		log_info("client %u: detached", c->number);
		if (c->exit_code && c->peer_closed)
			table_exit_read(s->table, s);
		*at = c->next;
		s->n_clients--;
		session_role_went(s, c);
		table_client_went(s->table);
		loop_io_del(&c->io);
		loop_defer(s->table->loop, &c->defer, free_client, c);
	}
	watch_out(s, now);
	table_look(s->table);
}
