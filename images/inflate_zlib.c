#include <string.h>

#include <zlib.h>

#include "base/util.h"
#include "images/inflate.h"
#include "images/inflate_input.h"
#include "images/ring.h"

enum { GZIP_ONLY = 15 + 16 };

static int damaged(const z_stream *z, struct err *e)
{
	return err_set(e, EINVAL, "gzip: %s", z->msg ? z->msg : "damaged");
}

/* As far as input and room go: 1 at the end of a stream. */
static int step(z_stream *z, struct ring *to, struct err *e)
{
	int r;

	do {
		z->next_out = ring_room(to, e);
		if (!z->next_out)
			return -1;
		z->avail_out = RING_SLOT;
		r = inflate(z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return damaged(z, e);
		if (z->avail_out < RING_SLOT && ring_post(to, RING_SLOT - z->avail_out, e) < 0)
			return -1;
	} while (r != Z_STREAM_END && (z->avail_in > 0 || z->avail_out == 0));
	return r == Z_STREAM_END;
}

static int run(z_stream *z, struct inflate_input *in, struct ring *to, struct err *e)
{
	int more, ended = 0;

	while ((more = inflate_more(in, e)) == 1) {
		z->next_in = in->chunk;
		z->avail_in = (unsigned) in->n;
		while (z->avail_in > 0) {
			if (ended == 1 && *z->next_in != 0x1f)
				return inflate_refuse_rest("gzip", e);
			if (ended == 1 && inflateReset(z) != Z_OK)
				return damaged(z, e);
			ended = step(z, to, e);
			if (ended < 0)
				return -1;
		}
	}
	if (more == 0 && !ended)
		return err_set(e, EINVAL, "gzip: the stream is cut");
	return more;
}

int inflate_zlib(int in_fd, struct ring *to, struct err *e)
{
	auto_free struct inflate_input *in = xalloc(sizeof(*in));
	z_stream z = { 0 };
	int r;

	in->fd = in_fd;
	if (inflateInit2(&z, GZIP_ONLY) != Z_OK)
		return err_set(e, ENOMEM, "zlib refuses to start");
	r = run(&z, in, to, e);
	(void) inflateEnd(&z);
	return r;
}
