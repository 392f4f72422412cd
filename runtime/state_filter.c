/* The filter program beside the state, as exec loads it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "runtime/seccomp.h"
#include "runtime/state.h"

enum { FILTER_MAX = 1 << 20 };

struct filter_head {
	char magic[8];
	uint32_t flags;
	uint16_t n;
	uint8_t notifies, pad;
};
static const char filter_magic[8] = "carrelF1";
enum { INSN_SIZE = 8 }; /* struct sock_filter */

int state_write_filter(int dir_fd, const struct filter_program *p, struct err *e)
{
	struct filter_head h = { .flags = p->flags, .n = p->n, .notifies = p->notifies };
	auto_buf struct buf b = BUF_LIMIT(FILTER_MAX);

	memcpy(h.magic, filter_magic, sizeof(h.magic));
	if (buf_append(&b, &h, sizeof(h), e) < 0 ||
	    buf_append(&b, p->insns, (size_t) p->n * INSN_SIZE, e) < 0)
		return -1;
	auto_close int fd = openat(dir_fd, "seccomp.bpf",
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "write the seccomp program");
	return fd_write_all(fd, buf_bytes(&b), buf_len(&b), e);
}

int state_read_filter(int dir_fd, struct filter_program *out, struct err *e)
{
	auto_buf struct buf b = BUF_LIMIT(FILTER_MAX);
	struct filter_head h;

	if (fd_read_file(dir_fd, "seccomp.bpf", FILTER_MAX, &b, e) < 0)
		return err_wrap(e, "the container's seccomp program");
	if (buf_len(&b) < sizeof(h))
		return err_set(e, EPROTO, "the container's seccomp program is cut off");
	memcpy(&h, buf_bytes(&b), sizeof(h));
	if (memcmp(h.magic, filter_magic, sizeof(h.magic)) != 0 ||
	    buf_len(&b) != sizeof(h) + (size_t) h.n * INSN_SIZE)
		return err_set(e, EPROTO, "the container's seccomp program is damaged");
	*out = (struct filter_program){ .n = h.n, .flags = h.flags, .notifies = h.notifies };
	out->insns = xalloc((size_t) h.n * INSN_SIZE + 1);
	memcpy(out->insns, buf_bytes(&b) + sizeof(h), (size_t) h.n * INSN_SIZE);
	return 0;
}
