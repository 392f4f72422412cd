#include "shim/control.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/sock.h"
#include "base/util.h"
#include "shim/control_ops.h"
#include "shim/table.h"

enum { ACCEPT_RETRY_MS = 500 };

static void free_peer(void *arg)
{
	struct control_peer *p = arg;

	fd_close(&p->fd);
	free(p);
}

/* From a handler: out of the list now, out of memory at the end of the turn. */
static void drop_peer(struct control_peer *p)
{
	struct control *c = p->control;

	for (struct control_peer **at = &c->peers; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			c->n_peers--;
			break;
		}
	loop_io_del(&p->io);
	loop_defer(c->table->loop, &p->defer, free_peer, p);
}

int control_parse(const uint8_t *p, size_t n, struct control_request *out, struct err *e)
{
	static const struct json_limits limits = { .bytes = CONTROL_JSON_BYTES,
						   .depth = 4,
						   .nodes = 1024 };
	struct json_doc *doc = NULL;
	size_t len;

	if (n < 4)
		return err_set(e, EINVAL, "request: %zu bytes do not hold a length", n);
	len = (size_t) p[0] | (size_t) p[1] << 8 | (size_t) p[2] << 16 | (size_t) p[3] << 24;
	if (len > n - 4 || len > CONTROL_JSON_BYTES)
		return err_set(e, EINVAL, "request: an object of %zu bytes in a message of %zu",
			       len, n);
	if (json_parse((const char *) p + 4, len, &limits, &doc, e) < 0)
		return err_wrap(e, "request");
	if (json_root(doc)->type != JSON_OBJECT) {
		json_doc_free(doc);
		return err_set(e, EINVAL, "request: not an object");
	}
	*out = (struct control_request){ .doc = doc,
					 .extra = p + 4 + len,
					 .n_extra = n - 4 - len };
	return 0;
}

/* False when the peer does not take its answers: it is dropped by the caller. */
static bool answer(struct control_peer *p, const struct buf *text)
{
	uint8_t out[4 + CONTROL_ANSWER_BYTES];
	struct err e = ERR_NONE;
	size_t n = buf_len(text);

	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t) (n >> (8 * i));
	memcpy(out + 4, buf_bytes(text), n);
	if (sock_send(p->fd, out, 4 + n, NULL, 0, &e) == 0)
		return true;
	log_info("shim.sock: answer: %s", e.msg);
	return false;
}

/* Handles one message; false ends the connection. */
static bool handle(struct control_peer *p, const uint8_t *m, size_t n, int *fds, size_t n_fds)
{
	auto_buf struct buf text = BUF_LIMIT(CONTROL_ANSWER_BYTES);
	struct control_request req = { 0 };
	struct err e = ERR_NONE;
	enum control_result r;

	if (control_parse(m, n, &req, &e) < 0) {
		control_refuse(&text, "invalid", &e);
		return answer(p, &text);
	}
	r = control_do(p, &req, fds, n_fds, &text);
	json_doc_free(req.doc);
	return r == CONTROL_LATER || answer(p, &text);
}

static void peer_ready(void *arg, uint32_t events)
{
	struct control_peer *p = arg;
	struct control *c = p->control;
	int fds[SOCK_MAX_FDS];
	size_t n_fds = SOCK_MAX_FDS;
	struct err e = ERR_NONE;
	ssize_t n = sock_recv(p->fd, c->message, CONTROL_MESSAGE_BYTES, fds, &n_fds, &e);
	bool keep = false;

	if (n < 0 && e.code == EAGAIN)
		return;
	if (n < 0)
		log_info("shim.sock: %s", e.msg);
	if (n > 0) {
		keep = handle(p, c->message, (size_t) n, fds, n_fds);
		for (size_t i = 0; i < n_fds; i++)
			fd_close(&fds[i]);
		/* For most requests no other follows soon. */
		(void) madvise(c->message, (size_t) n, MADV_DONTNEED);
	}
	if (!keep)
		drop_peer(p);
}

static void listen_ready(void *arg, uint32_t events);

static void listen_again(void *arg)
{
	struct control *c = arg;
	struct err e = ERR_NONE;

	if (loop_io_add(c->table->loop, &c->listen_io, c->listen_fd, EPOLLIN, listen_ready, c,
			&e) < 0)
		log_error("shim.sock: %s", e.msg);
}

static int admit(struct control *c, int fd, struct err *e)
{
	struct ucred peer;

	if (sock_peer(fd, &peer, e) < 0)
		return -1;
	if (peer.uid != 0 && peer.uid != geteuid())
		return err_set(e, EPERM, "uid %u may not speak to this shim", peer.uid);
	if (c->n_peers == CONTROL_MAX_PEERS)
		return err_set(e, EMFILE, "%d connections are open already", CONTROL_MAX_PEERS);
	return 0;
}

static void listen_ready(void *arg, uint32_t events)
{
	struct control *c = arg;
	struct err e = ERR_NONE;
	auto_close int fd = sock_accept(c->listen_fd, &e);
	struct control_peer *p;

	if (fd < 0 && (e.code == EMFILE || e.code == ENFILE || e.code == ENOMEM)) {
		/* Level-triggered: leave it alone for a while instead of spinning. */
		loop_io_del(&c->listen_io);
		loop_timer_set(c->table->loop, &c->retry, ACCEPT_RETRY_MS, listen_again, c);
	}
	if (fd < 0)
		return;
	if (admit(c, fd, &e) < 0) {
		log_warn("shim.sock: %s", e.msg);
		return;
	}
	p = xalloc(sizeof(*p));
	*p = (struct control_peer){ .control = c, .fd = fd };
	if (loop_io_add(c->table->loop, &p->io, fd, EPOLLIN, peer_ready, p, &e) < 0) {
		log_warn("shim.sock: %s", e.msg);
		free(p);
		return;
	}
	(void) take_fd(&fd);
	p->next = c->peers;
	c->peers = p;
	c->n_peers++;
}

static int open_control(struct control *c, struct table *t, struct err *e)
{
	void *p = mmap(NULL, CONTROL_MESSAGE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return err_sys(e, "map a request's buffer");
	*c = (struct control){ .table = t, .listen_fd = FD_NONE, .message = p };
	return 0;
}

int control_init(struct control *c, struct table *t, int listen_fd, struct err *e)
{
	if (open_control(c, t, e) < 0)
		return -1;
	c->listen_fd = listen_fd;
	if (control_go_on(c, e) == 0)
		return 0;
	(void) munmap(c->message, CONTROL_MESSAGE_BYTES);
	c->message = NULL;
	return -1;
}

int control_go_on(struct control *c, struct err *e)
{
	for (struct control_peer *p = c->peers; p; p = p->next)
		if (loop_io_add(c->table->loop, &p->io, p->fd, EPOLLIN, peer_ready, p, e) < 0)
			return -1;
	return loop_io_add(c->table->loop, &c->listen_io, c->listen_fd, EPOLLIN, listen_ready,
			   c, e);
}

void control_fini(struct control *c)
{
	if (!c->message)
		return;
	loop_io_del(&c->listen_io);
	loop_timer_del(&c->retry);
	while (c->peers) {
		struct control_peer *p = c->peers;

		c->peers = p->next;
		loop_io_del(&p->io);
		free_peer(p);
	}
	(void) munmap(c->message, CONTROL_MESSAGE_BYTES);
	c->message = NULL;
}

void control_ended(struct control *c)
{
	struct control_peer *next;

	for (struct control_peer *p = c->peers; p; p = next) {
		auto_buf struct buf text = BUF_LIMIT(CONTROL_ANSWER_BYTES);
		bool owed = p->waits_end || p->waits_exit;

		next = p->next;
		if (!owed)
			continue;
		control_end_answer(c->table, p->waits_exit, &text);
		p->waits_end = p->waits_exit = false;
		if (!answer(p, &text))
			drop_peer(p);
	}
}

void control_started(struct control *c, uint32_t number, int32_t pid, const struct err *why)
{
	for (struct control_peer *p = c->peers; p; p = p->next) {
		auto_buf struct buf text = BUF_LIMIT(CONTROL_ANSWER_BYTES);

		if (p->waits_start != number)
			continue;
		p->waits_start = 0;
		control_started_answer(number, pid, why, &text);
		if (!answer(p, &text))
			drop_peer(p);
		return;
	}
}

void control_frozen(struct control *c, const struct err *why)
{
	for (struct control_peer *p = c->peers; p; p = p->next) {
		auto_buf struct buf text = BUF_LIMIT(CONTROL_ANSWER_BYTES);

		if (!p->waits_freeze)
			continue;
		p->waits_freeze = false;
		control_frozen_answer(why, &text);
		if (!answer(p, &text))
			drop_peer(p);
		return; /* one at a time was asked for */
	}
}

void control_upgraded(struct control *c, const struct err *why, bool changed)
{
	for (struct control_peer *p = c->peers; p; p = p->next) {
		auto_buf struct buf text = BUF_LIMIT(CONTROL_ANSWER_BYTES);

		if (!p->waits_upgrade)
			continue;
		p->waits_upgrade = false;
		control_upgraded_answer(why, changed, &text);
		if (!answer(p, &text))
			drop_peer(p);
		return; /* one at a time was asked for */
	}
}

bool control_exited(struct control *c, const struct session *s)
{
	struct control_peer *next;
	bool told = false;

	for (struct control_peer *p = c->peers; p; p = next) {
		auto_buf struct buf text = BUF_LIMIT(CONTROL_ANSWER_BYTES);

		next = p->next;
		if (p->waits_process != s->number)
			continue;
		p->waits_process = 0;
		control_exit_answer(s, &text);
		if (answer(p, &text))
			told = true;
		else
			drop_peer(p);
	}
	return told;
}

/* ---- hand-over ---- */

static void save_peer(const struct control_peer *p, struct pack *out)
{
	pack_fd(out, p->fd);
	pack_bool(out, p->waits_end);
	pack_bool(out, p->waits_exit);
	pack_bool(out, p->waits_upgrade);
	pack_u32(out, p->waits_process);
}

/* A start or a freeze is not under way: nobody waits for one. */
void control_save(const struct control *c, struct pack *p)
{
	pack_tag(p, "ctrl");
	pack_fd(p, c->listen_fd);
	pack_u32(p, (uint32_t) c->n_peers);
	for (const struct control_peer *peer = c->peers; peer; peer = peer->next)
		save_peer(peer, p);
}

int control_restore(struct control *c, struct table *t, struct unpack *u)
{
	struct control_peer **at = &c->peers;
	uint32_t n;

	if (open_control(c, t, &u->why) < 0)
		return -1;
	unpack_tag(u, "ctrl");
	c->listen_fd = unpack_fd(u);
	n = unpack_u32_to(u, CONTROL_MAX_PEERS, "connections of shim.sock");
	while (n-- > 0 && !unpack_failed(u)) {
		struct control_peer *p = xalloc(sizeof(*p));

		p->control = c;
		p->fd = unpack_fd(u);
		p->waits_end = unpack_bool(u);
		p->waits_exit = unpack_bool(u);
		p->waits_upgrade = unpack_bool(u);
		p->waits_process = unpack_u32(u);
		*at = p;
		at = &p->next;
		c->n_peers++;
	}
	return unpack_failed(u) ? -1 : 0;
}
