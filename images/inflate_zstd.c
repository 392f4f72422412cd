#include <stdbool.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/util.h"
#include "images/inflate.h"
#include "images/inflate_input.h"
#include "images/ring.h"

enum { WINDOW_LOG = 25 };

static int step(ZSTD_DStream *z, ZSTD_inBuffer *in, struct ring *to, size_t *left,
		struct err *e)
{
	ZSTD_outBuffer out = { .size = RING_SLOT };

	out.dst = ring_room(to, e);
	if (!out.dst)
		return -1;
	const bool between = *left == 0;

	*left = ZSTD_decompressStream(z, &out, in);
	if (between && ZSTD_getErrorCode(*left) == ZSTD_error_prefix_unknown)
		return inflate_refuse_rest("zstd", e);
	if (ZSTD_isError(*left))
		return err_set(e, EINVAL, "zstd: %s", ZSTD_getErrorName(*left));
	if (out.pos > 0 && ring_post(to, out.pos, e) < 0)
		return -1;
	return out.pos == out.size; /* there may be more without more input */
}

static int run(ZSTD_DStream *z, struct inflate_input *in, struct ring *to, struct err *e)
{
	size_t left = 1;
	int more;

	while ((more = inflate_more(in, e)) == 1) {
		ZSTD_inBuffer b = { .src = in->chunk, .size = in->n };
		int full = 0;

		while (full || b.pos < b.size) {
			full = step(z, &b, to, &left, e);
			if (full < 0)
				return -1;
		}
	}
	if (more == 0 && left != 0)
		return err_set(e, EINVAL, "zstd: the stream is cut");
	return more;
}

int inflate_zstd(int in_fd, struct ring *to, struct err *e)
{
	auto_free struct inflate_input *in = xalloc(sizeof(*in));
	ZSTD_DStream *z = ZSTD_createDStream();
	int r;

	in->fd = in_fd;
	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG)))
		r = err_set(e, ENOMEM, "libzstd refuses to start");
	else
		r = run(z, in, to, e);
	(void) ZSTD_freeDStream(z);
	return r;
}
