/* WebSocket frames of the shim: alone, and with a foreign implementation (wslay) at the other end. */
#include "tests/unit/scratch.h"

#include <wslay/wslay.h>

#include "base/buf.h"
#include "shim/ws.h"

static size_t client_frame(uint8_t *out, uint8_t first, const void *p, uint64_t n,
			   size_t really)
{
	static const uint8_t mask[4] = { 0x5a, 0x01, 0xfe, 0x77 };
	size_t at = 0;

	out[at++] = first;
	if (n < 126)
		out[at++] = (uint8_t) (0x80 | n);
	else if (n < 65536) {
		out[at++] = 0x80 | 126;
		out[at++] = (uint8_t) (n >> 8);
		out[at++] = (uint8_t) n;
	} else {
		out[at++] = 0x80 | 127;
		for (int i = 7; i >= 0; i--)
			out[at++] = (uint8_t) (n >> (8 * i));
	}
	memcpy(out + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < really; i++)
		out[at + i] = ((const uint8_t *) p)[i] ^ mask[i % 4];
	return at + really;
}

/* Feeds in pieces of `step`; gives the first event that is not NEED_MORE. */
static struct frame_event feed(struct ws_in *w, uint8_t *p, size_t n, size_t step)
{
	struct frame_event ev = { .kind = FRAME_NEED_MORE };
	size_t done = 0, used;

	while (done < n) {
		size_t k = MIN(step, n - done);

		ev = ws_decode(w, p + done, k, &used);
		assert_true(used <= k);
		done += used;
		if (ev.kind != FRAME_NEED_MORE)
			return ev;
		assert_int_equal(used, k);
	}
	return ev;
}

static void test_ws_message_whole_and_in_pieces(void **state)
{
	static uint8_t wire[70000], text[65536];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) (i * 7 + i / 251);
	for (size_t step = 1; step < 70000; step = step * 3 + 1) {
		const size_t sizes[] = { 1, 2, 125, 126, 127, 1000, 65535, 65536 };

		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t n = client_frame(wire, 0x82, text, sizes[i], sizes[i]);
			struct frame_event ev;
			struct ws_in w;

			ws_in_init(&w, false);
			ev = feed(&w, wire, n, step);
			assert_int_equal(ev.kind, FRAME_MESSAGE);
			assert_int_equal(ev.n, sizes[i]);
			assert_memory_equal(ev.data, text, sizes[i]);
			ws_in_fini(&w);
		}
	}
}

static void test_ws_fragments_with_control_between(void **state)
{
	uint8_t wire[256];
	size_t n = 0, used, done = 0;
	struct frame_event ev;
	struct ws_in w;

	n += client_frame(wire + n, 0x02, "abc", 3, 3);
	n += client_frame(wire + n, 0x89, "ping!", 5, 5);
	n += client_frame(wire + n, 0x00, "", 0, 0);
	n += client_frame(wire + n, 0x80, "def", 3, 3);
	n += client_frame(wire + n, 0x82, "", 0, 0);
	ws_in_init(&w, false);
	ev = ws_decode(&w, wire, n, &used);
	assert_int_equal(ev.kind, FRAME_PING);
	assert_int_equal(ev.n, 5);
	assert_memory_equal(ev.data, "ping!", 5);
	done += used;
	ev = ws_decode(&w, wire + done, n - done, &used);
	assert_int_equal(ev.kind, FRAME_MESSAGE);
	assert_int_equal(ev.n, 6);
	assert_memory_equal(ev.data, "abcdef", 6);
	done += used;
	ev = ws_decode(&w, wire + done, n - done, &used);
	assert_int_equal(ev.kind, FRAME_MESSAGE);
	assert_int_equal(ev.n, 0);
	ws_in_fini(&w);
}

/* Each is refused by its header alone: not one byte of payload is given. */
static void test_ws_refuses(void **state)
{
	static const struct {
		uint8_t bytes[16];
		size_t n;
		enum frame_kind kind;
		uint16_t code;
	} rows[] = {
		{ { 0x82, 0x05 }, 2, FRAME_BAD, 1002 }, /* unmasked */
		{ { 0xc2, 0x85 }, 2, FRAME_BAD, 1002 }, /* RSV1 */
		{ { 0x92, 0x85 }, 2, FRAME_BAD, 1002 }, /* RSV3 */
		{ { 0x83, 0x85 }, 2, FRAME_BAD, 1002 }, /* opcode 3 */
		{ { 0x8b, 0x80 }, 2, FRAME_BAD, 1002 }, /* opcode 11 */
		{ { 0x09, 0x80 }, 2, FRAME_BAD, 1002 }, /* fragmented ping */
		{ { 0x89, 0xfe }, 2, FRAME_BAD, 1002 }, /* ping of 126 */
		{ { 0x88, 0x81 }, 2, FRAME_BAD, 1002 }, /* close of 1 */
		{ { 0x80, 0x81 }, 2, FRAME_BAD, 1002 }, /* continues nothing */
		{ { 0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4 }, 14, FRAME_BAD, 1009 },
		{ { 0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4 }, 14, FRAME_BAD, 1009 },
		{ { 0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4 },
		  14,
		  FRAME_BAD,
		  1002 },
		{ { 0x81, 0x85, 1, 2, 3, 4 }, 6, FRAME_BAD, 4400 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t wire[16];
		struct frame_event ev;
		struct ws_in w;
		size_t used;

		memcpy(wire, rows[i].bytes, sizeof(wire));
		ws_in_init(&w, false);
		ev = ws_decode(&w, wire, rows[i].n, &used);
		assert_int_equal(ev.kind, rows[i].kind);
		assert_int_equal(ev.code, rows[i].code);
		/* And it stays refused. */
		assert_int_equal(ws_decode(&w, wire, rows[i].n, &used).kind, FRAME_BAD);
		ws_in_fini(&w);
	}
}

static void test_ws_fragments_have_a_limit(void **state)
{
	static uint8_t wire[8], text[40000];
	static uint8_t big[40020];
	struct frame_event ev;
	struct ws_in w;
	size_t n, used;
	int i;

	ws_in_init(&w, false);
	n = client_frame(wire, 0x02, "", 0, 0);
	for (i = 0; i < 5000; i++) {
		ev = ws_decode(&w, wire, n, &used);
		if (ev.kind == FRAME_BAD)
			break;
		n = client_frame(wire, 0x00, "", 0, 0);
	}
	assert_int_equal(i, FRAME_MAX_FRAGMENTS);
	assert_int_equal(ev.code, 1009);
	ws_in_fini(&w);

	/* Two fragments that are small enough each, and too big together. */
	ws_in_init(&w, false);
	n = client_frame(big, 0x02, text, sizeof(text), sizeof(text));
	assert_int_equal(ws_decode(&w, big, n, &used).kind, FRAME_NEED_MORE);
	n = client_frame(big, 0x80, text, sizeof(text), 0);
	ev = ws_decode(&w, big, n, &used);
	assert_int_equal(ev.kind, FRAME_BAD);
	assert_int_equal(ev.code, 1009);
	ws_in_fini(&w);
}

static void test_ws_close_codes(void **state)
{
	static const struct {
		uint16_t code;
		enum frame_kind kind;
	} rows[] = { { 1000, FRAME_CLOSE }, { 1001, FRAME_CLOSE }, { 1005, FRAME_BAD },
		     { 1006, FRAME_BAD },   { 999, FRAME_BAD },	   { 1015, FRAME_BAD },
		     { 2999, FRAME_BAD },   { 3000, FRAME_CLOSE }, { 4999, FRAME_CLOSE },
		     { 5000, FRAME_BAD },   { 0, FRAME_BAD } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t body[] = { (uint8_t) (rows[i].code >> 8), (uint8_t) rows[i].code, 'x' };
		uint8_t wire[32];
		size_t n = client_frame(wire, 0x88, body, 3, 3);
		struct frame_event ev;
		struct ws_in w;

		ws_in_init(&w, false);
		ev = feed(&w, wire, n, 100);
		assert_int_equal(ev.kind, rows[i].kind);
		if (ev.kind == FRAME_CLOSE)
			assert_int_equal(ev.code, rows[i].code);
		ws_in_fini(&w);
	}
}

/* ---- against wslay ---- */

struct pipe_end {
	struct buf to_server, to_client;
	struct buf got; /* messages that wslay received, each behind its opcode */
};

static ssize_t peer_recv(wslay_event_context_ptr ctx, uint8_t *p, size_t n, int flags,
			 void *arg)
{
	struct pipe_end *x = arg;
	size_t k = MIN(n, buf_len(&x->to_client));

	if (k == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(p, buf_bytes(&x->to_client), k);
	buf_consume(&x->to_client, k);
	return (ssize_t) k;
}

static ssize_t peer_send(wslay_event_context_ptr ctx, const uint8_t *p, size_t n, int flags,
			 void *arg)
{
	struct pipe_end *x = arg;
	struct err e = ERR_NONE;

	return buf_append(&x->to_server, p, n, &e) == 0 ? (ssize_t) n : -1;
}

static int peer_mask(wslay_event_context_ptr ctx, uint8_t *p, size_t n, void *arg)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t) (0x3d + 0x51 * i);
	return 0;
}

static void peer_message(wslay_event_context_ptr ctx,
			 const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct pipe_end *x = arg;
	struct err e = ERR_NONE;

	assert_int_equal(buf_append(&x->got, &m->opcode, 1, &e), 0);
	assert_int_equal(buf_append(&x->got, m->msg, m->msg_length, &e), 0);
}

static const struct wslay_event_callbacks peer_calls = { .recv_callback = peer_recv,
							 .send_callback = peer_send,
							 .genmask_callback = peer_mask,
							 .on_msg_recv_callback = peer_message };

static void test_ws_understands_wslay(void **state)
{
	const size_t sizes[] = { 0, 1, 125, 126, 4000, 65535, 65536 };
	struct pipe_end x = { BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20) };
	static uint8_t text[65536];
	wslay_event_context_ptr peer;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) (i ^ i >> 8);
	assert_int_equal(wslay_event_context_client_init(&peer, &peer_calls, &x), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct wslay_event_msg m = { WSLAY_BINARY_FRAME, text, sizes[i] };
		struct frame_event ev;
		struct ws_in w;

		assert_int_equal(wslay_event_queue_msg(peer, &m), 0);
		assert_int_equal(wslay_event_send(peer), 0);
		ws_in_init(&w, false);
		ev = feed(&w, x.to_server.data + x.to_server.head, buf_len(&x.to_server), 1000);
		assert_int_equal(ev.kind, FRAME_MESSAGE);
		assert_int_equal(ev.n, sizes[i]);
		if (ev.n)
			assert_memory_equal(ev.data, text, ev.n);
		ws_in_fini(&w);
		buf_clear(&x.to_server);
	}
	wslay_event_context_free(peer);
	buf_fini(&x.to_server);
}

static void test_wslay_understands_ws(void **state)
{
	const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 100000 };
	struct pipe_end x = { BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20), BUF_LIMIT(1 << 20) };
	static uint8_t text[100000];
	wslay_event_context_ptr peer;
	struct err e = ERR_NONE;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t) (i ^ i >> 8);
	assert_int_equal(wslay_event_context_client_init(&peer, &peer_calls, &x), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t head[WS_HEADER_MAX];
		size_t n = ws_header(head, WS_OP_BINARY, sizes[i]);

		assert_int_equal(buf_append(&x.to_client, head, n, &e), 0);
		assert_int_equal(buf_append(&x.to_client, text, sizes[i], &e), 0);
		assert_int_equal(wslay_event_recv(peer), 0);
		assert_int_equal(buf_len(&x.got), 1 + sizes[i]);
		assert_int_equal(buf_bytes(&x.got)[0], WSLAY_BINARY_FRAME);
		assert_memory_equal(buf_bytes(&x.got) + 1, text, sizes[i]);
		buf_clear(&x.got);
	}
	wslay_event_context_free(peer);
	buf_fini(&x.to_client);
	buf_fini(&x.to_server);
	buf_fini(&x.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ws_message_whole_and_in_pieces),
		cmocka_unit_test(test_ws_fragments_with_control_between),
		cmocka_unit_test(test_ws_refuses),
		cmocka_unit_test(test_ws_fragments_have_a_limit),
		cmocka_unit_test(test_ws_close_codes),
		cmocka_unit_test(test_ws_understands_wslay),
		cmocka_unit_test(test_wslay_understands_ws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
