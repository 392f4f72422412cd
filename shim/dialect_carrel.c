/* carrel.v1 as a dialect: proto.c's messages. */
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/dialect.h"
#include "shim/proto.h"

static int greet(const struct dialect_greeting *g, const struct dialect_out *out, struct err *e)
{
	const struct proto_hello hello = { .id = g->id,
					   .client = g->client,
					   .process = g->process,
					   .role = g->writer ? "writer" : "viewer",
					   .oldest = g->oldest,
					   .next = g->next,
					   .cols = g->cols,
					   .rows = g->rows,
					   .window = g->window,
					   .policy = g->policy };
	auto_buf struct buf text = BUF_LIMIT(1024);

	if (proto_hello(&text, &hello, e) < 0)
		return -1;
	out->put(out->arg, buf_bytes(&text), buf_len(&text));
	return 0;
}

static int decode(struct dialect_state *s, const uint8_t *p, size_t n, struct dialect_in *in,
		  struct err *e)
{
	static const enum dialect_ask asks[] = {
		[PROTO_INPUT] = DIALECT_INPUT,
		[PROTO_RESIZE] = DIALECT_RESIZE,
		[PROTO_ACK] = DIALECT_ACK,
		[PROTO_PING] = DIALECT_PING,
		[PROTO_INPUT_END] = DIALECT_INPUT_END,
	};
	struct proto_in m;

	if (proto_decode(p, n, &m, e) < 0)
		return -1;
	if (m.type == PROTO_PEN) {
		*in = (struct dialect_in){ .ask = m.data[0] ? DIALECT_TAKE : DIALECT_RELEASE };
		return 0;
	}
	*in = (struct dialect_in){ .ask = asks[m.type],
				   .data = m.data,
				   .n = m.n,
				   .cols = m.cols,
				   .rows = m.rows,
				   .offset = m.offset };
	return 0;
}

static size_t head(uint8_t out[DIALECT_HEAD], enum dialect_stream stream, uint64_t offset)
{
	return proto_offset(out, stream == DIALECT_STDERR ? PROTO_ERRORS : PROTO_OUTPUT,
			    offset);
}

static void range(const struct dialect_out *out, enum proto_type type, uint64_t from,
		  uint64_t to)
{
	uint8_t small[PROTO_MAX_SMALL];

	out->put(out->arg, small, proto_range(small, type, from, to));
}

static void gap(const struct dialect_out *out, uint64_t from, uint64_t to)
{
	range(out, PROTO_GAP, from, to);
}

static void replay_begin(const struct dialect_out *out, uint64_t from, uint64_t to)
{
	range(out, PROTO_REPLAY_BEGIN, from, to);
}

static void replay_end(const struct dialect_out *out, uint64_t at)
{
	uint8_t small[PROTO_MAX_SMALL];

	out->put(out->arg, small, proto_offset(small, PROTO_REPLAY_END, at));
}

static void size(const struct dialect_out *out, uint16_t cols, uint16_t rows)
{
	uint8_t small[PROTO_MAX_SMALL];

	out->put(out->arg, small, proto_size(small, cols, rows));
}

static void role(const struct dialect_out *out, bool writer)
{
	const uint8_t m[] = { PROTO_ROLE, writer };

	out->put(out->arg, m, sizeof(m));
}

static void pong(const struct dialect_out *out, const uint8_t *p, size_t n)
{
	uint8_t small[PROTO_MAX_SMALL];

	out->put(out->arg, small, proto_pong(small, p, n));
}

static void notice(const struct dialect_out *out, const char *kind, uint64_t seconds_left,
		   const char *rule)
{
	auto_buf struct buf text = BUF_LIMIT(256);
	struct err e = ERR_NONE;

	if (proto_notice(&text, kind, seconds_left, rule, &e) < 0)
		log_error("NOTICE: %s", e.msg);
	else
		out->put(out->arg, buf_bytes(&text), buf_len(&text));
}

static void exit_message(struct dialect_state *s, const struct dialect_out *out,
			 const struct dialect_exit *x)
{
	auto_buf struct buf text = BUF_LIMIT(512);
	struct err e = ERR_NONE;

	if (proto_exit(&text, x->reason, x->code, x->signal, &e) < 0)
		log_error("EXIT: %s", e.msg);
	else
		out->put(out->arg, buf_bytes(&text), buf_len(&text));
}

const struct dialect dialect_carrel = {
	.name = "carrel.v1",
	.acks = true,
	.packets = true,
	.codes = true,
	.greet = greet,
	.decode = decode,
	.head = head,
	.gap = gap,
	.screen = proto_screen,
	.replay_begin = replay_begin,
	.replay_end = replay_end,
	.size = size,
	.role = role,
	.pong = pong,
	.notice = notice,
	.exit = exit_message,
};
