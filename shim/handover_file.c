/* The two states as files in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/handover.h"

/* Above the janitor's own: 500 layers, two for each of 64 processes, and a few. */
enum { OWN_FDS_MAX = 1024, HEAD_BYTES = 65536 };

static const char magic[4] = { 'c', 'r', 'l', 's' };

/* ---- out ---- */

static void pack_numbers(struct pack *p, const int *fds, size_t n)
{
	pack_u32(p, (uint32_t) n);
	for (size_t i = 0; i < n; i++)
		pack_u32(p, (uint32_t) fds[i]);
}

/* Nobody changes what was checked. */
static int seal(int fd, struct err *e)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
	    0)
		return err_sys(e, "seal the state");
	return 0;
}

int handover_write(struct handover *h, const struct buf *body, struct err *e)
{
	struct pack p = PACK(HEAD_BYTES);
	int r;

	pack_tag(&p, magic);
	pack_u32(&p, HANDOVER_FORMAT);
	pack_u32(&p, (uint32_t) h->front_fd);
	pack_numbers(&p, h->fds, h->n_fds);
	pack_numbers(&p, h->front_fds, h->n_front_fds);
	r = pack_end(&p, e);
	if (r == 0)
		r = fd_write_all(h->own_fd, buf_bytes(&p.out), buf_len(&p.out), e);
	pack_fini(&p);
	if (r < 0 || fd_write_all(h->own_fd, buf_bytes(body), buf_len(body), e) < 0)
		return err_wrap(e, "write the state");
	return seal(h->own_fd, e) < 0 ? -1 : seal(h->front_fd, e);
}

static int keep_one(int fd, bool keep, struct err *e)
{
	if (fd >= 0 && fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC) < 0)
		return err_sys(e, "descriptor %d", fd);
	return 0;
}

int handover_keep(const struct handover *h, bool keep, struct err *e)
{
	if (keep_one(h->own_fd, keep, e) < 0 || keep_one(h->front_fd, keep, e) < 0)
		return -1;
	for (size_t i = 0; i < h->n_fds; i++)
		if (keep_one(h->fds[i], keep, e) < 0)
			return -1;
	for (size_t i = 0; i < h->n_front_fds; i++)
		if (keep_one(h->front_fds[i], keep, e) < 0)
			return -1;
	return 0;
}

/* ---- in ---- */

const uint8_t *handover_map(int fd, size_t *n, struct err *e)
{
	struct stat st;
	void *p;

	*n = 0;
	if (fstat(fd, &st) < 0) {
		(void) err_sys(e, "the state");
		return NULL;
	}
	if (st.st_size == 0) {
		(void) err_set(e, EPROTO, "the state: it is empty");
		return NULL;
	}
	p = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED) {
		(void) err_sys(e, "map the state");
		return NULL;
	}
	*n = (size_t) st.st_size;
	return p;
}

void handover_unmap(const uint8_t *p, size_t n)
{
	if (p)
		(void) munmap((void *) (uintptr_t) p, n);
}

static int *unpack_numbers(struct unpack *u, size_t *n, size_t max)
{
	size_t count = unpack_u32_to(u, (uint32_t) max, "descriptors");
	int *fds = xalloc(MAX(count, (size_t) 1) * sizeof(*fds));

	for (size_t i = 0; i < count; i++)
		fds[i] = (int) unpack_u32_to(u, INT32_MAX, "a descriptor");
	*n = count;
	return fds;
}

static void read_head(struct unpack *u, struct handover *h)
{
	unpack_tag(u, magic);
	h->format = unpack_u32(u);
	if (h->format < HANDOVER_OLDEST || h->format > HANDOVER_FORMAT)
		(void) unpack_refuse(u, "format %u, where this program reads %d to %d",
				     h->format, HANDOVER_OLDEST, HANDOVER_FORMAT);
	h->front_fd = (int) unpack_u32_to(u, INT32_MAX, "a descriptor");
	h->fds = unpack_numbers(u, &h->n_fds, OWN_FDS_MAX);
	h->front_fds = unpack_numbers(u, &h->n_front_fds, HANDOVER_FDS_MAX);
}

int handover_read(int own_fd, struct handover *h, struct err *e)
{
	struct unpack u = { 0 };
	const uint8_t *p = handover_map(own_fd, &u.n, e);
	size_t n = u.n;

	if (!p)
		return -1;
	u.p = p;
	*h = HANDOVER_NONE;
	h->own_fd = own_fd;
	read_head(&u, h);
	h->body = n - u.n;
	handover_unmap(p, n);
	if (unpack_failed(&u)) {
		*e = u.why;
		/* Numbers out of a head that is wrong are nobody's. */
		h->n_fds = h->n_front_fds = 0;
		h->front_fd = FD_NONE;
		return err_wrap(e, "the state");
	}
	return 0;
}

void handover_fini(struct handover *h)
{
	for (size_t i = 0; i < h->n_front_fds; i++)
		fd_close(&h->front_fds[i]);
	free(h->fds);
	free(h->front_fds);
	fd_close(&h->own_fd);
	fd_close(&h->front_fd);
	*h = HANDOVER_NONE;
}
