/*
 * child_run: one program from start to end, its input given, its output collected.
 *
 * The input is a memory file, not a pipe: nothing has to be fed while output is read, and a program that
 * does not read its input cannot block or kill us.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"

enum {
	MAX_LAST_READS = 64, /* 4 MiB: more than a pipe holds */
};

struct capture {
	struct buf *into; /* NULL: not captured */
	int read_fd, write_fd;
};

struct run {
	struct child child;
	struct capture out, err;
	uint64_t end_ms; /* 0: never */
};

static int input_file(const void *input, size_t n, struct err *e)
{
	auto_close int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "memfd_create");
	if (fd_write_all(fd, input, n, e) < 0)
		return err_wrap(e, "input");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, "input");
	return take_fd(&fd);
}

static int capture_open(struct capture *c, struct buf *into, struct err *e)
{
	int p[2];

	c->into = into;
	if (!into)
		return 0;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	c->read_fd = p[0];
	c->write_fd = p[1];
	return fd_set_nonblock(c->read_fd, true, e);
}

/* Takes what is there: 1 more may come, 0 end. What the buffer has no room for is dropped. */
static int capture_read(struct capture *c, struct err *e)
{
	char block[65536];
	size_t room;
	ssize_t n = read(c->read_fd, block, sizeof(block));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n < 0)
		return err_sys(e, "read its output");
	if (n == 0) {
		fd_close(&c->read_fd);
		return 0;
	}
	room = c->into->limit - buf_len(c->into);
	return buf_append(c->into, block, MIN((size_t) n, room), e) < 0 ? -1 : 1;
}

/*
 * After its end: what it wrote is in the pipe. Not until end of file, because a process that it left
 * behind may hold the pipe open for ever.
 */
static int capture_finish(struct capture *c, struct err *e)
{
	struct pollfd p = { .fd = c->read_fd, .events = POLLIN };

	for (int i = 0; i < MAX_LAST_READS && c->read_fd >= 0; i++) {
		if (poll(&p, 1, 0) <= 0)
			break;
		if (capture_read(c, e) < 0)
			return -1;
	}
	return 0;
}

static int time_left(const struct run *r)
{
	uint64_t now = clock_mono_ms();

	if (!r->end_ms)
		return -1;
	return now < r->end_ms ? (int) (r->end_ms - now) : 0;
}

static int attend(struct run *r, struct err *e)
{
	for (;;) {
		int left = time_left(r);
		struct pollfd p[3] = { { .fd = r->child.pidfd, .events = POLLIN },
				       { .fd = r->out.read_fd, .events = POLLIN },
				       { .fd = r->err.read_fd, .events = POLLIN } };

		if (poll(p, 3, left) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (p[1].revents && capture_read(&r->out, e) < 0)
			return -1;
		if (p[2].revents && capture_read(&r->err, e) < 0)
			return -1;
		if (p[0].revents)
			break;
		if (left == 0)
			return err_set(e, ETIMEDOUT, "it did not end in time and was killed");
	}
	return capture_finish(&r->out, e) < 0 || capture_finish(&r->err, e) < 0 ? -1 : 0;
}

static int start(struct run *r, const struct child_spec *spec, int input_fd, struct err *e)
{
	struct child_spec s = *spec;

	if (input_fd >= 0)
		s.stdio[0] = input_fd;
	if (r->out.write_fd >= 0)
		s.stdio[1] = r->out.write_fd;
	if (r->err.write_fd >= 0)
		s.stdio[2] = r->err.write_fd;
	else if (r->err.into)
		s.stdio[2] = r->out.write_fd; /* both into one buffer, in their order */
	if (child_spawn(&s, &r->child, e) < 0)
		return -1;
	fd_close(&r->out.write_fd);
	fd_close(&r->err.write_fd);
	return 0;
}

int child_run(const struct child_spec *spec, const void *input, size_t n_input, struct buf *out,
	      struct buf *errout, int timeout_ms, struct child_status *status, struct err *e)
{
	struct run r = { .child = CHILD_NONE,
			 .out = { .read_fd = FD_NONE, .write_fd = FD_NONE },
			 .err = { .read_fd = FD_NONE, .write_fd = FD_NONE } };
	auto_close int input_fd = FD_NONE;
	const char *name = spec->path ? spec->path : spec->argv[0];
	int ret = -1;

	if (input) {
		input_fd = input_file(input, n_input, e);
		if (input_fd < 0)
			return err_wrap(e, "run %s", name);
	}
	if (capture_open(&r.out, out, e) < 0)
		goto end;
	r.err.into = errout;
	if (errout != out && capture_open(&r.err, errout, e) < 0)
		goto end;
	if (timeout_ms > 0)
		r.end_ms = clock_mono_ms() + (uint64_t) timeout_ms;
	if (start(&r, spec, input_fd, e) < 0 || attend(&r, e) < 0)
		goto end;
	ret = child_wait(&r.child, status, e);
end:
	child_end(&r.child);
	fd_close(&r.out.read_fd);
	fd_close(&r.out.write_fd);
	fd_close(&r.err.read_fd);
	fd_close(&r.err.write_fd);
	return ret < 0 ? err_wrap(e, "run %s", name) : 0;
}
