/*
 * GET /v1/sandboxes/{id}/terminal: from an HTTP connection to a client of a shim.
 *
 *   checks (handshake, Origin in auth.c, ticket or key, ownership)   refused by a problem
 *   101 is sent, libmicrohttpd lets go of the socket                 on_upgraded
 *   {"op":"attach"} with the socket and what came behind the head    shim_call
 *   the shim's answer: ours is closed, the shim's copy lives;        on_answer
 *   or the shim's refusal: a close frame says so, ours is closed and the connection with it
 *
 * Between 101 and the answer nobody reads the socket: what the client sends meanwhile waits in the
 * kernel for the shim.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "sessiond/api.h"
#include "sessiond/auth.h"
#include "sessiond/http.h"
#include "sessiond/keys.h"
#include "sessiond/launch.h"
#include "sessiond/problem.h"
#include "sessiond/records.h"
#include "sessiond/request.h"
#include "sessiond/server.h"
#include "sessiond/upgrade.h"

struct attach {
	struct server *server;
	struct upgraded up;
	struct upgrade wanted;
	char id[65];
	char label[USER_MAX + 1];
	bool ended;
	char reason[16]; /* and the two below: of its end */
	int code, signal;
};

/* The socket's buffer is empty but for 101: one send takes all frames or the client is gone. */
static void last_words(struct attach *a, const uint8_t *frame, size_t n)
{
	(void) send(a->up.fd, frame, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* Its FIN tells the client that nothing follows, even if it never answers the frame. */
	(void) shutdown(a->up.fd, SHUT_WR);
	http_upgrade_close(&a->up);
	free(a);
}

static void finish(struct attach *a, uint16_t code, const char *reason)
{
	uint8_t frame[UPGRADE_REFUSAL];

	last_words(a, frame, upgrade_refusal(&a->wanted, code, reason, frame));
}

static void finish_ended(struct attach *a)
{
	const struct upgrade_end end = { .reason = a->reason,
					 .code = a->code,
					 .signal = a->signal };
	uint8_t frame[UPGRADE_REFUSAL];

	last_words(a, frame, upgrade_ended(&a->wanted, &end, frame));
}

static void on_answer(void *arg, const struct json *answer, const struct err *err)
{
	struct attach *a = arg;

	if (!err) {
		a->server->metrics.attached++;
		http_upgrade_close(&a->up);
		free(a);
		return;
	}
	a->server->metrics.attach_failed++;
	log_info("sandbox %s: attach: %s", a->id, err->msg);
	if (err->code == EUSERS)
		finish(a, 4429, "too many clients");
	else if (err->code == EINVAL)
		finish(a, 4400, "since is not in the output");
	else if (err->code == ENOENT && a->wanted.process)
		finish(a, 4404, "no such process");
	else
		finish(a, 4404, "the sandbox is ending");
}

static void on_upgraded(void *arg, const struct upgraded *up)
{
	struct attach *a = arg;
	auto_buf struct buf order = BUF_LIMIT(1024);
	struct shim_request rq = {
		.tail = up->leftover,
		.n_tail = up->n_leftover,
		.fd = up->fd,
	};
	struct err e = ERR_NONE;

	a->up = *up;
	if (a->ended) {
		finish_ended(a);
		return;
	}
	if (upgrade_order(&a->wanted, a->label, &order, &e) < 0 ||
	    fd_set_nonblock(up->fd, true, &e) < 0) {
		on_answer(a, NULL, &e);
		return;
	}
	rq.json = buf_str(&order);
	if (shim_call(a->server->launch, a->id, &rq, on_answer, a, &e) < 0)
		on_answer(a, NULL, &e);
}

/* A ticket names its holder; a program shows its key instead. False: the reply is set. */
static bool authenticate(struct request *rq, struct upgrade *u)
{
	const char *bearer = auth_bearer(rq);
	struct err e = ERR_NONE;
	int r = 0;

	if (u->ticket[0])
		r = ticket_redeem(rq->server->tickets, u->ticket, rq->param, clock_mono_ms(),
				  &rq->who, &u->read_only);
	else if (bearer)
		r = key_find(rq->server->db, bearer, &rq->who, &e);
	/* The key may have been removed since, also by another process. */
	if (r > 0 && u->ticket[0])
		r = key_valid(rq->server->db, rq->who.key_id, &e);
	if (r < 0)
		problem_internal(rq, &e);
	else if (r == 0)
		problem_reply(rq, PROBLEM_UNAUTHORIZED, "%s",
			      u->ticket[0] ? "the ticket is unknown, used, expired or "
					     "another sandbox's"
					   : "offer a ticket as the protocol "
					     "carrel.ticket.T, or send a key");
	return r > 0;
}

static bool parse(struct request *rq, struct upgrade *out)
{
	struct upgrade_headers h = {
		.upgrade = request_header(rq, "Upgrade"),
		.connection = request_header(rq, "Connection"),
		.version = request_header(rq, "Sec-WebSocket-Version"),
		.key = request_header(rq, "Sec-WebSocket-Key"),
		.protocols = request_header(rq, "Sec-WebSocket-Protocol"),
	};
	struct err e = ERR_NONE;

	switch (upgrade_parse(&h, &rq->target, out, &e)) {
	case UPGRADE_OK:
		return true;
	case UPGRADE_NO_SOCKET:
		problem_reply(rq, PROBLEM_UPGRADE_REQUIRED,
			      "ask with Upgrade: websocket and Connection: Upgrade");
		break;
	case UPGRADE_BAD_VERSION:
		problem_reply(rq, PROBLEM_UPGRADE_REQUIRED, "Sec-WebSocket-Version: 13");
		reply_header(rq, "Sec-WebSocket-Version", "13");
		break;
	case UPGRADE_BAD:
		problem_reply(rq, PROBLEM_BAD_REQUEST, "%s", e.msg);
		return false;
	}
	reply_header(rq, "Upgrade", "websocket");
	return false;
}

static void note_end(struct attach *a, const struct record *r)
{
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;

	a->ended = true;
	(void) snprintf(a->reason, sizeof(a->reason), "%s", r->reason);
	if (!r->exit || json_parse(r->exit, strlen(r->exit), NULL, &doc, &e) < 0)
		return;
	a->code = (int) json_int_or(json_root(doc), "code", 0);
	a->signal = (int) json_int_or(json_root(doc), "signal", 0);
}

void api_terminal(struct request *rq)
{
	auto_record struct record r = { 0 };
	struct upgrade wanted;
	struct attach *a;

	if (!parse(rq, &wanted) || !authenticate(rq, &wanted) || !api_find_own(rq, &r))
		return;
	if (r.state == RECORD_STARTING) {
		problem_retry(rq, PROBLEM_CONFLICT, 1, "the sandbox is starting");
		return;
	}
	a = xalloc(sizeof(*a));
	a->server = rq->server;
	a->wanted = wanted;
	memcpy(a->id, r.id, sizeof(a->id));
	(void) snprintf(a->label, sizeof(a->label), "%s", rq->who.user);
	if (r.state == RECORD_ENDED)
		note_end(a, &r);
	rq->reply.status = 101;
	rq->reply.upgrade = on_upgraded;
	rq->reply.upgrade_arg = a;
	reply_header(rq, "Upgrade", "websocket");
	reply_header(rq, "Sec-WebSocket-Accept", wanted.accept);
	if (wanted.answer[0])
		reply_header(rq, "Sec-WebSocket-Protocol", wanted.answer);
}
