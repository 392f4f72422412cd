#include "images/pack_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "images/confine.h"
#include "images/limits.h"
#include "images/pack.h"
#include "images/tar_write.h"

enum pack_say { PACK_ASK, PACK_DONE, PACK_FAILED };

/* The confinement itself fails with a bare struct err, told apart by its length. */
struct pack_message {
	enum pack_say say;
	struct err err;
	struct digest diff_id;
	struct upper_stats stats;
	bool userxattr; /* PACK_ASK: which opaque mark is meant */
};

/* Up to the end of the names, and no further, goes over the socket. */
struct pack_answer {
	struct err err;
	char opaque; /* the mark's value, 0 without one */
	uint32_t n;
	char names[64 * 1024];
};

/* ---- the child ---- */

struct packer {
	const struct pack_spec *spec;
	struct pack_answer answer;
	int sock;
};

static int ask(void *arg, int path_fd, bool userxattr, struct upper_xattrs *out, struct err *e)
{
	const struct pack_message m = { .say = PACK_ASK, .userxattr = userxattr };
	struct packer *p = arg;
	ssize_t n;

	if (sock_send(p->sock, &m, sizeof(m), &path_fd, 1, e) < 0)
		return -1;
	n = sock_recv(p->sock, &p->answer, sizeof(p->answer), NULL, NULL, e);
	if (n < (ssize_t) offsetof(struct pack_answer, names))
		return n < 0 ? -1 : err_set(e, EPIPE, "the parent is gone");
	if (p->answer.err.code) {
		*e = p->answer.err;
		return -1;
	}
	*out = (struct upper_xattrs){ .opaque = p->answer.opaque };
	out->names = xalloc((size_t) p->answer.n + 1);
	memcpy(out->names, p->answer.names, p->answer.n);
	return 0;
}

static int to_pack(void *arg, const void *p, size_t n, struct err *e)
{
	return pack_write(arg, p, n, e);
}

static int write_layer(struct packer *p, struct pack_message *m)
{
	const struct upper_source source = { .xattrs = ask, .arg = p };
	auto_pack struct pack *to = NULL;
	auto_tar_writer struct tar_writer *w = NULL;
	auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(&m->err, "open");
	if (pack_new(p->spec->compression, p->spec->out_fd, &to, &m->err) < 0 ||
	    tar_writer_new(to_pack, to, &w, &m->err) < 0 ||
	    upper_write(root, &source, p->spec->upper, p->spec->limits->bytes, w, &m->stats,
			&m->err) < 0 ||
	    tar_writer_finish(w, &m->err) < 0)
		return -1;
	return pack_finish(to, &m->diff_id, &m->err);
}

static int pack_main(void *arg, int sock)
{
	struct pack_message m = { .say = PACK_DONE };
	struct err ignored = ERR_NONE;
	struct packer *p = arg;

	p->sock = sock;
	if (write_layer(p, &m) < 0)
		m.say = PACK_FAILED;
	(void) sock_send(sock, &m, sizeof(m), NULL, 0, &ignored);
	return m.say == PACK_FAILED;
}

/* ---- the parent ---- */

static int names_of(int fd, struct pack_answer *a, struct err *e)
{
	const ssize_t n = listxattr(fd_path(fd).s, a->names, sizeof(a->names));

	if (n < 0 && errno != ENOTSUP)
		return err_sys(e, "extended attributes");
	a->n = n < 0 ? 0 : (uint32_t) n;
	return 0;
}

/* The descriptor may be of anything: nothing is opened by it, and only names of attributes go back. */
static void look_up(int fd, bool userxattr, struct pack_answer *a)
{
	const char *mark = userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque";

	a->err = ERR_NONE;
	a->opaque = 0;
	a->n = 0;
	if (names_of(fd, a, &a->err) == 0 && getxattr(fd_path(fd).s, mark, &a->opaque, 1) != 1)
		a->opaque = 0;
}

static int answer(int sock, int fd, bool userxattr, struct err *e)
{
	auto_free struct pack_answer *a = xalloc(sizeof(*a));

	look_up(fd, userxattr, a);
	return sock_send(sock, a, offsetof(struct pack_answer, names) + a->n, NULL, 0, e);
}

static int wait_for(int sock, uint64_t deadline_ms, uint64_t seconds, struct err *e)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };

	for (;;) {
		const uint64_t now = clock_mono_ms();
		int r;

		if (now >= deadline_ms)
			return err_set(e, ETIMEDOUT,
				       "it takes longer than the %llu seconds that are allowed",
				       (unsigned long long) seconds);
		r = poll(&p, 1, (int) MIN(deadline_ms - now, 1000000U));
		if (r < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (r > 0)
			return 0;
	}
}

/* One message: 1 to go on, 0 when it was the last word. */
static int listen_once(int sock, struct pack_message *m, struct err *e)
{
	int fd = -1;
	size_t n_fds = 1;
	ssize_t n = sock_recv(sock, m, sizeof(*m), &fd, &n_fds, e);
	auto_close int asked = n_fds == 1 ? fd : -1;

	if (n < 0)
		return -1;
	if (n == sizeof(struct err)) {
		memcpy(e, m, sizeof(*e));
		return -1;
	}
	if (n != sizeof(*m))
		return err_set(e, EPROTO, "the packing child ended without a word");
	if (m->say != PACK_ASK)
		return 0;
	if (asked < 0)
		return err_set(e, EPROTO, "the packing child asks about nothing");
	return answer(sock, asked, m->userxattr, e) < 0 ? -1 : 1;
}

static int serve(int sock, const struct image_limits *l, struct pack_message *m, struct err *e)
{
	const uint64_t deadline = clock_mono_ms() + l->seconds * 1000;
	int r;

	do {
		if (wait_for(sock, deadline, l->seconds, e) < 0)
			return -1;
		r = listen_once(sock, m, e);
	} while (r == 1);
	if (r < 0)
		return -1;
	if (m->say != PACK_DONE) {
		*e = m->err;
		return e->code ? -1 : err_set(e, EPROTO, "the packing child failed");
	}
	return 0;
}

int pack_upper(const struct pack_spec *spec, struct digest *diff_id, struct upper_stats *stats,
	       struct err *e)
{
	auto_free struct packer *p = xalloc(sizeof(*p));
	const struct confine_spec confine = { .kind = CONFINE_READ,
					      .tree_fd = spec->upper_fd,
					      .keep_fds = { spec->out_fd },
					      .n_keep_fds = 1,
					      .file_bytes = spec->limits->blob_bytes,
					      .seconds = spec->limits->seconds,
					      .main = pack_main,
					      .arg = p,
					      .exec_fd = -1 };
	struct pack_message m = { 0 };
	struct child child = CHILD_NONE;
	auto_close int sock = -1;
	int r;

	p->spec = spec;
	if (confine_start(&confine, &child, &sock, e) < 0)
		return -1;
	r = serve(sock, spec->limits, &m, e);
	child_end(&child);
	if (r < 0)
		return -1;
	*diff_id = m.diff_id;
	*stats = m.stats;
	return 0;
}
