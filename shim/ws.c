#include "shim/ws.h"

#include <string.h>

#include "base/err.h"
#include "base/pack.h"
#include "base/str.h"

/*
 * Every check stands before the bytes that it guards are kept: a header that announces 2^40 bytes is
 * refused by its header alone. What a framing library would still do behind these checks is the XOR
 * with the mask, so there is none (docs/shim.md).
 */

void ws_in_init(struct ws_in *w, bool accepts_text)
{
	*w = (struct ws_in){ .body = BUF_LIMIT(FRAME_MAX_MESSAGE),
			     .accepts_text = accepts_text };
}

void ws_in_fini(struct ws_in *w)
{
	buf_fini(&w->body);
}

static struct frame_event bad(struct ws_in *w, uint16_t code, const char *why)
{
	w->bad = true;
	return (struct frame_event){ .kind = FRAME_BAD, .code = code, .why = why };
}

/* How long the header is, as far as its first two bytes tell. */
static size_t head_size(const struct ws_in *w)
{
	uint8_t len;

	if (w->n_head < 2)
		return 2;
	len = w->head[1] & 0x7f;
	return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + (w->head[1] & 0x80 ? 4 : 0);
}

/* What the first two bytes alone forbid; NULL when they are fine. */
static const char *bad_start(const struct ws_in *w)
{
	uint8_t opcode = w->head[0] & 0x0f, len = w->head[1] & 0x7f;

	if (w->head[0] & 0x70)
		return "a reserved bit is set, and no extension was agreed on";
	if (!(w->head[1] & 0x80))
		return "a frame from a client must be masked";
	switch (opcode) {
	case WS_OP_CLOSE:
	case WS_OP_PING:
	case WS_OP_PONG:
		if (!(w->head[0] & 0x80))
			return "a control frame must not be fragmented";
		if (len > 125)
			return "a control frame is longer than 125 bytes";
		if (opcode == WS_OP_CLOSE && len == 1)
			return "a close frame of one byte has no code";
		return NULL;
	case WS_OP_CONTINUATION:
		return w->message ? NULL : "a continuation frame continues nothing";
	case WS_OP_TEXT:
	case WS_OP_BINARY:
		return w->message ? "a new message begins inside a fragmented one" : NULL;
	default:
		return "unknown opcode";
	}
}

static uint64_t head_length(const struct ws_in *w)
{
	uint64_t n = w->head[1] & 0x7f;
	size_t bytes = n == 126 ? 2 : n == 127 ? 8 : 0;

	if (bytes == 0)
		return n;
	n = 0;
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | w->head[2 + i];
	return n;
}

/* Each length has one encoding (RFC 6455, 5.2): the shortest, and its highest bit is 0. */
static bool length_is_minimal(const struct ws_in *w, uint64_t n)
{
	uint8_t len = w->head[1] & 0x7f;

	if (len == 127)
		return n >= 65536 && !(n >> 63);
	return len != 126 || n >= 126;
}

/* The header is complete: checks it and opens the payload, FRAME_NEED_MORE; or says why not. */
static struct frame_event open_frame(struct ws_in *w)
{
	uint64_t n = head_length(w);
	size_t size = head_size(w);
	bool control;

	w->fin = w->head[0] & 0x80;
	w->opcode = w->head[0] & 0x0f;
	control = w->opcode >= WS_OP_CLOSE;
	if (!length_is_minimal(w, n))
		return bad(w, CLOSE_MALFORMED, "a length is not in its shortest form");
	if (!control && n > FRAME_MAX_MESSAGE - buf_len(&w->body))
		return bad(w, CLOSE_TOO_BIG, "a message is longer than 65536 bytes");
	if (!control && ++w->fragments > FRAME_MAX_FRAGMENTS)
		return bad(w, CLOSE_TOO_BIG, "a message has more than 1024 fragments");
	if (!control && w->opcode != WS_OP_CONTINUATION)
		w->message = w->opcode;
	if (!control && w->message == WS_OP_TEXT && !w->accepts_text)
		return bad(w, CLOSE_PROTOCOL, "text message; this protocol is binary");
	memcpy(w->mask, w->head + size - 4, 4);
	w->left = w->total = (uint32_t) n;
	w->in_payload = true;
	return (struct frame_event){ .kind = FRAME_NEED_MORE };
}

static void unmask(uint8_t *p, size_t n, const uint8_t mask[4], size_t phase)
{
	size_t i = 0;

	for (; i < n && (phase + i) % 4; i++)
		p[i] ^= mask[(phase + i) % 4];
	for (; i + 4 <= n; i += 4) {
		uint32_t word, key;

		memcpy(&word, p + i, 4);
		memcpy(&key, mask, 4);
		word ^= key;
		memcpy(p + i, &word, 4);
	}
	for (; i < n; i++)
		p[i] ^= mask[(phase + i) % 4];
}

/* A text's next piece: valid UTF-8, but for a character that its end may cut. */
static bool take_text(struct ws_in *w, const uint8_t *p, size_t n)
{
	size_t k;

	for (; n > 0 && w->n_cut > 0; p++, n--) {
		w->cut[w->n_cut++] = *p;
		if (str_utf8_len(w->cut, w->n_cut) == w->n_cut)
			w->n_cut = 0;
		else if (!str_utf8_is_cut(w->cut, w->n_cut))
			return false;
	}
	for (; n > 0; p += k, n -= k) {
		k = str_utf8_len(p, n);
		if (k > 0)
			continue;
		if (!str_utf8_is_cut(p, n))
			return false;
		memcpy(w->cut, p, n);
		w->n_cut = (uint8_t) n;
		k = n;
	}
	return true;
}

static bool is_text(const uint8_t *p, size_t n)
{
	for (size_t k; n > 0; p += k, n -= k) {
		k = str_utf8_len(p, n);
		if (k == 0)
			return false;
	}
	return true;
}

static struct frame_event control_event(struct ws_in *w)
{
	struct frame_event ev = { .data = w->control, .n = w->total };
	unsigned code;

	switch (w->opcode) {
	case WS_OP_PING:
		ev.kind = FRAME_PING;
		return ev;
	case WS_OP_PONG:
		ev.kind = FRAME_PONG;
		return ev;
	}
	if (w->total == 0)
		return (struct frame_event){ .kind = FRAME_CLOSE, .code = CLOSE_NO_CODE };
	code = (unsigned) w->control[0] << 8 | w->control[1];
	if (code < 1000 || code >= 5000 || (code >= 1004 && code <= 1006) ||
	    (code >= 1015 && code < 3000))
		return bad(w, CLOSE_MALFORMED,
			   "a close frame with a code that may not be sent");
	if (!is_text(w->control + 2, w->total - 2))
		return bad(w, CLOSE_NOT_UTF8, "a close frame's reason is not UTF-8");
	ev.kind = FRAME_CLOSE;
	ev.code = (uint16_t) code;
	ev.data = w->control + 2;
	ev.n = w->total - 2;
	return ev;
}

/* A frame's payload is complete; p is its last piece, already unmasked. */
static struct frame_event close_frame(struct ws_in *w, const uint8_t *p, size_t n)
{
	struct frame_event ev = { .kind = w->message == WS_OP_TEXT ? FRAME_TEXT
								   : FRAME_MESSAGE };

	w->in_payload = false;
	w->n_head = 0;
	if (w->opcode >= WS_OP_CLOSE)
		return control_event(w);
	if (!w->fin)
		return (struct frame_event){ .kind = FRAME_NEED_MORE };
	if (w->n_cut > 0)
		return bad(w, CLOSE_NOT_UTF8, "a text message ends inside a character");
	if (buf_len(&w->body) > 0) {
		ev.data = buf_bytes(&w->body);
		ev.n = buf_len(&w->body);
	} else {
		ev.data = p;
		ev.n = n;
	}
	w->message = 0;
	w->fragments = 0;
	return ev;
}

/* Takes what p holds of the payload. */
static struct frame_event take_payload(struct ws_in *w, uint8_t *p, size_t n, size_t *used)
{
	size_t k = MIN(n, w->left), done = w->total - w->left;
	bool whole = w->left == w->total && k == w->left && w->fin && buf_len(&w->body) == 0;
	struct err e = ERR_NONE;

	unmask(p, k, w->mask, done);
	*used += k;
	w->left -= (uint32_t) k;
	if (w->opcode < WS_OP_CLOSE && w->message == WS_OP_TEXT && !take_text(w, p, k))
		return bad(w, CLOSE_NOT_UTF8, "a text message is not UTF-8");
	if (w->opcode >= WS_OP_CLOSE)
		memcpy(w->control + done, p, k);
	else if (!whole && buf_append(&w->body, p, k, &e) < 0)
		return bad(w, CLOSE_INTERNAL, "no memory for a message");
	if (w->left > 0)
		return (struct frame_event){ .kind = FRAME_NEED_MORE };
	return close_frame(w, p, k);
}

/* A message that was given out from `body` is over: its memory goes when it is more than a keystroke's. */
static void drop_body(struct ws_in *w)
{
	if (w->message || w->in_payload || w->n_head || buf_len(&w->body) == 0)
		return;
	if (w->body.cap > 1024)
		buf_fini(&w->body);
	else
		buf_clear(&w->body);
}

struct frame_event ws_decode(struct ws_in *w, uint8_t *p, size_t n, size_t *used)
{
	struct frame_event ev = { .kind = FRAME_NEED_MORE };

	*used = 0;
	if (w->bad)
		return bad(w, CLOSE_MALFORMED, "bytes after a malformed frame");
	drop_body(w);
	while (ev.kind == FRAME_NEED_MORE) {
		if (!w->in_payload) {
			while (w->n_head < head_size(w) && *used < n) {
				w->head[w->n_head++] = p[(*used)++];
				if (w->n_head == 2 && bad_start(w))
					return bad(w, CLOSE_MALFORMED, bad_start(w));
			}
			if (w->n_head < head_size(w))
				return ev;
			ev = open_frame(w);
			if (ev.kind != FRAME_NEED_MORE)
				return ev;
		}
		if (w->left > 0 && *used == n)
			return ev;
		ev = take_payload(w, p + *used, n - *used, used);
	}
	return ev;
}

size_t ws_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t n)
{
	size_t bytes = n < 126 ? 0 : n < 65536 ? 2 : 8;

	out[0] = 0x80 | (uint8_t) opcode;
	out[1] = bytes == 0 ? (uint8_t) n : bytes == 2 ? 126 : 127;
	for (size_t i = 0; i < bytes; i++)
		out[2 + i] = (uint8_t) (n >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}

/* ---- hand-over ---- */

void ws_in_save(const struct ws_in *w, struct pack *p)
{
	pack_tag(p, "wsin");
	pack_bytes(p, w->head, w->n_head);
	pack_bool(p, w->in_payload);
	pack_bool(p, w->fin);
	pack_u8(p, w->opcode);
	pack_raw(p, w->mask, sizeof(w->mask));
	pack_u32(p, w->left);
	pack_u32(p, w->total);
	pack_u8(p, w->message);
	pack_u32(p, w->fragments);
	pack_buf(p, &w->body);
	pack_bytes(p, w->cut, w->n_cut);
	pack_raw(p, w->control, sizeof(w->control));
	pack_bool(p, w->bad);
}

/* What the decoder relies on without looking. */
static void check_restored(const struct ws_in *w, struct unpack *u)
{
	bool control = w->opcode >= WS_OP_CLOSE;
	uint32_t max = control ? sizeof(w->control) : FRAME_MAX_MESSAGE;

	if (w->bad)
		return;
	if (w->n_head > head_size(w) || (w->n_head >= 2 && !(w->head[1] & 0x80)))
		(void) unpack_refuse(u, "a frame's head that cannot be");
	if (w->left > w->total || w->total > max ||
	    (!control && w->left > FRAME_MAX_MESSAGE - buf_len(&w->body)) ||
	    (w->opcode == WS_OP_CLOSE && w->total == 1))
		(void) unpack_refuse(u,
				     "a frame of %u bytes, %u of them to come, that cannot be",
				     w->total, w->left);
	if (w->n_cut > 0 && !str_utf8_is_cut(w->cut, w->n_cut))
		(void) unpack_refuse(u, "a cut character that is none");
}

static uint8_t restore_few(struct unpack *u, uint8_t *out, size_t max)
{
	size_t n;
	const void *p = unpack_bytes(u, max, &n);

	if (!p)
		return 0;
	memcpy(out, p, n);
	return (uint8_t) n;
}

void ws_in_restore(struct ws_in *w, struct unpack *u)
{
	const void *p;

	unpack_tag(u, "wsin");
	w->n_head = restore_few(u, w->head, sizeof(w->head));
	w->in_payload = unpack_bool(u);
	w->fin = unpack_bool(u);
	w->opcode = unpack_u8_to(u, WS_OP_PONG, "opcode");
	p = unpack_raw(u, sizeof(w->mask));
	if (p)
		memcpy(w->mask, p, sizeof(w->mask));
	w->left = unpack_u32(u);
	w->total = unpack_u32(u);
	w->message = unpack_u8_to(u, WS_OP_BINARY, "a message's opcode");
	w->fragments = unpack_u32_to(u, FRAME_MAX_FRAGMENTS + 1, "fragments");
	unpack_buf(u, &w->body);
	w->n_cut = restore_few(u, w->cut, sizeof(w->cut) - 1);
	p = unpack_raw(u, sizeof(w->control));
	if (p)
		memcpy(w->control, p, sizeof(w->control));
	w->bad = unpack_bool(u);
	check_restored(w, u);
}
