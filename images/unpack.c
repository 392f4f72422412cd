/*
 * The parent of the two unpacking children. It moves bytes from the one (or from the file, when nothing is
 * compressed) to the other, and no byte of them means anything to it:
 *
 *   in_fd ─► inflate child ═ring═► relay: copy, hash, count, deadline ═ring═► tree child
 *                 └──sock──► SAY_DONE / SAY_FAILED                            └──sock──► the same, SAY_OPAQUE
 *
 * The copy between the rings is what makes the hash true: the inflating child could change what stands in its own
 * ring after it was hashed, nobody can in the second one.
 *
 * The relay never blocks on one descriptor: the tree child may wait for an answer while its ring is full.
 * A child that died without a word is a failure; both are dead when unpack_archive returns.
 */
#include "images/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "images/confine.h"
#include "images/ring.h"
#include "images/unpack_child.h"

struct worker {
	struct child child;
	int sock;
	bool said; /* its last message has come */
	struct unpack_message last;
};

struct relay {
	const struct unpack_spec *spec;
	struct worker inflate, tree;
	struct ring in, out;
	int in_sock, out_sock; /* of the rings; -1: that side is closed */
	bool in_done;	       /* all has been taken from the source */
	dev_t tree_dev;
	struct hash *hash;
	uint64_t bytes, deadline_ms;
};

static int start_inflate(struct relay *r, struct err *e)
{
	auto_ring_parts struct ring_parts p = RING_PARTS_NONE;
	struct unpack_child arg = { .spec = r->spec, .in_fd = r->spec->in_fd, .out_fd = -1 };

	if (ring_make(&p, e) < 0 || ring_open(&r->in, false, p.read_fd, p.reader_sock, e) < 0)
		return -1;
	r->in_sock = take_fd(&p.reader_sock);
	arg.ring_fd = p.write_fd;
	arg.ring_sock = p.writer_sock;
	return unpack_child_start_inflate(&arg, &r->inflate.child, &r->inflate.sock, e);
}

static int start_tree(struct relay *r, struct err *e)
{
	auto_ring_parts struct ring_parts p = RING_PARTS_NONE;
	struct unpack_child arg = { .spec = r->spec, .in_fd = -1, .out_fd = r->spec->image_fd };

	if (ring_make(&p, e) < 0 || ring_open(&r->out, true, p.write_fd, p.writer_sock, e) < 0)
		return -1;
	r->out_sock = take_fd(&p.writer_sock);
	arg.ring_fd = p.read_fd;
	arg.ring_sock = p.reader_sock;
	return unpack_child_start_tree(&arg, &r->tree.child, &r->tree.sock, e);
}

static int check_growth(const struct relay *r, struct err *e)
{
	const struct image_limits *l = &r->spec->limits;

	/* The archive's own headers and padding come on top of what its files may have. */
	if (r->bytes > l->bytes + l->bytes / 8 + (64U << 20))
		return err_set(e, EFBIG,
			       "it unpacks to more than the %llu bytes that are allowed",
			       (unsigned long long) l->bytes);
	if (r->spec->compression != COMPRESSION_NONE && r->bytes > l->ratio_floor &&
	    r->bytes / l->ratio > r->spec->in_bytes)
		return err_set(e, EFBIG,
			       "%llu bytes unpack to more than %llu times as many, as bombs do",
			       (unsigned long long) r->spec->in_bytes,
			       (unsigned long long) l->ratio);
	return 0;
}

/* The next bytes of the stream, into the slot: 0 at its end. */
static ssize_t fill(struct relay *r, uint8_t *slot, struct err *e)
{
	const uint8_t *p;
	ssize_t n;

	if (r->spec->compression == COMPRESSION_NONE) {
		do
			n = read(r->spec->in_fd, slot, RING_SLOT);
		while (n < 0 && errno == EINTR);
		return n < 0 ? err_sys(e, "read") : n;
	}
	n = ring_take(&r->in, &p, e);
	if (n <= 0)
		return n;
	memcpy(slot, p, (size_t) n);
	return ring_release(&r->in, e) < 0 ? -1 : n;
}

static int move(struct relay *r, struct err *e)
{
	uint8_t *slot = ring_room(&r->out, e); /* there is one */
	ssize_t n = slot ? fill(r, slot, e) : -1;

	if (n < 0)
		return -1;
	if (n == 0) { /* the child sees it, and may still give slots back */
		r->in_done = true;
		(void) shutdown(r->out_sock, SHUT_WR);
		return 0;
	}
	r->bytes += (uint64_t) n;
	if (check_growth(r, e) < 0 || hash_update(r->hash, slot, (size_t) n, e) < 0)
		return -1;
	if (ring_post(&r->out, (size_t) n, e) == 0)
		return 0;
	if (e->code != EPIPE)
		return -1;
	*e = ERR_NONE; /* the child has ended: its last message says why */
	fd_close(&r->out_sock);
	return 0;
}

static int take_credit(struct relay *r, struct err *e)
{
	if (ring_credit(&r->out, e) == 0)
		return 0;
	if (e->code != EPIPE)
		return -1;
	*e = ERR_NONE;
	fd_close(&r->out_sock);
	return 0;
}

/* The descriptor comes from a child that may have been taken over: it has to be a directory of the
 * file system that the tree is on, and the child sees no other part of that than its tree. */
static int mark_opaque(struct relay *r, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_dev != r->tree_dev)
		return err_set(e, EPERM,
			       "the unpacking child asked to mark something else than "
			       "a directory of its tree");
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_sys(e, "mark an opaque directory");
	return sock_send(r->tree.sock, "", 1, NULL, 0, e);
}

static void keep_words(struct worker *w, const struct unpack_message *m)
{
	w->last = *m;
	w->last.err.msg[sizeof(w->last.err.msg) - 1] = '\0';
	w->said = true;
}

/* One message or the end of the stream. */
static int listen_to(struct relay *r, struct worker *w, struct err *e)
{
	struct unpack_message m = { 0 };
	auto_close int fd = -1;
	size_t n_fds = 1;
	ssize_t n = sock_recv(w->sock, &m, sizeof(m), &fd, &n_fds, e);

	if (n == 0 ||
	    (n < 0 && e->code == ECONNRESET)) { /* reset: it died with our answer unread */
		fd_close(&w->sock);
		return 0;
	}
	if (n < 0)
		return -1;
	if (n == sizeof(struct err)) { /* the confinement failed; no message has this length */
		struct unpack_message failed = { .say = SAY_FAILED };

		memcpy(&failed.err, &m, sizeof(failed.err));
		keep_words(w, &failed);
		return 0;
	}
	if (n != sizeof(m) || w->said)
		return err_set(e, EPROTO, "the unpacking child speaks out of turn");
	if (m.say == SAY_OPAQUE && r->spec->image_fd < 0)
		return n_fds == 1
			       ? mark_opaque(r, fd, e)
			       : err_set(e, EPROTO, "the unpacking child sent no descriptor");
	keep_words(w, &m);
	return 0;
}

static int turn(struct relay *r, struct err *e)
{
	bool room = r->out_sock >= 0 && r->out.empty > 0 && !r->in_done;
	bool plain = r->spec->compression == COMPRESSION_NONE;
	struct pollfd p[] = {
		{ .fd = room ? (plain ? r->spec->in_fd : r->in_sock) : -1, .events = POLLIN },
		{ .fd = r->out_sock, .events = POLLIN },
		{ .fd = r->inflate.sock, .events = POLLIN },
		{ .fd = r->tree.sock, .events = POLLIN },
	};
	uint64_t now = clock_mono_ms();

	if (now >= r->deadline_ms)
		return err_set(e, ETIMEDOUT,
			       "it takes longer than the %llu seconds that are allowed",
			       (unsigned long long) r->spec->limits.seconds);
	if (poll(p, ARRAY_SIZE(p), (int) MIN(r->deadline_ms - now, 1000000U)) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	if (p[2].revents && listen_to(r, &r->inflate, e) < 0)
		return -1;
	if (p[3].revents && listen_to(r, &r->tree, e) < 0)
		return -1;
	if (p[0].revents && move(r, e) < 0)
		return -1;
	return p[1].revents && r->out_sock >= 0 ? take_credit(r, e) : 0;
}

/* Until both children have closed their sockets, which they do by ending. */
static int run(struct relay *r, struct err *e)
{
	while (r->tree.sock >= 0 || r->inflate.sock >= 0) {
		if (turn(r, e) < 0)
			return -1;
		if (r->out_sock < 0 || r->tree.sock < 0) { /* nobody takes more */
			fd_close(&r->out_sock);
			fd_close(&r->in_sock);
		}
	}
	return 0;
}

static int worker_result(struct worker *w, const char *what, struct err *e)
{
	struct child_status st;

	if (w->child.pidfd < 0)
		return 0;
	if (child_wait(&w->child, &st, e) < 0)
		return -1;
	if (w->said && w->last.say == SAY_FAILED) {
		*e = w->last.err;
		return -1;
	}
	if (!w->said || st.signalled || st.code != 0)
		return err_set(e, EPROTO, "the %s child ended by %s %d", what,
			       st.signalled ? "signal" : "exit", st.code);
	return 0;
}

/* The tree's complaint comes first unless the stream itself was damaged: then the tree child saw the cut. */
static int judge(struct relay *r, struct unpack_result *out, struct err *e)
{
	const struct digest *expect = r->spec->expect;
	struct err inflate = ERR_NONE;
	bool foreign = r->tree.said && r->tree.last.say == SAY_FOREIGN;
	int bad = worker_result(&r->inflate, "inflating", &inflate);

	if (bad < 0 && inflate.code != EPIPE && !foreign) {
		*e = inflate;
		return -1;
	}
	if (worker_result(&r->tree, "unpacking", e) < 0)
		return -1;
	if (foreign)
		return UNPACK_FOREIGN;
	if (hash_final(r->hash, &out->digest, e) < 0)
		return -1;
	if (expect && !digest_equal(expect, &out->digest))
		return err_set(e, EINVAL,
			       "the unpacked content has the digest %s, the image's "
			       "configuration says %s",
			       digest_text(&out->digest).s, digest_text(expect).s);
	out->bytes = r->bytes;
	out->entries = r->tree.last.entries;
	out->stats = r->tree.last.stats;
	return UNPACK_DONE;
}

static int relay_start(struct relay *r, struct err *e)
{
	const struct digest *expect = r->spec->expect;
	struct stat st;

	if (r->spec->compression == COMPRESSION_FOREIGN)
		return err_set(e, ENOTSUP, "its compression is none of gzip and zstd");
	if (r->spec->tree_fd >= 0) {
		if (fstat(r->spec->tree_fd, &st) < 0)
			return err_sys(e, "tree");
		r->tree_dev = st.st_dev;
	}
	if (hash_new(expect ? digest_kind(expect) : DIGEST_SHA256, &r->hash, e) < 0)
		return -1;
	if (r->spec->compression != COMPRESSION_NONE && start_inflate(r, e) < 0)
		return -1;
	return start_tree(r, e);
}

static void relay_free(struct relay *r)
{
	child_end(&r->inflate.child);
	child_end(&r->tree.child);
	fd_close(&r->inflate.sock);
	fd_close(&r->tree.sock);
	ring_fini(&r->in);
	ring_fini(&r->out);
	fd_close(&r->in_sock);
	fd_close(&r->out_sock);
	hash_free_ptr(&r->hash);
	free(r);
}

int unpack_archive(const struct unpack_spec *spec, struct unpack_result *out, struct err *e)
{
	struct relay *r = xalloc(sizeof(*r));
	struct unpack_result result = { 0 };
	int ret;

	r->spec = spec;
	r->in = r->out = RING_NONE;
	r->in_sock = r->out_sock = -1;
	r->inflate = (struct worker){ .child = CHILD_NONE, .sock = -1 };
	r->tree = (struct worker){ .child = CHILD_NONE, .sock = -1 };
	r->deadline_ms = clock_mono_ms() + spec->limits.seconds * 1000;
	ret = relay_start(r, e);
	if (ret == 0)
		ret = run(r, e);
	if (ret == 0)
		ret = judge(r, &result, e);
	if (ret == UNPACK_DONE)
		*out = result;
	relay_free(r);
	return ret;
}
