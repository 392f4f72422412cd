#include "images/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"

enum { BYTES = RING_SLOT * RING_SLOTS };

int ring_make(struct ring_parts *out, struct err *e)
{
	auto_ring_parts struct ring_parts p = RING_PARTS_NONE;
	int pair[2];

	p.write_fd = memfd_create("carrel-ring", MFD_CLOEXEC);
	if (p.write_fd < 0 || ftruncate(p.write_fd, BYTES) < 0)
		return err_sys(e, "memory to hand bytes over");
	p.read_fd = open(fd_path(p.write_fd).s, O_RDONLY | O_CLOEXEC);
	if (p.read_fd < 0)
		return err_sys(e, "memory to read from");
	if (sock_pair(SOCK_STREAM, pair, e) < 0)
		return -1;
	p.writer_sock = pair[0];
	p.reader_sock = pair[1];
	*out = p;
	p = RING_PARTS_NONE;
	return 0;
}

void ring_parts_fini(struct ring_parts *p)
{
	fd_close(&p->write_fd);
	fd_close(&p->read_fd);
	fd_close(&p->writer_sock);
	fd_close(&p->reader_sock);
}

int ring_open(struct ring *r, bool writer, int mem_fd, int sock, struct err *e)
{
	void *mem = mmap(NULL, BYTES, writer ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
			 mem_fd, 0);

	if (mem == MAP_FAILED)
		return err_sys(e, "map the memory to hand bytes over");
	if (madvise(mem, BYTES, MADV_DONTFORK) < 0) {
		(void) munmap(mem, BYTES);
		return err_sys(e, "MADV_DONTFORK");
	}
	*r = (struct ring){
		.mem = mem, .sock = sock, .writer = writer, .empty = writer ? RING_SLOTS : 0
	};
	return 0;
}

void ring_fini(struct ring *r)
{
	if (r->mem)
		(void) munmap(r->mem, BYTES);
	*r = RING_NONE;
}

static uint8_t *slot(const struct ring *r)
{
	return r->mem + (size_t) r->at * RING_SLOT;
}

/* Four bytes, or 0 at the end. Words are sent whole, and a stream socket keeps what is that small together. */
static int get_word(const struct ring *r, uint32_t *word, struct err *e)
{
	ssize_t n;

	do
		n = read(r->sock, word, sizeof(*word));
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return err_sys(e, "read");
	return n == sizeof(*word) ? 1 : err_set(e, EPROTO, "half a word from the other side");
}

static int put_word(const struct ring *r, uint32_t word, struct err *e)
{
	ssize_t n;

	do
		n = send(r->sock, &word, sizeof(word), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == sizeof(word))
		return 0;
	return n < 0 ? err_sys(e, "write") : err_set(e, EIO, "write: cut short");
}

int ring_credit(struct ring *r, struct err *e)
{
	uint32_t word;
	int n = get_word(r, &word, e);

	if (n <= 0)
		return n < 0 ? -1 : err_set(e, EPIPE, "nobody takes what is unpacked");
	if (word != 0 || r->empty == RING_SLOTS)
		return err_set(e, EPROTO, "more is given back than was sent");
	r->empty++;
	return 0;
}

uint8_t *ring_room(struct ring *r, struct err *e)
{
	while (r->empty == 0) {
		if (ring_credit(r, e) < 0)
			return NULL;
	}
	return slot(r);
}

int ring_post(struct ring *r, size_t n, struct err *e)
{
	if (put_word(r, (uint32_t) n, e) < 0)
		return -1;
	r->empty--;
	r->at = (r->at + 1) % RING_SLOTS;
	return 0;
}

ssize_t ring_take(struct ring *r, const uint8_t **p, struct err *e)
{
	uint32_t word;
	int n = get_word(r, &word, e);

	if (n <= 0)
		return n;
	if (word == 0 || word > RING_SLOT)
		return err_set(e, EPROTO, "a slot of %u bytes", word);
	r->taken = word;
	*p = slot(r);
	return word;
}

int ring_release(struct ring *r, struct err *e)
{
	if (r->taken == 0)
		return 0;
	r->taken = 0;
	r->at = (r->at + 1) % RING_SLOTS;
	if (put_word(r, 0, e) == 0)
		return 0;
	if (e->code != EPIPE)
		return -1;
	*e = ERR_NONE; /* the writer has ended, and what it wrote stays */
	return 0;
}
