/*
 * One loop: the helper's socket, a pipe for each download, a pipe and a result for each unpacking job. Nothing in it
 * waits for one of them alone.
 */
#include "images/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "images/blob_sink.h"
#include "images/import_internal.h"
#include "images/layer.h"
#include "images/media.h"
#include "images/progress.h"
#include "images/registry.h"
#include "images/store.h"

enum {
	CHUNK = 256 * 1024,
	PIPE = 1 << 20,
	MAGIC = 8,	/* bytes that tell the compression */
	TELL = 4 << 20, /* bytes between two reports */
	FEED = 1 << 20, /* at once, so that downloads have their turn */
};

struct layer {
	const struct layer_wanted *want;
	enum { BLOB_AWAITED, BLOB_COMING, BLOB_HERE } blob;
	enum { TREE_AWAITED, TREE_GROWING, TREE_HERE } tree;
	/* coming */
	int in_fd; /* the helper's pipe; -1 after its end */
	uint32_t id;
	bool answered;
	struct blob_sink sink;
	uint64_t told;
	/* growing */
	struct layer_job job;
	int file_fd; /* the blob, for reading */
	int feed_fd; /* the job's pipe; -1: it has everything */
	uint64_t fed;
};

struct bringing {
	struct import *im;
	struct registry *registry;
	const char *repo;
	struct layer *v;
	size_t n;
	unsigned coming, growing, max_coming, max_growing;
	uint8_t *chunk;
};

static const struct progress *progress(const struct bringing *b)
{
	return b->registry ? b->registry->options->progress : NULL;
}

static int wrap(const struct layer *l, struct err *e)
{
	return err_wrap(e, "layer %s", digest_text(&l->want->blob.digest).s);
}

/* ---- what is there already ---- */

static struct layer *same_blob(struct bringing *b, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (digest_equal(&b->v[k].want->blob.digest, &b->v[i].want->blob.digest))
			return &b->v[k];
	}
	return NULL;
}

static int look(struct bringing *b, size_t i, struct err *e)
{
	struct layer *l = &b->v[i];
	const struct blob *blob = &l->want->blob;
	const struct layer *first = same_blob(b, i);
	int have, known;

	if (first && (!digest_equal(&first->want->diff_id, &l->want->diff_id) ||
		      first->want->blob.size != blob->size))
		return err_set(e, EINVAL, "one layer, %s, with two sizes or diff_ids",
			       digest_text(&blob->digest).s);
	if (first) {
		l->blob = BLOB_HERE;
		l->tree = TREE_HERE;
		return 0;
	}
	have = b->registry ? import_has_blob(b->im, blob, e) : 1;
	known = have < 0 ? -1 : import_knows_layer(b->im, blob, &l->want->diff_id, e);
	if (known < 0)
		return -1;
	l->blob = have ? BLOB_HERE : BLOB_AWAITED;
	l->tree = known ? TREE_HERE : TREE_AWAITED;
	progress_blob(progress(b), &blob->digest, have ? "present" : "waiting", 0, blob->size);
	return 0;
}

/* ---- downloads ---- */

static int start_download(struct bringing *b, struct layer *l, struct err *e)
{
	struct registry_request q = { .op = REGISTRY_BLOB, .size = l->want->blob.size };
	int pipe_fds[2], r;

	snprintf(q.repo, sizeof(q.repo), "%s", b->repo);
	snprintf(q.ref, sizeof(q.ref), "%s", digest_text(&l->want->blob.digest).s);
	if (blob_sink_begin(b->im->work, &l->want->blob, 0, &l->sink, e) < 0)
		return -1;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	l->in_fd = pipe_fds[0];
	/* Smaller ones work too: an ordinary user's pipes are limited. */
	(void) fcntl(l->in_fd, F_SETPIPE_SZ, PIPE);
	r = registry_send(b->registry, &q, pipe_fds[1], e);
	fd_close(&pipe_fds[1]);
	l->id = q.id;
	l->blob = BLOB_COMING;
	b->coming++;
	return r;
}

static int blob_came(struct bringing *b, struct layer *l, struct err *e)
{
	struct blob got;

	if (blob_sink_finish(&l->sink, &got, e) < 0)
		return -1;
	l->blob = BLOB_HERE;
	b->coming--;
	progress_blob(progress(b), &got.digest, "done", got.size, got.size);
	return 0;
}

static int take_bytes(struct bringing *b, struct layer *l, struct err *e)
{
	ssize_t n = read(l->in_fd, b->chunk, CHUNK);

	if (n < 0)
		return errno == EINTR ? 0 : err_sys(e, "read");
	if (n == 0) {
		fd_close(&l->in_fd);
		return l->answered ? blob_came(b, l, e) : 0;
	}
	if (blob_sink_put(&l->sink, b->chunk, (size_t) n, e) < 0)
		return -1;
	if (l->sink.size - l->told >= TELL) {
		l->told = l->sink.size;
		progress_blob(progress(b), &l->want->blob.digest, "moving", l->sink.size,
			      l->want->blob.size);
	}
	return 0;
}

static int take_answer(struct bringing *b, struct err *e)
{
	struct registry_answer a;

	if (registry_recv(b->registry, &a, e) < 0)
		return -1;
	if (a.kind == REGISTRY_FAILED) {
		(void) registry_failure(b->registry, &a, e);
		for (size_t i = 0; i < b->n; i++) {
			if (b->v[i].id == a.id && a.id != 0)
				return wrap(&b->v[i], e);
		}
		return -1;
	}
	for (size_t i = 0; i < b->n; i++) {
		struct layer *l = &b->v[i];

		if (l->blob != BLOB_COMING || l->id != a.id)
			continue;
		l->answered = true;
		return l->in_fd < 0 ? blob_came(b, l, e) : 0;
	}
	return 0;
}

/* ---- unpacking ---- */

static uint64_t available(const struct layer *l)
{
	return l->blob == BLOB_COMING ? l->sink.size : l->want->blob.size;
}

static int open_for_reading(struct bringing *b, struct layer *l, struct err *e)
{
	if (l->blob == BLOB_HERE)
		return blob_open(b->im->store, b->im->work, &l->want->blob.digest, e);
	int fd = openat(b->im->work->blobs_fd, l->sink.name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "the file in tmp/") : fd;
}

static int check_compression(const struct layer *l, struct err *e)
{
	enum compression real;

	if (compression_of_file(l->file_fd, &real, e) < 0)
		return -1;
	if (real != l->want->compression)
		return err_set(e, EINVAL, "its media type says %s, its content %s",
			       compression_name(l->want->compression), compression_name(real));
	return 0;
}

/* A blob that is whole is read from its file; one that is coming, through a pipe. */
static int start_unpacking(struct bringing *b, struct layer *l, struct err *e)
{
	auto_close int out = -1;
	int pipe_fds[2], r;

	l->file_fd = open_for_reading(b, l, e);
	if (l->file_fd < 0 || check_compression(l, e) < 0)
		return -1;
	if (l->blob == BLOB_COMING) {
		if (pipe2(pipe_fds, O_CLOEXEC) < 0)
			return err_sys(e, "pipe");
		out = pipe_fds[0];
		l->feed_fd = pipe_fds[1];
		(void) fcntl(l->feed_fd, F_SETPIPE_SZ, PIPE);
		if (fd_set_nonblock(l->feed_fd, true, e) < 0)
			return -1;
	}
	const struct layer_spec spec = { .in_fd = out >= 0 ? out : l->file_fd,
					 .compression = l->want->compression,
					 .in_bytes = l->want->blob.size,
					 .expect = &l->want->diff_id,
					 .skip_devices = b->im->options->skip_devices,
					 .format = b->im->options->format,
					 .limits = b->im->options->limits };
	r = layer_start(b->im->work, &spec, &l->job, e);
	l->tree = TREE_GROWING;
	b->growing++;
	return r;
}

/* From the file into the job's pipe, as far as there is something and the pipe takes it. */
static int feed(struct layer *l, struct err *e)
{
	const uint64_t end = available(l);
	off_t at = (off_t) l->fed;

	if (l->fed < end) {
		ssize_t n = sendfile(l->feed_fd, l->file_fd, &at,
				     MIN(end - l->fed, (uint64_t) FEED));

		if (n < 0 && errno == EPIPE) { /* the job has ended, and says why */
			fd_close(&l->feed_fd);
			return 0;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			(void) err_sys(e, "feed the unpacking job");
			return wrap(l, e);
		}
		l->fed += (uint64_t) MAX(n, 0);
	}
	if (l->fed == l->want->blob.size)
		fd_close(&l->feed_fd);
	return 0;
}

/* A job that came to its end before its blob did has failed. */
static int end_unpacking(struct bringing *b, struct layer *l, struct err *e)
{
	struct digest found;

	fd_close(&l->feed_fd);
	fd_close(&l->file_fd);
	b->growing--;
	if (layer_finish(&l->job, &l->want->blob, &found, e) < 0)
		return -1;
	if (l->blob != BLOB_HERE) {
		(void) err_set(e, EINVAL, "its archive ends before its bytes do");
		return wrap(l, e);
	}
	l->tree = TREE_HERE;
	progress_blob(progress(b), &l->want->blob.digest, "unpacked", l->want->blob.size,
		      l->want->blob.size);
	return 0;
}

/* ---- the loop ---- */

static int start_more(struct bringing *b, struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		struct layer *l = &b->v[i];
		bool readable = l->blob == BLOB_HERE ||
				(l->blob == BLOB_COMING &&
				 l->sink.size >= MIN(l->want->blob.size, (uint64_t) MAGIC));

		if (l->blob == BLOB_AWAITED && b->coming < b->max_coming &&
		    start_download(b, l, e) < 0)
			return wrap(l, e);
		if (l->tree == TREE_AWAITED && readable && b->growing < b->max_growing &&
		    start_unpacking(b, l, e) < 0)
			return wrap(l, e);
	}
	return 0;
}

static bool over(const struct bringing *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].blob != BLOB_HERE || b->v[i].tree != TREE_HERE)
			return false;
	}
	return true;
}

/* What a layer is waited for: three descriptors, -1 where there is none. */
static void watch(const struct layer *l, struct pollfd p[3])
{
	const bool hungry = l->feed_fd >= 0 && l->fed < available(l);
	const bool growing = l->tree == TREE_GROWING;

	p[0] = (struct pollfd){ .fd = l->blob == BLOB_COMING ? l->in_fd : -1,
				.events = POLLIN };
	p[1] = (struct pollfd){ .fd = hungry ? l->feed_fd : -1, .events = POLLOUT };
	/* A job that was given everything waits for the blob's verdict. */
	p[2] = (struct pollfd){ .fd = growing && (l->blob == BLOB_HERE ||
						  l->fed < l->want->blob.size)
					      ? l->job.unpack.fd
					      : -1,
				.events = POLLIN };
}

static int serve_layer(struct bringing *b, struct layer *l, const struct pollfd p[3],
		       struct err *e)
{
	if (p[0].revents && take_bytes(b, l, e) < 0)
		return -1;
	if (p[1].revents && l->feed_fd >= 0 && feed(l, e) < 0)
		return -1;
	return p[2].revents ? end_unpacking(b, l, e) : 0;
}

static int turn(struct bringing *b, struct pollfd *p, struct err *e)
{
	const size_t sock = 3 * b->n;

	for (size_t i = 0; i < b->n; i++)
		watch(&b->v[i], &p[3 * i]);
	p[sock] = (struct pollfd){ .fd = b->coming ? b->registry->fd : -1, .events = POLLIN };
	if (poll(p, sock + 1, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	for (size_t i = 0; i < b->n; i++) {
		if (serve_layer(b, &b->v[i], &p[3 * i], e) < 0)
			return -1;
	}
	return p[sock].revents ? take_answer(b, e) : 0;
}

static int bring(struct bringing *b, struct err *e)
{
	auto_free struct pollfd *p = xalloc((3 * b->n + 1) * sizeof(*p));
	auto_free uint8_t *chunk = xalloc(CHUNK);

	b->chunk = chunk;
	for (size_t i = 0; i < b->n; i++) {
		if (look(b, i, e) < 0)
			return -1;
	}
	while (!over(b)) {
		if (start_more(b, e) < 0 || turn(b, p, e) < 0)
			return -1;
	}
	return 0;
}

int layers_bring(struct import *im, struct registry *r, const char *repo,
		 const struct layer_wanted *wanted, size_t n, struct err *e)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	auto_free struct layer *v = xalloc(n * sizeof(*v));
	struct bringing b = { .im = im,
			      .registry = r,
			      .repo = repo,
			      .v = v,
			      .n = n,
			      .max_coming = r ? r->options->parallel : 0,
			      .max_growing = (unsigned) MAX(cores, 1) };
	int code;

	for (size_t i = 0; i < n; i++)
		v[i] = (struct layer){ .want = &wanted[i],
				       .in_fd = -1,
				       .sink = BLOB_SINK_NONE,
				       .job = LAYER_JOB_NONE,
				       .file_fd = -1,
				       .feed_fd = -1 };
	code = bring(&b, e);
	for (size_t i = 0; i < n; i++) {
		fd_close(&v[i].in_fd);
		fd_close(&v[i].feed_fd);
		fd_close(&v[i].file_fd);
		blob_sink_fini(&v[i].sink);
		layer_cancel(&v[i].job);
	}
	return code;
}
