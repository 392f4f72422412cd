#include "runtime/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

enum { VEOF_CHAR = 4, EOF_EVERY_MS = 50 };

/* What was typed before: as lines, while the terminal still makes lines. Afterwards the mark of an end of file would be
 * a NUL character; so it goes on as what it was typed as. */
static void take_typed(struct relay_way *in)
{
	struct pollfd p = { .fd = in->from, .events = POLLIN };

	while (in->tail < sizeof(in->data) && poll(&p, 1, 0) == 1 && (p.revents & POLLIN)) {
		const ssize_t n =
			read(in->from, in->data + in->tail, sizeof(in->data) - in->tail);

		if (n < 0)
			return;
		if (n == 0)
			in->data[in->tail++] = VEOF_CHAR;
		else
			in->tail += (size_t) n;
	}
}

int relay_begin(struct relay *r, int master, struct err *e)
{
	struct termios raw;

	*r = (struct relay){
		.master = master,
		.peer = FD_NONE,
		.in = { .from = STDIN_FILENO, .to = master },
		.out = { .from = master, .to = STDOUT_FILENO },
	};
	if (fd_set_nonblock(master, true, e) < 0)
		return -1;
	if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return 0; /* no terminal: a pipe or a file feeds it */
	relay_resize(r);
	if (r->saved.c_lflag & ICANON)
		take_typed(&r->in);
	raw = r->saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return err_sys(e, "raw mode of the terminal");
	r->raw = true;
	return 0;
}

void relay_end(struct relay *r)
{
	if (r->raw)
		(void) tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	r->raw = false;
	if (r->peer > 0)
		fd_close(&r->peer);
}

void relay_resize(struct relay *r)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void) ioctl(r->master, TIOCSWINSZ, &size);
}

static void fill_way(const struct relay_way *w, struct pollfd *from, struct pollfd *to)
{
	const bool full = w->tail == sizeof(w->data), some = w->head < w->tail;

	*from = (struct pollfd){ .fd = w->ended || full ? -1 : w->from, .events = POLLIN };
	*to = (struct pollfd){ .fd = some ? w->to : -1, .events = POLLOUT };
}

void relay_poll_fill(struct relay *r, struct pollfd p[RELAY_POLLS])
{
	fill_way(&r->in, &p[0], &p[1]);
	fill_way(&r->out, &p[2], &p[3]);
}

static void take_in(struct relay_way *w)
{
	const ssize_t n = read(w->from, w->data + w->tail, sizeof(w->data) - w->tail);

	if (n > 0)
		w->tail += (size_t) n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		w->ended = true;
}

static void put_out(struct relay_way *w)
{
	const ssize_t n = write(w->to, w->data + w->head, w->tail - w->head);

	if (n > 0)
		w->head += (size_t) n;
	else if (errno != EAGAIN && errno != EINTR)
		w->head = w->tail; /* nobody is there to read it */
	if (w->head == w->tail)
		w->head = w->tail = 0;
}

void relay_poll_handle(struct relay *r, const struct pollfd p[RELAY_POLLS])
{
	if (p[1].revents)
		put_out(&r->in);
	if (p[3].revents)
		put_out(&r->out);
	if (p[2].revents)
		take_in(&r->out);
	if (!p[0].revents)
		return;
	take_in(&r->in);
	if (r->in.ended)
		r->peer = ioctl(r->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int relay_timeout_ms(const struct relay *r)
{
	return r->in.ended ? EOF_EVERY_MS : -1;
}

/* The character must not come before the program has read what stands in front of it: a program that changes the
 * terminal's mode in between would not see it as an end. So it is typed only into an empty queue, and again as long
 * as the program goes on. */
void relay_tick(struct relay *r)
{
	int waiting = 0;

	if (!r->in.ended || r->in.head < r->in.tail || r->peer < 0)
		return;
	if (ioctl(r->peer, FIONREAD, &waiting) == 0 && waiting == 0)
		r->in.data[r->in.tail++] = VEOF_CHAR;
}

void relay_drain(struct relay *r)
{
	for (;;) {
		while (r->out.head < r->out.tail)
			put_out(&r->out);
		const size_t before = r->out.tail;
		take_in(&r->out);
		if (r->out.ended || r->out.tail == before)
			return;
	}
}
