#include "images/unpack_child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/helper.h"
#include "base/sock.h"
#include "images/confine.h"
#include "images/erofs.h"
#include "images/ring.h"
#include "images/source_names.h"
#include "images/tar.h"

/* ---- the inflating child ---- */

static int inflate_main(void *arg, int sock)
{
	const struct unpack_child *c = arg;

	return unpack_child_inflate(c->spec->compression == COMPRESSION_ZSTD ? inflate_zstd
									     : inflate_zlib,
				    c->in_fd, c->ring_fd, c->ring_sock, sock);
}

/* CARREL_TEST_NO_ISAL in the environment: as if it were not installed. */
static int open_helper(const struct unpack_child *c)
{
	auto_free char *path = NULL;

	if (c->spec->compression != COMPRESSION_GZIP || getenv("CARREL_TEST_NO_ISAL"))
		return -1;
	path = helper_find("carrel-inflate");
	return path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

int unpack_child_start_inflate(struct unpack_child *c, struct child *out, int *sock,
			       struct err *e)
{
	const uint64_t seconds = MIN(c->spec->limits.seconds, 1U << 30);
	auto_close int helper = open_helper(c);
	char text[N_ARGS][16];
	char *argv[N_ARGS + 1] = { 0 };
	const int numbers[N_ARGS] = {
		[ARG_IN] = c->in_fd,
		[ARG_RING] = c->ring_fd,
		[ARG_RING_SOCK] = c->ring_sock,
		[ARG_SECONDS] = (int) seconds,
	};

	for (int i = 0; i < N_ARGS; i++) {
		snprintf(text[i], sizeof(text[i]), "%d", numbers[i]);
		argv[i] = text[i];
	}
	snprintf(text[ARG_NAME], sizeof(text[ARG_NAME]), "carrel-inflate");
	const struct confine_spec spec = {
		.kind = CONFINE_STREAM,
		.tree_fd = -1,
		.keep_fds = { c->in_fd, c->ring_fd, c->ring_sock },
		.n_keep_fds = 3,
		.seconds = seconds,
		.main = inflate_main,
		.arg = c,
		.exec_fd = helper,
		.argv = argv,
		.sock_arg = ARG_SOCK,
	};
	return confine_start(&spec, out, sock, e);
}

/* ---- the unpacking child ---- */

struct tree_child {
	const struct unpack_child *c;
	struct ring ring;
	int sock;
	struct extract *x; /* one of the two */
	struct erofs *image;
};

static ssize_t take_slot(void *arg, const void **p, struct err *e)
{
	struct tree_child *t = arg;
	const uint8_t *bytes = NULL;
	ssize_t n;

	if (ring_release(&t->ring, e) < 0)
		return -1;
	n = ring_take(&t->ring, &bytes, e);
	*p = bytes;
	return n;
}

static int ask_opaque(void *arg, int dir_fd, struct err *e)
{
	const struct unpack_message m = { .say = SAY_OPAQUE };
	const struct tree_child *t = arg;
	char answer;

	if (sock_send(t->sock, &m, sizeof(m), &dir_fd, 1, e) < 0)
		return -1;
	if (sock_recv(t->sock, &answer, 1, NULL, NULL, e) != 1)
		return err_set(e, EPIPE, "the parent is gone");
	return 0;
}

static int unpack_all(struct tree_child *tc, struct tar *t, struct unpack_message *m)
{
	struct tar_entry en;
	int r;

	while ((r = tar_next(t, &en, &m->err)) == 1) {
		if (tc->c->spec->kind == UNPACK_SOURCE && !source_name_known(en.path)) {
			m->say = SAY_FOREIGN;
			return 0;
		}
		if ((tc->image ? erofs_entry(tc->image, t, &en, &m->err)
			       : extract_entry(tc->x, t, &en, &m->err)) < 0)
			return -1;
	}
	if (r < 0)
		return -1;
	m->entries = tar_stats(t).entries;
	return tc->image ? erofs_finish(tc->image, &m->stats, &m->err)
			 : extract_finish(tc->x, &m->stats, &m->err);
}

/* The parent hashes the whole stream, so all of it has to be taken, also what follows the archive's end. */
static int drain(struct tree_child *tc, struct err *e)
{
	const void *p;
	ssize_t r;

	do
		r = take_slot(tc, &p, e);
	while (r > 0);
	return (int) r;
}

static int unpack_stream(struct tree_child *tc, struct unpack_message *m)
{
	auto_tar struct tar *t = NULL;

	if (tar_open(take_slot, tc, &tc->c->spec->limits, &t, &m->err) < 0 ||
	    unpack_all(tc, t, m) < 0)
		return -1;
	return m->say == SAY_FOREIGN ? 0 : drain(tc, &m->err);
}

static int unpack_image(struct tree_child *tc, struct unpack_message *m)
{
	auto_erofs struct erofs *w = NULL;

	if (erofs_new(tc->c->out_fd, tc->c->spec->skip_devices, &w, &m->err) < 0)
		return -1;
	tc->image = w;
	return unpack_stream(tc, m);
}

static int unpack_tree(struct tree_child *tc, struct unpack_message *m)
{
	const struct unpack_spec *spec = tc->c->spec;
	const struct extract_policy policy = { .layer = spec->kind == UNPACK_LAYER,
					       .skip_devices = spec->skip_devices,
					       .mark_opaque = ask_opaque,
					       .arg = tc };
	auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_extract struct extract *x = extract_new(root, &policy);

	if (root < 0)
		return err_sys(&m->err, "open the tree");
	tc->x = x;
	return unpack_stream(tc, m);
}

static int tree_main(void *arg, int sock)
{
	struct tree_child tc = { .c = arg, .sock = sock };
	struct unpack_message m = { .say = SAY_DONE };
	struct err ignored = ERR_NONE;

	if (ring_open(&tc.ring, false, tc.c->ring_fd, tc.c->ring_sock, &m.err) < 0 ||
	    (tc.c->out_fd >= 0 ? unpack_image(&tc, &m) : unpack_tree(&tc, &m)) < 0)
		m.say = SAY_FAILED;
	(void) sock_send(sock, &m, sizeof(m), NULL, 0, &ignored);
	return m.say == SAY_FAILED;
}

int unpack_child_start_tree(struct unpack_child *c, struct child *out, int *sock, struct err *e)
{
	const struct image_limits *l = &c->spec->limits;
	const bool image = c->out_fd >= 0;
	const struct confine_spec spec = {
		.kind = image ? CONFINE_IMAGE : CONFINE_TREE,
		.tree_fd = c->spec->tree_fd,
		.keep_fds = { c->ring_fd, c->ring_sock, c->out_fd },
		.n_keep_fds = image ? 3 : 2,
		/* Of an image's files, each may end in a block of its own. */
		.file_bytes = image ? 2 * l->bytes + l->entries * 8192 : l->bytes,
		.seconds = c->spec->limits.seconds,
		.main = tree_main,
		.arg = c,
		.exec_fd = -1
	};

	return confine_start(&spec, out, sock, e);
}
