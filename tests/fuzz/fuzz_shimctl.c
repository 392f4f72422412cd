/*
 * Any message to shim.sock, and any sandbox.json: refused with a sentence, or taken with values in range.
 *
 * First byte odd: orders, else a request, which is carried out by a session without clients.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sock.h"
#include "base/util.h"
#include "shim/control.h"
#include "shim/control_ops.h"
#include "shim/orders.h"
#include "shim/table.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	log_open(2, LOG_TEXT, LOG_LV_ERROR);
	return 0;
}

static void fuzz_orders(const uint8_t *data, size_t n)
{
	struct err e = ERR_NONE;
	struct orders o;

	if (orders_parse((const char *) data, n, &o, &e) < 0) {
		if (strncmp(e.msg, "sandbox.json: ", 14) != 0)
			abort();
		return;
	}
	if (!o.id || strlen(o.id) > 64 || o.runtime[0] != '/' || o.rootfs.n_layers < 1 ||
	    o.cols < 1 || o.cols > 1000 || o.max_clients < 1)
		abort();
	orders_fini(&o);
}

/* A table whose one program is a pair of pipes, and a peer that asks. */
struct room {
	struct loop *loop;
	struct table table;
	struct orders orders;
	struct control_peer peer;
	int talk[2], ask[2], in[2], out[2], listen[2];
};

static void open_room(struct room *r)
{
	struct table_spec spec = { 0 };
	struct err e = ERR_NONE;

	r->orders = (struct orders){ .id = "x",
				     .cols = 80,
				     .rows = 24,
				     .history_bytes = 65536,
				     .lifetime_ms = 1000,
				     .ack_window = 4096,
				     .max_clients = 2,
				     .max_processes = 2 };
	if (loop_new(&r->loop, &e) < 0 || sock_pair(SOCK_SEQPACKET, r->talk, &e) < 0 ||
	    sock_pair(SOCK_SEQPACKET, r->ask, &e) < 0 ||
	    sock_pair(SOCK_SEQPACKET, r->listen, &e) < 0 || pipe2(r->in, O_CLOEXEC) < 0 ||
	    pipe2(r->out, O_CLOEXEC) < 0)
		abort();
	spec.loop = r->loop;
	spec.orders = &r->orders;
	spec.talk_fd = r->talk[0];
	spec.listen_fd = r->listen[0];
	spec.fds[0] = r->out[0];
	spec.fds[1] = r->in[1];
	if (table_init(&r->table, &spec, &e) < 0)
		abort();
	r->peer = (struct control_peer){ .control = &r->table.control, .fd = r->ask[0] };
}

static void close_room(struct room *r)
{
	table_fini(&r->table);
	loop_free(r->loop);
	for (int i = 0; i < 2; i++) {
		fd_close(&r->talk[i]);
		fd_close(&r->ask[i]);
		fd_close(&r->listen[i]);
	}
	fd_close(&r->in[0]);
	fd_close(&r->out[1]);
}

static void check_answer(struct buf *text)
{
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;
	struct json *ok;

	if (json_parse(buf_str(text), buf_len(text), NULL, &doc, &e) < 0)
		abort();
	ok = json_get(json_root(doc), "ok");
	if (!ok || ok->type != JSON_BOOL)
		abort();
	if (!ok->boolean && (!json_str_or(json_root(doc), "error", NULL) ||
			     !json_str_or(json_root(doc), "code", NULL)))
		abort();
}

static void fuzz_request(const uint8_t *data, size_t n)
{
	auto_buf struct buf text = BUF_LIMIT(CONTROL_ANSWER_BYTES);
	struct control_request req;
	struct err e = ERR_NONE;
	struct room r;

	if (control_parse(data, n, &req, &e) < 0) {
		if (strncmp(e.msg, "request", 7) != 0)
			abort();
		return;
	}
	open_room(&r);
	if (control_do(&r.peer, &req, NULL, 0, &text) == CONTROL_ANSWERED)
		check_answer(&text);
	else if (!r.peer.waits_end && !r.peer.waits_exit && !r.peer.waits_start &&
		 !r.peer.waits_process)
		abort();
	(void) loop_turn(r.loop, 0, &e);
	json_doc_free(req.doc);
	close_room(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 1)
		return 0;
	if (data[0] & 1)
		fuzz_orders(data + 1, n - 1);
	else
		fuzz_request(data + 1, n - 1);
	return 0;
}
