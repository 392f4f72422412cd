#include "sessiond/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "sessiond/problem.h"
#include "sessiond/request.h"

struct http {
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct server *server;
	struct http_callbacks on;
	int quiet_fd; /* the listening socket after http_quiesce */
	bool secure;  /* without a listening socket */
	struct loop_io io;
	struct loop_timer turn;
	size_t working, upgraded;
};

/* What hangs on a connection; at most one request at a time. */
struct connection {
	struct http *http;
	struct MHD_Connection *conn;
	struct loop_timer deadline;
	struct request *rq;
	bool upgraded; /* the socket is no matter of ours any more */
};

static void turn(void *arg)
{
	struct http *h = arg;
	MHD_UNSIGNED_LONG_LONG ms;

	(void) MHD_run(h->daemon);
	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
		loop_timer_set(h->loop, &h->turn, ms, turn, h);
	else
		loop_timer_del(&h->turn);
}

static void on_events(void *arg, uint32_t events)
{
	turn(arg);
}

/* libmicrohttpd is not re-entered from its own callbacks: what they start ends in the next turn. */
static void kick(struct http *h)
{
	loop_timer_set(h->loop, &h->turn, 0, turn, h);
}

/* ---- connections and their deadlines ---- */

static void request_free(struct request *rq)
{
	if (!rq)
		return;
	buf_fini(&rq->body);
	reply_clear(&rq->reply);
	free(rq);
}

static void on_deadline(void *arg)
{
	struct connection *c = arg;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	log_debug("connection cut: its request did not arrive in time");
	/* libmicrohttpd reads the end of file and closes. */
	if (info)
		(void) shutdown(info->connect_fd, SHUT_RDWR);
	kick(c->http);
}

static void set_deadline(struct connection *c, uint64_t ms)
{
	loop_timer_set(c->http->loop, &c->deadline, ms, on_deadline, c);
}

static void on_connection(void *arg, struct MHD_Connection *conn, void **socket_context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct connection *c = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		c = xalloc(sizeof(*c));
		c->http = arg;
		c->conn = conn;
		set_deadline(c, HTTP_DEADLINE_MS);
		*socket_context = c;
		return;
	}
	if (!c)
		return;
	loop_timer_del(&c->deadline);
	request_free(c->rq);
	free(c);
	*socket_context = NULL;
}

static struct connection *connection_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info->socket_context;
}

/* ---- a request ---- */

/* The first thing that is known of a request, before its headers. */
static void *on_line(void *arg, const char *uri, struct MHD_Connection *conn)
{
	struct connection *c = connection_of(conn);
	struct err e = ERR_NONE;
	struct request *rq = xalloc(sizeof(*rq));

	request_free(c->rq);
	c->rq = rq;
	rq->http = c->http;
	rq->server = c->http->server;
	rq->conn = conn;
	rq->began_ns = clock_mono_ns();
	rq->body = BUF_LIMIT(REQUEST_BODY_MAX + 1);
	random_id(rq->id);
	if (target_parse(uri, &rq->target, &e) < 0) {
		rq->target_bad = true;
		(void) snprintf(rq->target_error, sizeof(rq->target_error), "%s", e.msg);
	}
	set_deadline(c, HTTP_DEADLINE_MS);
	return rq;
}

static void on_completed(void *arg, struct MHD_Connection *conn, void **request_context,
			 enum MHD_RequestTerminationCode code)
{
	struct connection *c = connection_of(conn);

	if (!c || !c->rq)
		return;
	if (c->rq->reply.status)
		c->http->on.on_sent(c->rq);
	request_free(c->rq);
	c->rq = NULL;
	*request_context = NULL;
	if (!c->upgraded)
		set_deadline(c, HTTP_IDLE_MS);
}

static void on_upgrade(void *arg, struct MHD_Connection *conn, void *request_context,
		       const char *extra, size_t n_extra, MHD_socket fd,
		       struct MHD_UpgradeResponseHandle *handle)
{
	struct connection *c = connection_of(conn);
	struct request *rq = c->rq;
	struct upgraded up = {
		.fd = fd,
		.leftover = extra,
		.n_leftover = n_extra,
		.http = c->http,
		.handle = handle,
	};

	c->upgraded = true;
	c->http->upgraded++;
	rq->reply.upgrade(take_ptr(&rq->reply.upgrade_arg), &up);
}

void http_upgrade_close(const struct upgraded *up)
{
	up->http->upgraded--;
	(void) MHD_upgrade_action(up->handle, MHD_UPGRADE_ACTION_CLOSE);
	kick(up->http);
}

static struct MHD_Response *make_response(struct reply *r)
{
	size_t n = buf_len(&r->body);
	void *p;

	if (r->upgrade)
		return MHD_create_response_for_upgrade(on_upgrade, NULL);
	if (r->file_fd > 0) {
		/* The response closes it. */
		struct MHD_Response *response =
			MHD_create_response_from_fd_at_offset64(r->n_file, r->file_fd,
								r->file_from);

		if (response)
			r->file_fd = 0;
		return response;
	}
	if (!n)
		return MHD_create_response_from_buffer(r->n_fixed, (void *) r->fixed,
						       MHD_RESPMEM_PERSISTENT);
	/* The request and its buffer live until on_completed. */
	p = r->body.data + r->body.head;
	return MHD_create_response_from_buffer(n, p, MHD_RESPMEM_PERSISTENT);
}

static void add_headers(struct MHD_Response *response, const struct request *rq)
{
	/* clang-format off */
	static const char *const always[][2] = {
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
		{ "X-Frame-Options", "DENY" },
	};
	/* clang-format on */
	const struct reply *r = &rq->reply;
	bool cached = false;

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		(void) MHD_add_response_header(response, always[i][0], always[i][1]);
	(void) MHD_add_response_header(response, "X-Request-Id", rq->id);
	if (r->content_type)
		(void) MHD_add_response_header(response, "Content-Type", r->content_type);
	for (size_t i = 0; i < r->n_headers; i++) {
		cached |= strcmp(r->headers[i].name, "Cache-Control") == 0;
		(void) MHD_add_response_header(response, r->headers[i].name,
					       r->headers[i].value);
	}
	if (!cached)
		(void) MHD_add_response_header(response, "Cache-Control", "no-store");
}

static enum MHD_Result send_reply(struct request *rq)
{
	struct reply *r = &rq->reply;
	struct MHD_Response *response;
	enum MHD_Result result;

	rq->state = REQUEST_SENDING;
	loop_timer_del(&connection_of(rq->conn)->deadline);
	response = make_response(r);
	if (!response)
		return MHD_NO;
	add_headers(response, rq);
	result = MHD_queue_response(rq->conn, r->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result take_body(struct request *rq, const char *data, size_t *n)
{
	struct err e = ERR_NONE;

	/* Content-Length was checked at the head; a longer body cannot come. */
	if (buf_append(&rq->body, data, *n, &e) < 0)
		return MHD_NO;
	*n = 0;
	return MHD_YES;
}

static enum MHD_Result give_to_handler(struct request *rq)
{
	rq->state = REQUEST_WORKING;
	loop_timer_del(&connection_of(rq->conn)->deadline);
	rq->http->on.on_body(rq);
	if (rq->reply.status)
		return send_reply(rq);
	rq->suspended = true;
	rq->http->working++;
	MHD_suspend_connection(rq->conn);
	return MHD_YES;
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *conn, const char *url,
				 const char *method, const char *version, const char *data,
				 size_t *n, void **request_context)
{
	struct request *rq = connection_of(conn)->rq;

	if (rq->state == REQUEST_HEAD) {
		rq->method = method;
		rq->http->on.on_head(rq);
		if (rq->reply.status)
			return send_reply(rq);
		rq->state = REQUEST_BODY;
		return MHD_YES;
	}
	if (*n)
		return take_body(rq, data, n);
	if (rq->reply.status)
		return send_reply(rq);
	return give_to_handler(rq);
}

void request_done(struct request *rq)
{
	if (!rq->suspended)
		return;
	rq->suspended = false;
	rq->http->working--;
	MHD_resume_connection(rq->conn);
	kick(rq->http);
}

/* ---- the whole ---- */

static void on_log(void *arg, const char *fmt, va_list ap)
{
	char line[256];

	if (!log_wants(LOG_LV_DEBUG))
		return;
	(void) vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	log_debug("http: %s", line);
}

int http_new(struct loop *loop, int listen_fd, const struct http_callbacks *callbacks,
	     struct server *server, struct http **out, struct err *e)
{
	struct http *h = xalloc(sizeof(*h));
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
			 MHD_USE_ERROR_LOG;

	h->loop = loop;
	h->server = server;
	h->on = *callbacks;
	h->quiet_fd = FD_NONE;
	h->secure = listen_fd == FD_NONE;
	if (h->secure)
		flags |= MHD_USE_NO_LISTEN_SOCKET;
	/* clang-format off */
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_access, h,
				     MHD_OPTION_EXTERNAL_LOGGER, on_log, h,
				     h->secure ? MHD_OPTION_CONNECTION_TIMEOUT : MHD_OPTION_LISTEN_SOCKET, h->secure ? HTTP_STALL_S : listen_fd,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned) HTTP_CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) HTTP_STALL_S,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HTTP_HEAD_MAX,
				     MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
				     MHD_OPTION_URI_LOG_CALLBACK, on_line, h,
				     MHD_OPTION_END);
	/* clang-format on */
	if (!h->daemon) {
		fd_close(&listen_fd);
		free(h);
		return err_set(e, EIO, "libmicrohttpd does not start");
	}
	if (loop_io_add(loop, &h->io,
			MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
			EPOLLIN, on_events, h, e) < 0) {
		http_free(h);
		return -1;
	}
	kick(h);
	*out = h;
	return 0;
}

int http_add(struct http *h, int fd, struct err *e)
{
	struct sockaddr nobody = { .sa_family = AF_UNIX };

	/* It closes the socket when it cannot have it. */
	if (MHD_add_connection(h->daemon, fd, &nobody, sizeof(nobody.sa_family)) != MHD_YES)
		return err_set(e, EMFILE, "libmicrohttpd takes no more connections");
	kick(h);
	return 0;
}

bool http_secure(const struct http *h)
{
	return h->secure;
}

void http_quiesce(struct http *h)
{
	if (h->quiet_fd == FD_NONE && !h->secure)
		h->quiet_fd = MHD_quiesce_daemon(h->daemon);
}

size_t http_pending(const struct http *h)
{
	return h->working + h->upgraded;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	loop_io_del(&h->io);
	loop_timer_del(&h->turn);
	MHD_stop_daemon(h->daemon);
	fd_close(&h->quiet_fd);
	free(h);
}
