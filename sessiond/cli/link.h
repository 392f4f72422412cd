/*
 * A connection that carries messages of carrel.v1 (docs/protocol.md), whatever their framing.
 *
 * Sending never blocks: what cannot go at once is queued, and link_queued tells how much that is. What
 * comes in goes to the receiver's functions, from the loop; after `closed` nothing comes any more.
 */
#ifndef CARREL_SESSIOND_CLI_LINK_H
#define CARREL_SESSIOND_CLI_LINK_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct link;
struct loop;
struct rest;

struct link_receiver {
	void (*message)(void *arg, const uint8_t *p, size_t n);
	/* code 0: the connection broke. */
	void (*closed)(void *arg, unsigned code, const char *reason);
	/* The queue became shorter. */
	void (*drained)(void *arg);
	void *arg;
};

struct link_ops {
	int (*send)(struct link *l, uint8_t type, const void *p, size_t n, struct err *e);
	size_t (*queued)(const struct link *l);
	void (*free)(struct link *l);
};

/* The head of every kind of link. */
struct link {
	const struct link_ops *ops;
	struct link_receiver to;
};

/* One message; p may be NULL with n 0. */
static inline int link_send(struct link *l, uint8_t type, const void *p, size_t n,
			    struct err *e)
{
	return l->ops->send(l, type, p, n, e);
}

static inline size_t link_queued(const struct link *l)
{
	return l->ops->queued(l);
}

static inline void link_free(struct link *l)
{
	if (l)
		l->ops->free(l);
}

/* Takes over one end of a stream socket whose other end the shim has. */
int link_packet_new(struct loop *loop, int fd, const struct link_receiver *to,
		    struct link **out, struct err *e);

/* Connects to the daemon (blocking, at most 30 seconds). path: "/v1/sandboxes/ID/terminal?...". */
int link_ws_new(struct loop *loop, const struct rest *rest, const char *path,
		const struct link_receiver *to, struct link **out, struct err *e);

#endif
