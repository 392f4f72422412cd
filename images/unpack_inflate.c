/* What an inflating child does, whichever program it is. */
#include "base/sock.h"
#include "images/ring.h"
#include "images/unpack_child.h"

int unpack_child_inflate(inflate_fn inflate, int in_fd, int ring_fd, int ring_sock, int sock)
{
	struct unpack_message m = { .say = SAY_DONE };
	struct err ignored = ERR_NONE;
	struct ring ring;

	if (ring_open(&ring, true, ring_fd, ring_sock, &m.err) < 0 ||
	    inflate(in_fd, &ring, &m.err) < 0)
		m.say = SAY_FAILED;
	/* A parent that does not listen any more has ended the work. */
	(void) sock_send(sock, &m, sizeof(m), NULL, 0, &ignored);
	return m.say == SAY_FAILED;
}
