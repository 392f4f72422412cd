#include "shim/packet.h"

#include <string.h>

#include "base/err.h"
#include "base/pack.h"

void packet_in_init(struct packet_in *k)
{
	*k = (struct packet_in){ .body = BUF_LIMIT(FRAME_MAX_MESSAGE) };
}

void packet_in_fini(struct packet_in *k)
{
	buf_fini(&k->body);
}

static struct frame_event bad(struct packet_in *k, uint16_t code, const char *why)
{
	k->bad = true;
	return (struct frame_event){ .kind = FRAME_BAD, .code = code, .why = why };
}

static struct frame_event message(struct packet_in *k, const uint8_t *p, size_t n)
{
	struct frame_event ev = { .kind = FRAME_MESSAGE, .data = p, .n = n };

	k->n_head = 0;
	if (n == 0 || p[0] != PACKET_CLOSE)
		return ev;
	if (n < 3)
		return bad(k, CLOSE_MALFORMED, "a close message without a code");
	ev.kind = FRAME_CLOSE;
	ev.code = (uint16_t) (p[1] << 8 | p[2]);
	ev.data = p + 3;
	ev.n = n - 3;
	return ev;
}

/* Takes the length; false when it has not come yet. */
static bool take_head(struct packet_in *k, const uint8_t *p, size_t n, size_t *used)
{
	if (k->n_head == PACKET_HEADER)
		return true;
	while (k->n_head < PACKET_HEADER && *used < n)
		k->head[k->n_head++] = p[(*used)++];
	if (k->n_head < PACKET_HEADER)
		return false;
	k->left = (uint32_t) k->head[0] << 24 | (uint32_t) k->head[1] << 16 |
		  (uint32_t) k->head[2] << 8 | k->head[3];
	return true;
}

struct frame_event packet_decode(struct packet_in *k, const uint8_t *p, size_t n, size_t *used)
{
	struct err e = ERR_NONE;
	size_t have;

	*used = 0;
	if (k->bad)
		return bad(k, CLOSE_MALFORMED, "bytes after a malformed message");
	if (k->n_head == 0 && buf_len(&k->body) > 0)
		buf_fini(&k->body);
	if (!take_head(k, p, n, used))
		return (struct frame_event){ .kind = FRAME_NEED_MORE };
	if (k->left > FRAME_MAX_MESSAGE - buf_len(&k->body))
		return bad(k, CLOSE_TOO_BIG, "a message is longer than 65536 bytes");
	have = MIN(n - *used, k->left);
	p += *used;
	*used += have;
	if (have == k->left && buf_len(&k->body) == 0) {
		k->left = 0;
		return message(k, p, have);
	}
	if (buf_append(&k->body, p, have, &e) < 0)
		return bad(k, CLOSE_INTERNAL, "no memory for a message");
	k->left -= (uint32_t) have;
	if (k->left > 0)
		return (struct frame_event){ .kind = FRAME_NEED_MORE };
	return message(k, buf_bytes(&k->body), buf_len(&k->body));
}

void packet_header(uint8_t out[PACKET_HEADER], uint32_t n)
{
	for (int i = 0; i < PACKET_HEADER; i++)
		out[i] = (uint8_t) (n >> (24 - 8 * i));
}

/* ---- hand-over ---- */

void packet_in_save(const struct packet_in *k, struct pack *p)
{
	pack_tag(p, "pkin");
	pack_raw(p, k->head, sizeof(k->head));
	pack_u8(p, k->n_head);
	pack_u32(p, k->left);
	pack_buf(p, &k->body);
	pack_bool(p, k->bad);
}

void packet_in_restore(struct packet_in *k, struct unpack *u)
{
	const void *p;

	unpack_tag(u, "pkin");
	p = unpack_raw(u, sizeof(k->head));
	if (p)
		memcpy(k->head, p, sizeof(k->head));
	k->n_head = unpack_u8_to(u, PACKET_HEADER, "a packet's head");
	k->left = unpack_u32(u);
	unpack_buf(u, &k->body);
	k->bad = unpack_bool(u);
}
