/* carrel.v1 behind 4-byte big-endian lengths, on a unix stream socket. */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "sessiond/cli/link.h"

/* Output comes in messages of at most a window; input leaves in pieces of 4 KiB, 64 KiB queued at most. */
enum {
	IN_MAX = 2 << 20,
	OUT_MAX = 1 << 20,
	READ_BYTES = 65536,
	CLOSE_MESSAGE = 0x0f,
};

struct packet_link {
	struct link link;
	struct loop_io io;
	int fd;
	struct buf in, out;
};

static struct packet_link *self(struct link *l)
{
	return (struct packet_link *) (void *) l;
}

static void packet_free(struct link *l)
{
	struct packet_link *k = self(l);

	loop_io_del(&k->io);
	fd_close(&k->fd);
	buf_fini(&k->in);
	buf_fini(&k->out);
	free(k);
}

/* Nothing comes after it; the owner frees the link later. */
static void closed(struct packet_link *k, unsigned code, const char *reason)
{
	loop_io_del(&k->io);
	fd_close(&k->fd);
	k->link.to.closed(k->link.to.arg, code, reason);
}

/* -1: closed. */
static int flush(struct packet_link *k)
{
	struct err ignored = ERR_NONE;

	while (buf_len(&k->out) > 0) {
		ssize_t n = send(k->fd, buf_bytes(&k->out), buf_len(&k->out),
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -1;
		buf_consume(&k->out, (size_t) n);
	}
	return loop_io_set(&k->io, EPOLLIN | (buf_len(&k->out) ? EPOLLOUT : 0), &ignored);
}

static int packet_send(struct link *l, uint8_t type, const void *p, size_t n, struct err *e)
{
	struct packet_link *k = self(l);
	uint32_t length = htobe32((uint32_t) n + 1);
	bool waiting = buf_len(&k->out) > 0;

	if (k->fd < 0)
		return err_set(e, EPIPE, "the connection is closed");
	if (buf_append(&k->out, &length, sizeof(length), e) < 0 ||
	    buf_append(&k->out, &type, 1, e) < 0 || buf_append(&k->out, p, n, e) < 0)
		return -1;
	/* A queue that waits for the socket is emptied by on_ready alone, which tells of it. A peer that is
	 * gone shows as end of file, behind what it said last. */
	if (!waiting)
		(void) flush(k);
	return 0;
}

static size_t packet_queued(const struct link *l)
{
	return buf_len(&((const struct packet_link *) (const void *) l)->out);
}

static void take_close(struct packet_link *k, const uint8_t *p, size_t n)
{
	auto_free char *reason = n > 3 ? xstrndup((const char *) p + 3, n - 3) : xstrdup("");

	closed(k, n >= 3 ? (unsigned) p[1] << 8 | p[2] : 0, reason);
}

/* 1: one message was handled; 0: there is none; -1: closed. */
static int take_message(struct packet_link *k)
{
	const uint8_t *p = buf_bytes(&k->in);
	uint32_t length;

	if (buf_len(&k->in) < sizeof(length))
		return 0;
	memcpy(&length, p, sizeof(length));
	length = be32toh(length);
	if (length > IN_MAX - sizeof(length)) {
		closed(k, 0, "a message is too long");
		return -1;
	}
	if (buf_len(&k->in) - sizeof(length) < length)
		return 0;
	p += sizeof(length);
	if (length > 0 && *p == CLOSE_MESSAGE) {
		take_close(k, p, length);
		return -1;
	}
	if (length > 0)
		k->link.to.message(k->link.to.arg, p, length);
	buf_consume(&k->in, sizeof(length) + length);
	return 1;
}

static int receive(struct packet_link *k)
{
	struct err e = ERR_NONE;
	ssize_t n;
	int r;

	if (buf_reserve(&k->in, READ_BYTES, &e) < 0) {
		closed(k, 0, e.msg);
		return -1;
	}
	n = recv(k->fd, k->in.data + k->in.tail, READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		closed(k, 0, n < 0 ? strerror(errno) : "");
		return -1;
	}
	k->in.tail += (size_t) n;
	while ((r = take_message(k)) > 0)
		;
	return r;
}

static void on_ready(void *arg, uint32_t events)
{
	struct packet_link *k = arg;
	size_t before = buf_len(&k->out);

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && receive(k) < 0)
		return;
	if (events & EPOLLOUT && flush(k) == 0 && buf_len(&k->out) < before)
		k->link.to.drained(k->link.to.arg);
}

int link_packet_new(struct loop *loop, int fd, const struct link_receiver *to,
		    struct link **out, struct err *e)
{
	static const struct link_ops ops = { packet_send, packet_queued, packet_free };
	struct packet_link *k = xalloc(sizeof(*k));

	*k = (struct packet_link){ .link = { &ops, *to },
				   .fd = fd,
				   .in = BUF_LIMIT(IN_MAX + READ_BYTES),
				   .out = BUF_LIMIT(OUT_MAX) };
	if (loop_io_add(loop, &k->io, fd, EPOLLIN, on_ready, k, e) < 0) {
		packet_free(&k->link);
		return -1;
	}
	*out = &k->link;
	return 0;
}
