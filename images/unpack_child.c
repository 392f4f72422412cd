#include "images/unpack_child.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "images/source_names.h"
#include "images/tar.h"

static int say(int sock, struct unpack_message *m)
{
	struct err ignored = ERR_NONE;

	/* A parent that does not listen any more has ended the work. */
	(void) sock_send(sock, m, sizeof(*m), NULL, 0, &ignored);
	return m->say == SAY_FAILED;
}

int unpack_child_inflate(void *arg, int sock)
{
	const struct unpack_child *c = arg;
	struct unpack_message m = { .say = SAY_DONE };

	if (inflate_stream(c->in_fd, c->out_fd, &m.err) < 0)
		m.say = SAY_FAILED;
	return say(sock, &m);
}

static ssize_t read_pipe(void *arg, void *p, size_t n, struct err *e)
{
	const struct unpack_child *c = arg;
	ssize_t r;

	do
		r = read(c->in_fd, p, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "read") : r;
}

static int ask_opaque(void *arg, int dir_fd, struct err *e)
{
	const struct unpack_message m = { .say = SAY_OPAQUE };
	int sock = *(const int *) arg;
	char answer;

	if (sock_send(sock, &m, sizeof(m), &dir_fd, 1, e) < 0)
		return -1;
	if (sock_recv(sock, &answer, 1, NULL, NULL, e) != 1)
		return err_set(e, EPIPE, "the parent is gone");
	return 0;
}

static int unpack_all(struct unpack_child *c, struct tar *t, struct extract *x,
		      struct unpack_message *m)
{
	struct tar_entry en;
	int r;

	while ((r = tar_next(t, &en, &m->err)) == 1) {
		if (c->spec->kind == UNPACK_SOURCE && !source_name_known(en.path)) {
			m->say = SAY_FOREIGN;
			return 0;
		}
		if (extract_entry(x, t, &en, &m->err) < 0)
			return -1;
	}
	if (r < 0)
		return -1;
	m->entries = tar_stats(t).entries;
	return extract_finish(x, &m->stats, &m->err);
}

/* The parent hashes the whole stream, so all of it has to be taken, also what follows the archive's end. */
static int drain(struct unpack_child *c, struct err *e)
{
	char rest[4096];
	ssize_t r;

	do
		r = read_pipe(c, rest, sizeof(rest), e);
	while (r > 0);
	return (int) r;
}

static int unpack_tree(struct unpack_child *c, int sock, struct unpack_message *m)
{
	const struct extract_policy policy = { .layer = c->spec->kind == UNPACK_LAYER,
					       .skip_devices = c->spec->skip_devices,
					       .mark_opaque = ask_opaque,
					       .arg = &sock };
	auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_extract struct extract *x = extract_new(root, &policy);
	auto_tar struct tar *t = NULL;

	if (root < 0)
		return err_sys(&m->err, "open the tree");
	if (tar_open(read_pipe, c, &c->spec->limits, &t, &m->err) < 0)
		return -1;
	if (unpack_all(c, t, x, m) < 0)
		return -1;
	return m->say == SAY_FOREIGN ? 0 : drain(c, &m->err);
}

int unpack_child_tree(void *arg, int sock)
{
	struct unpack_message m = { .say = SAY_DONE };

	if (unpack_tree(arg, sock, &m) < 0)
		m.say = SAY_FAILED;
	return say(sock, &m);
}
