#include "sessiond/cli/terminal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/loop.h"
#include "sessiond/cli/cli.h"
#include "sessiond/cli/tty.h"

enum message {
	OUTPUT = 0x01,
	HELLO = 0x02,
	EXIT = 0x06,
	NOTICE = 0x07,
	GAP = 0x09,
	ERRORS = 0x0a,
	SCREEN = 0x0c,
	INPUT = 0x10,
	RESIZE = 0x11,
	ACK = 0x12,
	INPUT_END = 0x14,
};

enum {
	READ_BYTES = 4096,
	QUEUE_MAX = 65536,     /* of input, on its way; then standard input is left alone */
	OUT_MAX = 8 << 20,     /* the server has at most a window under way */
	WINDOW_DEFAULT = 65536 /* until HELLO */
};

struct terminal {
	struct loop *loop;
	struct link *link;
	struct tty tty;
	struct detach_keys keys;
	bool raw, viewer, in_ended, closed, told;

	int out_fd; /* a description of our own, non-blocking; or standard output itself */
	bool out_blocking; /* a file, or something that cannot be opened again */
	struct loop_io out_io, in_io;
	struct loop_timer in_timer; /* for what epoll does not take: files, /dev/null */
	struct loop_defer end;
	struct buf out;

	uint64_t next, acked; /* offset behind what came, and what was acknowledged */
	uint32_t window;
	struct terminal_end ended;
	terminal_fn fn;
	void *arg;
};

static void on_input(void *arg, uint32_t events);
static void on_input_timer(void *arg);

/* ---- the end ---- */

static void tell(void *arg)
{
	struct terminal *t = arg;

	tty_restore(&t->tty);
	/* At once: the sandbox does not wait for a client that reads no more. */
	link_free(take_ptr(&t->link));
	t->fn(t->arg);
}

static void finish(struct terminal *t)
{
	if (t->told)
		return;
	t->told = true;
	loop_io_del(&t->in_io);
	loop_io_del(&t->out_io);
	loop_timer_del(&t->in_timer);
	loop_defer(t->loop, &t->end, tell, t);
}

static void fail(struct terminal *t, const struct err *e)
{
	(void) snprintf(t->ended.error, sizeof(t->ended.error), "%.255s", e->msg);
	finish(t);
}

/* ---- output ---- */

static void acknowledge(struct terminal *t)
{
	uint64_t done = t->next - buf_len(&t->out), wire;
	struct err ignored = ERR_NONE;

	if (done - t->acked < t->window / 4 || t->closed || t->told)
		return;
	wire = htobe64(done);
	if (link_send(t->link, ACK, &wire, sizeof(wire), &ignored) == 0)
		t->acked = done;
}

static void flush_out(struct terminal *t)
{
	struct err e = ERR_NONE;

	while (buf_len(&t->out) > 0) {
		ssize_t n = write(t->out_fd, buf_bytes(&t->out), buf_len(&t->out));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			(void) err_sys(&e, "standard output");
			fail(t, &e);
			return;
		}
		buf_consume(&t->out, (size_t) n);
	}
	if (!t->out_blocking)
		(void) loop_io_set(&t->out_io, buf_len(&t->out) ? EPOLLOUT : 0, &e);
	acknowledge(t);
	if (t->closed && buf_len(&t->out) == 0)
		finish(t);
}

static void on_writable(void *arg, uint32_t events)
{
	struct terminal *t = arg;
	struct err e = ERR_NONE;

	/* A reader that has gone shows by HUP or ERR also when nothing is to be written. */
	if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLOUT)) {
		(void) err_set(&e, EPIPE, "standard output: its reader has gone");
		fail(t, &e);
		return;
	}
	flush_out(t);
}

/* What the terminal shows at this place in the output, as bytes that reset it first. */
static void take_screen(struct terminal *t, const uint8_t *p, size_t n)
{
	const size_t head = sizeof(uint64_t) + 2 * sizeof(uint16_t);
	struct err e = ERR_NONE;

	if (n < head)
		return;
	if (buf_append(&t->out, p + head, n - head, &e) < 0)
		fail(t, &e);
	else
		flush_out(t);
}

static void take_output(struct terminal *t, const uint8_t *p, size_t n)
{
	uint64_t offset;
	struct err e = ERR_NONE;

	if (n < sizeof(offset))
		return;
	memcpy(&offset, p, sizeof(offset));
	t->next = be64toh(offset) + n - sizeof(offset);
	if (buf_append(&t->out, p + sizeof(offset), n - sizeof(offset), &e) < 0)
		fail(t, &e);
	else
		flush_out(t);
}

/* Of a program without a terminal: in order with what came before it. Standard error is not waited for with a
 * queue: whoever reads it slowly holds the program up. */
static void take_errors(struct terminal *t, const uint8_t *p, size_t n)
{
	uint64_t offset;
	struct err e = ERR_NONE;

	if (n < sizeof(offset))
		return;
	memcpy(&offset, p, sizeof(offset));
	t->next = be64toh(offset) + n - sizeof(offset);
	if (fd_write_all(STDERR_FILENO, p + sizeof(offset), n - sizeof(offset), &e) < 0)
		fail(t, &e);
	else
		acknowledge(t);
}

static struct json_doc *parse(const uint8_t *p, size_t n)
{
	struct json_doc *doc = NULL;
	struct err ignored = ERR_NONE;

	return json_parse((const char *) p, n, NULL, &doc, &ignored) == 0 ? doc : NULL;
}

static void take_hello(struct terminal *t, const uint8_t *p, size_t n)
{
	auto_json struct json_doc *doc = parse(p, n);
	const struct json *root = doc ? json_root(doc) : NULL;
	int64_t window = json_int_or(root, "window", WINDOW_DEFAULT);

	t->window = window > 0 && window <= OUT_MAX / 2 ? (uint32_t) window : WINDOW_DEFAULT;
	/* What was output before our time needs no acknowledgement. */
	t->acked = t->next = (uint64_t) json_int_or(root, "oldest", 0);
}

static void take_exit(struct terminal *t, const uint8_t *p, size_t n)
{
	auto_json struct json_doc *doc = parse(p, n);
	const struct json *root = doc ? json_root(doc) : NULL;

	t->ended.exited = true;
	(void) snprintf(t->ended.reason, sizeof(t->ended.reason), "%s",
			json_str_or(root, "reason", "error"));
	t->ended.code = (int) json_int_or(root, "code", 0);
	t->ended.signal = (int) json_int_or(root, "signal", 0);
}

static void take_notice(const struct terminal *t, const uint8_t *p, size_t n)
{
	auto_json struct json_doc *doc = parse(p, n);
	const struct json *root = doc ? json_root(doc) : NULL;
	const char *line = t->raw ? "\r\n" : "";

	(void) fprintf(stderr, "%scarrel: this sandbox ends in %lld seconds: %s limit%s\n",
		       line, (long long) json_int_or(root, "seconds_left", 0),
		       json_str_or(root, "kind", "a"), t->raw ? "\r" : "");
}

static void take_gap(struct terminal *t, const uint8_t *p, size_t n)
{
	uint64_t range[2];

	if (n != sizeof(range))
		return;
	memcpy(range, p, n);
	t->next = be64toh(range[1]);
	t->ended.lost += t->next - be64toh(range[0]);
	acknowledge(t);
}

static void on_message(void *arg, const uint8_t *p, size_t n)
{
	struct terminal *t = arg;

	if (t->told)
		return;
	switch ((enum message) p[0]) {
	case OUTPUT:
		take_output(t, p + 1, n - 1);
		break;
	case ERRORS:
		take_errors(t, p + 1, n - 1);
		break;
	case HELLO:
		take_hello(t, p + 1, n - 1);
		break;
	case EXIT:
		take_exit(t, p + 1, n - 1);
		break;
	case NOTICE:
		take_notice(t, p + 1, n - 1);
		break;
	case SCREEN:
		take_screen(t, p + 1, n - 1);
		break;
	case GAP:
		take_gap(t, p + 1, n - 1);
		break;
	default: /* REPLAY_BEGIN, REPLAY_END, SIZE, PONG, and what later servers may say */
		break;
	}
}

static void on_closed(void *arg, unsigned code, const char *reason)
{
	struct terminal *t = arg;

	t->closed = true;
	t->ended.close_code = code;
	(void) snprintf(t->ended.close_reason, sizeof(t->ended.close_reason), "%s", reason);
	loop_io_del(&t->in_io);
	loop_timer_del(&t->in_timer);
	if (buf_len(&t->out) == 0)
		finish(t);
}

/* ---- input ---- */

static bool congested(const struct terminal *t)
{
	return link_queued(t->link) > QUEUE_MAX;
}

static void watch_input(struct terminal *t)
{
	struct err e = ERR_NONE;

	if (t->in_ended || t->closed || t->told || t->viewer)
		return;
	if (t->in_io.loop || t->in_timer.loop)
		return;
	if (loop_io_add(t->loop, &t->in_io, STDIN_FILENO, EPOLLIN, on_input, t, &e) == 0)
		return;
	if (e.code == EPERM)
		loop_timer_set(t->loop, &t->in_timer, 0, on_input_timer, t);
	else
		fail(t, &e);
}

static void on_drained(void *arg)
{
	struct terminal *t = arg;

	if (!congested(t))
		watch_input(t);
}

static void send_or_fail(struct terminal *t, uint8_t type, const void *p, size_t n)
{
	struct err e = ERR_NONE;

	if (t->closed)
		return;
	if (link_send(t->link, type, p, n, &e) < 0)
		fail(t, &e);
}

static void input_ended(struct terminal *t)
{
	t->in_ended = true;
	loop_io_del(&t->in_io);
	if (t->raw) {
		/* The terminal hung up: the program goes on without us. */
		t->ended.detached = true;
		finish(t);
	} else {
		send_or_fail(t, INPUT_END, NULL, 0);
	}
}

static void send_keys(struct terminal *t, const uint8_t *p, size_t n)
{
	uint8_t out[READ_BYTES + 1];

	if (detach_keys_filter(&t->keys, p, n, out, &n)) {
		t->ended.detached = true;
		if (n)
			send_or_fail(t, INPUT, out, n);
		finish(t);
		return;
	}
	if (n)
		send_or_fail(t, INPUT, out, n);
}

static void read_input(struct terminal *t)
{
	uint8_t block[READ_BYTES];
	ssize_t n = read(STDIN_FILENO, block, sizeof(block));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		input_ended(t);
		return;
	}
	if (t->raw)
		send_keys(t, block, (size_t) n);
	else
		send_or_fail(t, INPUT, block, (size_t) n);
	if (congested(t))
		loop_io_del(&t->in_io);
}

static void on_input(void *arg, uint32_t events)
{
	(void) events;
	read_input(arg);
}

static void on_input_timer(void *arg)
{
	struct terminal *t = arg;

	read_input(t);
	if (!congested(t))
		watch_input(t);
}

static void send_size(struct terminal *t)
{
	uint16_t size[2];

	if (t->closed || t->told || t->viewer || !tty_size(STDIN_FILENO, &size[0], &size[1]))
		return;
	size[0] = htobe16(size[0]);
	size[1] = htobe16(size[1]);
	send_or_fail(t, RESIZE, size, sizeof(size));
}

static void on_winch(void *arg, int sig)
{
	struct terminal *t = arg;

	(void) sig;
	if (t->link)
		send_size(t);
}

/* ---- life ---- */

/* An open file description of our own, so that its flags are nobody else's. */
static void open_output(struct terminal *t)
{
	struct stat st;

	t->out_fd = STDOUT_FILENO;
	t->out_blocking = true;
	if (fstat(STDOUT_FILENO, &st) < 0 || (!S_ISFIFO(st.st_mode) && !isatty(STDOUT_FILENO)))
		return;
	t->out_fd =
		open(fd_path(STDOUT_FILENO).s, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (t->out_fd >= 0)
		t->out_blocking = false;
	else
		t->out_fd = STDOUT_FILENO;
}

int terminal_new(struct loop *loop, bool raw, bool viewer, terminal_fn fn, void *arg,
		 struct terminal **out, struct err *e)
{
	struct terminal *t = xalloc(sizeof(*t));

	*t = (struct terminal){ .loop = loop,
				.raw = raw,
				.viewer = viewer,
				.out = BUF_LIMIT(OUT_MAX),
				.window = WINDOW_DEFAULT,
				.fn = fn,
				.arg = arg };
	open_output(t);
	if (raw && loop_signal(loop, SIGWINCH, on_winch, t, e) < 0) {
		terminal_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

struct link_receiver terminal_receiver(struct terminal *t)
{
	return (struct link_receiver){ on_message, on_closed, on_drained, t };
}

int terminal_start(struct terminal *t, struct link *link, struct err *e)
{
	t->link = link;
	if (!t->out_blocking &&
	    loop_io_add(t->loop, &t->out_io, t->out_fd, 0, on_writable, t, e) < 0)
		return -1;
	if (t->raw) {
		if (tty_raw(&t->tty, STDIN_FILENO, e) < 0)
			return -1;
		send_size(t);
	}
	watch_input(t);
	return 0;
}

void terminal_stop(struct terminal *t)
{
	finish(t);
}

const struct terminal_end *terminal_ended(const struct terminal *t)
{
	return &t->ended;
}

void terminal_free(struct terminal *t)
{
	if (!t)
		return;
	loop_io_del(&t->in_io);
	loop_io_del(&t->out_io);
	loop_timer_del(&t->in_timer);
	tty_restore(&t->tty);
	link_free(t->link);
	if (!t->out_blocking)
		fd_close(&t->out_fd);
	buf_fini(&t->out);
	free(t);
}
