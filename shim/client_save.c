/* A client on its way to another program: all that it remembers, and its socket. */
#include <string.h>

#include "base/pack.h"
#include "base/util.h"
#include "shim/client.h"
#include "shim/client_out.h"
#include "shim/proto.h"
#include "shim/queries.h"
#include "shim/ring.h"

enum { DIALECT_NAME = 64 };

/* ---- out ---- */

static void save_coming(const struct client *c, struct pack *p)
{
	ws_in_save(&c->ws, p);
	packet_in_save(&c->packet, p);
	pack_buf(p, &c->pending);
	pack_bool(p, c->input_paused);
	pack_bool(p, c->output_paused);
	pack_bool(p, c->peer_closed);
}

static void save_going(const struct client *c, struct pack *p)
{
	pack_buf(p, &c->ctl);
	pack_buf(p, &c->screen.bytes);
	pack_u64(p, c->screen.offset);
	pack_u16(p, c->screen.cols);
	pack_u16(p, c->screen.rows);
	pack_buf(p, &c->spill);
	pack_bytes(p, c->speech.tail, c->speech.n_tail);
	pack_u64(p, c->cursor);
	pack_u64(p, c->acked);
	pack_u64(p, c->skipped);
	pack_u64(p, c->skipped_to);
	pack_u32(p, c->window);
	pack_u64(p, c->replay_to);
	pack_bool(p, c->in_replay);
	pack_bool(p, c->queries != NULL);
	if (c->queries)
		queries_save(c->queries, p);
	pack_bool(p, c->size_due);
	pack_bool(p, c->pong_due);
	pack_bool(p, c->role_due);
	pack_u16(p, c->cols);
	pack_u16(p, c->rows);
	pack_bytes(p, c->pong, c->n_pong);
}

void client_save(const struct client *c, struct pack *p)
{
	pack_tag(p, "clnt");
	pack_str(p, c->dialect->name);
	pack_fd(p, c->fd);
	pack_u8(p, (uint8_t) c->state);
	pack_u8(p, (uint8_t) c->framing);
	pack_u8(p, (uint8_t) c->role);
	pack_u32(p, c->number);
	save_coming(c, p);
	save_going(c, p);
	pack_bool(p, c->wants_write);
	pack_bool(p, c->read_only);
	pack_u16(p, c->want_cols);
	pack_u16(p, c->want_rows);
	pack_u64(p, c->active_ms);
	pack_u64(p, c->pinged_ms);
	pack_u32(p, c->rtt_ms);
	pack_u16(p, c->exit_code);
	pack_u64(p, c->life_ms);
	pack_u64(p, c->progress_ms);
	pack_u64(p, c->state_ms);
}

/* ---- in ---- */

static uint16_t side(struct unpack *u)
{
	uint16_t n = unpack_u16(u);

	if (n > PROTO_MAX_SIZE)
		(void) unpack_refuse(u, "a client's side of %u", n);
	return n;
}

static void restore_few(struct unpack *u, uint8_t *out, uint8_t *n_out, size_t max)
{
	size_t n;
	const void *p = unpack_bytes(u, max, &n);

	if (!p)
		return;
	memcpy(out, p, n);
	*n_out = (uint8_t) n;
}

static void restore_coming(struct client *c, struct unpack *u)
{
	ws_in_restore(&c->ws, u);
	packet_in_restore(&c->packet, u);
	unpack_buf(u, &c->pending);
	c->input_paused = unpack_bool(u);
	c->output_paused = unpack_bool(u);
	c->peer_closed = unpack_bool(u);
}

static void restore_going(struct client *c, struct unpack *u)
{
	unpack_buf(u, &c->ctl);
	unpack_buf(u, &c->screen.bytes);
	c->screen.offset = unpack_u64(u);
	c->screen.cols = side(u);
	c->screen.rows = side(u);
	unpack_buf(u, &c->spill);
	restore_few(u, c->speech.tail, &c->speech.n_tail, sizeof(c->speech.tail) - 1);
	c->cursor = unpack_u64_to(u, c->ring->next, "a client's place in the output");
	c->acked = unpack_u64_to(u, c->cursor, "what a client has acknowledged");
	c->skipped = unpack_u64(u);
	c->skipped_to = unpack_u64_to(u, c->cursor, "what a client has missed");
	c->window = unpack_u32(u);
	c->replay_to = unpack_u64_to(u, c->ring->next, "the end of a replay");
	c->in_replay = unpack_bool(u);
	if (unpack_bool(u)) {
		c->queries = queries_new();
		queries_restore(c->queries, u);
	}
	c->size_due = unpack_bool(u);
	c->pong_due = unpack_bool(u);
	c->role_due = unpack_bool(u);
	c->cols = side(u);
	c->rows = side(u);
	restore_few(u, c->pong, &c->n_pong, sizeof(c->pong));
	/* Only what its dialect has words for. */
	if ((c->size_due && !c->dialect->size) || (c->role_due && !c->dialect->role))
		(void) unpack_refuse(u, "%s has no message for what it is owed",
				     c->dialect->name);
}

static struct client *restore_head(struct unpack *u)
{
	const struct dialect *d;
	char name[DIALECT_NAME];
	struct client *c;

	unpack_tag(u, "clnt");
	unpack_str(u, name, sizeof(name));
	d = dialect_find(name);
	if (!d)
		(void) unpack_refuse(u, "a client speaks %s, which is not known", name);
	if (unpack_failed(u))
		return NULL;
	c = client_blank(d);
	c->fd = unpack_fd(u);
	c->state = unpack_u8_to(u, CLIENT_GONE, "a client's state");
	c->framing = unpack_u8_to(u, CLIENT_PACKET, "a framing");
	c->role = unpack_u8_to(u, CLIENT_VIEWER, "a role");
	c->number = unpack_u32(u);
	return c;
}

struct client *client_restore(const struct ring *ring, const struct client_hooks *hooks,
			      const struct dialect_exit *exit, struct unpack *u)
{
	struct client *c = restore_head(u);

	if (!c)
		return NULL;
	c->ring = ring;
	c->hooks = hooks;
	restore_coming(c, u);
	restore_going(c, u);
	c->wants_write = unpack_bool(u);
	c->read_only = unpack_bool(u);
	if (c->read_only && (c->wants_write || c->role == CLIENT_WRITER))
		(void) unpack_refuse(u, "a client that only watches and writes");
	c->want_cols = side(u);
	c->want_rows = side(u);
	c->active_ms = unpack_u64(u);
	c->pinged_ms = unpack_u64(u);
	c->rtt_ms = unpack_u32(u);
	c->exit_code = unpack_u16(u);
	c->life_ms = unpack_u64(u);
	c->progress_ms = unpack_u64(u);
	c->state_ms = unpack_u64(u);
	if (c->exit_code)
		c->exit = *exit;
	if (!unpack_failed(u))
		return c;
	client_free(c);
	return NULL;
}
