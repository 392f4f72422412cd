/* Any bytes as a WebSocket client's stream: within the limits, and the same events however they are cut. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "shim/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void note(struct buf *log, const struct frame_event *ev)
{
	struct err e = ERR_NONE;
	uint32_t n = (uint32_t) ev->n;

	if (ev->n > FRAME_MAX_MESSAGE || (ev->n > 0 && !ev->data))
		abort();
	if (ev->kind == FRAME_BAD && (!ev->why || ev->code < 1000))
		abort();
	if (ev->kind == FRAME_BAD || ev->kind == FRAME_TEXT)
		n = 0;
	if (buf_append(log, &ev->kind, sizeof(ev->kind), &e) < 0 ||
	    buf_append(log, &ev->code, sizeof(ev->code), &e) < 0 ||
	    buf_append(log, &n, sizeof(n), &e) < 0 || buf_append(log, ev->data, n, &e) < 0)
		abort();
}

static void run(const uint8_t *data, size_t n, size_t step, struct buf *log)
{
	uint8_t *copy = malloc(n + 1);
	size_t done = 0, used;
	struct ws_in w;

	if (!copy)
		abort();
	memcpy(copy, data, n);
	ws_in_init(&w, false);
	while (done < n) {
		size_t k = MIN(step, n - done);
		struct frame_event ev = ws_decode(&w, copy + done, k, &used);

		if (used > k || (ev.kind == FRAME_NEED_MORE && used != k))
			abort();
		done += used;
		if (ev.kind == FRAME_NEED_MORE)
			continue;
		note(log, &ev);
		if (ev.kind == FRAME_BAD || ev.kind == FRAME_TEXT)
			break;
	}
	ws_in_fini(&w);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_buf struct buf whole = BUF_LIMIT(64 << 20), pieces = BUF_LIMIT(64 << 20);
	size_t step;

	if (n < 1)
		return 0;
	step = data[0] % 17 + 1;
	run(data + 1, n - 1, SIZE_MAX, &whole);
	run(data + 1, n - 1, step, &pieces);
	if (buf_len(&whole) != buf_len(&pieces) ||
	    (buf_len(&whole) &&
	     memcmp(buf_bytes(&whole), buf_bytes(&pieces), buf_len(&whole)) != 0))
		abort();
	return 0;
}
