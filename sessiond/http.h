/*
 * HTTP/1.1 on one listening socket: libmicrohttpd inside our loop, without a thread.
 *
 * This file moves bytes and keeps deadlines; what a request means is the callbacks' matter. The deadlines
 * are total, not per byte: a head or body that dribbles in is cut off as well (DEADLINE_MS after
 * its first line, IDLE_MS between two requests).
 *
 *   connection accepted, request line read      request made, REQUEST_HEAD
 *   head complete                               on_head: routing, identity, size; may reply at once
 *   body complete                               on_body: the handler; may reply at once, else suspended
 *   request_done (any later time)               reply sent; on_sent; next request of the connection
 *
 * A socket that was upgraded leaves libmicrohttpd's epoll set at once and is neither read, written nor
 * shut down by it; http_upgrade_close closes our descriptor and nothing else, so that a copy that was
 * passed on lives (tests/integration/sessiond_socket.bats watches this with strace).
 */
#ifndef CARREL_SESSIOND_HTTP_H
#define CARREL_SESSIOND_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct http;
struct loop;
struct request;
struct server;
struct upgraded;

enum {
	HTTP_CONNECTIONS_MAX = 1024,
	HTTP_HEAD_MAX = 16 * 1024,
	HTTP_DEADLINE_MS = 10000,
	HTTP_IDLE_MS = 60000,
	HTTP_STALL_S = 30, /* without a byte in either direction */
};

struct http_callbacks {
	void (*on_head)(struct request *rq);
	void (*on_body)(struct request *rq);
	void (*on_sent)(struct request *rq);
};

/* listen_fd: bound, listening, non-blocking; taken over. FD_NONE: connections come by http_add, and came by TLS. */
int http_new(struct loop *loop, int listen_fd, const struct http_callbacks *callbacks,
	     struct server *server, struct http **out, struct err *e);
/* A connected stream socket, as if it had been accepted; taken over, also when it fails. */
int http_add(struct http *h, int fd, struct err *e);
/* Whether what comes here came by TLS. */
bool http_secure(const struct http *h);
/* Accepts no more connections. */
void http_quiesce(struct http *h);
/* Requests whose handlers have not replied, and upgraded sockets that were not closed. */
size_t http_pending(const struct http *h);
/* Only when nothing is pending. Accepts NULL. */
void http_free(struct http *h);

void http_upgrade_close(const struct upgraded *up);

#endif
