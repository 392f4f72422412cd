#include <isa-l/igzip_lib.h>

#include "base/util.h"
#include "images/inflate.h"
#include "images/inflate_input.h"
#include "images/ring.h"

struct work {
	struct inflate_state state;
	struct inflate_input in;
};

static int step(struct inflate_state *z, struct ring *to, struct err *e)
{
	int r;

	z->next_out = ring_room(to, e);
	if (!z->next_out)
		return -1;
	z->avail_out = RING_SLOT;
	r = isal_inflate(z);
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT && r != ISAL_OUT_OVERFLOW)
		return err_set(e, EINVAL, "gzip: damaged (%d)", r);
	if (z->avail_out < RING_SLOT)
		return ring_post(to, RING_SLOT - z->avail_out, e);
	return 0;
}

/* ISA-L checks a header's own checksum (FHCRC) wrongly where the header comes in pieces. */
static int begin_stream(struct work *w, bool first, struct err *e)
{
	enum { MAGIC = 0x1f, FLAGS = 3, FHCRC = 2 };
	struct inflate_state *z = &w->state;

	if (!first && *z->next_in != MAGIC)
		return inflate_refuse_rest("gzip", e);
	if (!first)
		isal_inflate_reset(z);
	if (inflate_top_up(&w->in, z->next_in, z->avail_in, FLAGS + 1, e) < 0)
		return -1;
	if (w->in.n > FLAGS && (w->in.chunk[FLAGS] & FHCRC) &&
	    inflate_top_up(&w->in, w->in.chunk, w->in.n, sizeof(w->in.chunk), e) < 0)
		return -1;
	z->next_in = w->in.chunk;
	z->avail_in = (uint32_t) w->in.n;
	return 0;
}

/* What was read may be used up while what it unpacks to is not: the slot being full says so. */
static int run(struct work *w, struct ring *to, struct err *e)
{
	struct inflate_state *z = &w->state;
	bool begun = false;
	int more;

	while ((more = inflate_more(&w->in, e)) == 1) {
		z->next_in = w->in.chunk;
		z->avail_in = (uint32_t) w->in.n;
		do {
			if ((!begun || z->block_state == ISAL_BLOCK_FINISH) &&
			    begin_stream(w, !begun, e) < 0)
				return -1;
			begun = true;
			if (step(z, to, e) < 0)
				return -1;
		} while (z->avail_in > 0 ||
			 (z->avail_out == 0 && z->block_state != ISAL_BLOCK_FINISH));
	}
	if (more == 0 && (!begun || z->block_state != ISAL_BLOCK_FINISH))
		return err_set(e, EINVAL, "gzip: the stream is cut");
	return more;
}

int inflate_isal(int in_fd, struct ring *to, struct err *e)
{
	auto_free struct work *w = xalloc(sizeof(*w));

	w->in.fd = in_fd;
	isal_inflate_init(&w->state);
	w->state.crc_flag = ISAL_GZIP;
	return run(w, to, e);
}
