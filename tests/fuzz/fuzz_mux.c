/*
 * Any bytes as the frames of a relay or a dialer: the first byte says whose; then a length byte, pairs of it and a message. What is
 * taken must encode to the same bytes, and order and credit must never promise more than they have.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "sessiond/outbound/flow.h"
#include "sessiond/outbound/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { WINDOW = 4096 };

struct side {
	struct mux_order order;
	struct flow flow; /* of the stream that was opened last */
	uint32_t live;
};

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_encoding(const struct mux_frame *f, const uint8_t *p, size_t n)
{
	auto_buf struct buf b = BUF_LIMIT(MUX_MESSAGE_MAX);
	struct err e = ERR_NONE;

	require(mux_encode(f, &b, &e) == 0 && buf_len(&b) == n);
	/* Of a reason only the printable part is kept. */
	require(f->type == MUX_RESET || memcmp(buf_bytes(&b), p, n) == 0);
}

static int credit(struct side *s, const struct mux_frame *f)
{
	struct err e = ERR_NONE;
	uint32_t before = s->flow.may_come;
	int r = 0;

	switch (f->type) {
	case MUX_DATA:
		r = flow_came(&s->flow, f->data.n, &e);
		if (r == 0)
			(void) flow_passed(&s->flow, f->data.n / 2);
		require(r < 0 || f->data.n <= before);
		break;
	case MUX_CREDIT:
		r = flow_credit_came(&s->flow, f->credit, &e);
		break;
	case MUX_END:
		r = flow_end_came(&s->flow, &e);
		break;
	default:
		break;
	}
	require(s->flow.may_come + s->flow.owed <= WINDOW && s->flow.may_go <= INT32_MAX);
	return r;
}

/* False: the connection would end. */
static bool take(struct side *s, const uint8_t *p, size_t n)
{
	uint32_t last = s->order.last;
	struct mux_frame f;
	struct err e = ERR_NONE;
	int r;

	if (mux_decode(p, n, &f, &e) < 0) {
		require(e.msg[0]);
		return false;
	}
	check_encoding(&f, p, n);
	r = mux_check(&s->order, &f, f.stream && f.stream == s->live, &e);
	if (r != MUX_TAKE)
		return r == MUX_IGNORE;
	require(s->order.greeted);
	if (f.type == MUX_OPEN) {
		require(s->order.from_relay && f.stream > last);
		s->live = f.stream;
		flow_init(&s->flow, WINDOW, WINDOW);
	}
	if (f.type == MUX_RESET)
		s->live = 0;
	return !f.stream || credit(s, &f) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct side s = { 0 };
	const uint8_t *end = data + n;

	if (n == 0)
		return 0;
	s.order.from_relay = *data++ & 1;
	flow_init(&s.flow, WINDOW, WINDOW);
	while (data < end) {
		size_t length = *data++;

		length = MIN(length, (size_t) (end - data));
		if (!take(&s, data, length))
			return 0;
		data += length;
	}
	return 0;
}
