#include "runtime/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/util.h"
#include "runtime/sync.h"

extern char **environ;

enum { REPLY_MAX = 64 << 10, END_WAIT_MS = 10000 };

/* ---- the program ---- */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int criu_find(char **path, struct err *e)
{
	static const char usual[] =
		"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *list = getenv("PATH");
	auto_free char *copy = xstrdup(list && list[0] ? list : usual);
	char *save = NULL;

	for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		auto_free char *p = xasprintf("%s/criu", dir);

		/* A relative one would be the caller's directory, which may be a bundle. */
		if (dir[0] == '/' && is_program(p)) {
			*path = take_ptr(&p);
			return 0;
		}
	}
	return err_set(e, ENOENT,
		       "criu is not in PATH: executable file not found in $PATH; install criu "
		       "%d.%d or later",
		       CRIU_OLDEST / 10000, CRIU_OLDEST / 100 % 100);
}

/* ---- starting it ---- */

static int set_stdio(const struct criu_start *s, struct err *e)
{
	int fds[3], null_fd = FD_NONE;

	for (int i = 0; i < 3; i++) {
		fds[i] = s->stdio[i];
		if (fds[i] >= 0)
			continue;
		if (null_fd < 0)
			null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null_fd < 0)
			return err_sys(e, "/dev/null");
		fds[i] = null_fd;
	}
	return child_set_stdio(fds[0], fds[1], fds[2], e);
}

/* Ours are close-on-exec from birth, but not what our caller left open. */
static int keep_descriptors(const struct criu_start *s, int sock_fd, struct err *e)
{
	if (fd_cloexec_from(3, e) < 0)
		return -1;
	if (fcntl(sock_fd, F_SETFD, 0) < 0)
		return err_sys(e, "descriptor %d", sock_fd);
	for (size_t i = 0; i < s->n_keep_fds; i++) {
		if (fcntl(s->keep_fds[i], F_SETFD, 0) < 0)
			return err_sys(e, "descriptor %d", s->keep_fds[i]);
	}
	return 0;
}

static int become_criu(const struct criu_start *s, int sock_fd, struct err *e)
{
	char number[12];
	char *const argv[] = { "criu", "swrk", number, NULL };

	(void) snprintf(number, sizeof(number), "%d", sock_fd);
	if (set_stdio(s, e) < 0 || keep_descriptors(s, sock_fd, e) < 0 ||
	    child_reset_signals(e) < 0)
		return -1;
	(void) execve(s->path, argv, environ);
	return err_sys(e, "%s", s->path);
}

static _Noreturn void run_child(const struct criu_start *s, int sock_fd, int sync_fd)
{
	struct err e = ERR_NONE, ignored = ERR_NONE;

	if ((!s->prepare || s->prepare(s->ctx, &e) == 0) &&
	    sync_expect(sync_fd, SYNC_MAPPED, &e) >= 0)
		(void) become_criu(s, sock_fd, &e);
	(void) sync_send_failed(sync_fd, &e, &ignored);
	_exit(127);
}

int criu_start(const struct criu_start *s, struct criu *out, struct err *e)
{
	int line[2], sync[2];

	if (sock_pair(SOCK_SEQPACKET, line, e) < 0)
		return -1;
	auto_close int ours = line[0], theirs = line[1];
	if (sock_pair(SOCK_SEQPACKET, sync, e) < 0)
		return -1;
	auto_close int sync_ours = sync[0], sync_theirs = sync[1];

	auto_criu struct criu c = CRIU_NONE;
	const int r = child_clone(0, s->cgroup_fd, &c.child, e);
	if (r == 0) {
		/* Held here they would keep the end of a parent that is killed from being seen. */
		fd_close(&ours);
		fd_close(&sync_ours);
		run_child(s, theirs, sync_theirs);
	}
	if (r < 0)
		return -1;
	fd_close(&theirs);
	fd_close(&sync_theirs);
	c.sock_fd = take_fd(&ours);
	/* A broken pipe: its own step failed, and it has said why. */
	if ((s->settle && s->settle(s->ctx, c.child.pid, e) < 0) ||
	    (sync_send(sync_ours, SYNC_MAPPED, e) < 0 && e->code != EPIPE)) {
		child_end(&c.child);
		return -1;
	}
	*e = ERR_NONE;
	if (sync_expect_eof(sync_ours, e) < 0)
		return -1;
	*out = c;
	c = CRIU_NONE;
	return 0;
}

void criu_end(struct criu *c)
{
	struct child_status status;
	struct err ignored = ERR_NONE;

	fd_close(&c->sock_fd);
	if (c->child.pidfd >= 0)
		(void) child_wait_for(&c->child, END_WAIT_MS, &status, &ignored);
	child_end(&c->child);
}

/* ---- the conversation ---- */

static int explain_end(struct criu *c, struct err *e)
{
	struct child_status status = { 0 };
	struct err ignored = ERR_NONE;

	if (child_wait_for(&c->child, END_WAIT_MS, &status, &ignored) != 1)
		return err_set(e, EPIPE, "criu closed the line before it answered");
	return err_set(e, EPIPE, "criu ended before it answered (%s %d)",
		       status.signalled ? "killed by signal" : "exit status", status.code);
}

static int receive(struct criu *c, struct criu_reply *out, int *fd, struct err *e)
{
	auto_free uint8_t *bytes = xalloc(REPLY_MAX);
	size_t n_fds = 1;

	*fd = FD_NONE;
	const ssize_t n = sock_recv(c->sock_fd, bytes, REPLY_MAX, fd, &n_fds, e);
	if (n < 0 && e->code == ECONNRESET)
		return explain_end(c, e);
	if (n < 0)
		return err_wrap(e, "criu's answer");
	if (n_fds == 0)
		*fd = FD_NONE;
	if (n == 0)
		return explain_end(c, e);
	return criu_decode(bytes, (size_t) n, out, e);
}

static int answer(struct criu *c, bool success, struct err *e)
{
	auto_buf struct buf b = BUF_LIMIT(64);

	if (criu_encode_notified(success, &b, e) < 0)
		return -1;
	if (sock_send(c->sock_fd, buf_bytes(&b), buf_len(&b), NULL, 0, e) < 0)
		return err_wrap(e, "answer to criu");
	return 0;
}

/* The first failure is the one to report, but criu has to hear of it and to tidy up. */
static int notified(struct criu *c, const struct criu_reply *r, int fd, criu_notify_fn notify,
		    void *ctx, struct err *failed, struct err *e)
{
	log_debug("criu: %s", r->script);
	const bool fine = !failed->code && (!notify || notify(ctx, r, fd, failed) == 0);
	return answer(c, fine, e);
}

int criu_ask(struct criu *c, const struct buf *request, criu_notify_fn notify, void *ctx,
	     struct criu_reply *out, struct err *e)
{
	struct err failed = ERR_NONE;

	if (sock_send(c->sock_fd, buf_bytes(request), buf_len(request), NULL, 0, e) < 0)
		return e->code == EPIPE ? explain_end(c, e) : err_wrap(e, "request to criu");
	for (;;) {
		struct criu_reply r;
		auto_close int fd = FD_NONE;

		if (receive(c, &r, &fd, e) < 0 ||
		    (r.type == CRIU_NOTIFY &&
		     notified(c, &r, fd, notify, ctx, &failed, e) < 0)) {
			if (failed.code)
				*e = failed;
			return -1;
		}
		if (r.type == CRIU_NOTIFY)
			continue;
		if (failed.code) {
			*e = failed;
			return -1;
		}
		*out = r;
		return 0;
	}
}

/* ---- short questions ---- */

static int ask_alone(const char *path, const struct buf *request, enum criu_type t,
		     struct criu_reply *out, struct err *e)
{
	struct criu_start s = CRIU_START_NONE;
	auto_criu struct criu c = CRIU_NONE;

	s.path = path;
	if (criu_start(&s, &c, e) < 0 || criu_ask(&c, request, NULL, NULL, out, e) < 0)
		return -1;
	if (out->type != (int) t || !out->success)
		return err_set(e, EPROTO, "%s does not answer (kind %d instead of %d)", path,
			       out->type, (int) t);
	return 0;
}

int criu_version(const char *path, unsigned *out, struct err *e)
{
	auto_buf struct buf b = BUF_LIMIT(64);
	struct criu_reply r;

	if (criu_encode(CRIU_VERSION, NULL, &b, e) < 0)
		return -1;
	if (ask_alone(path, &b, CRIU_VERSION, &r, e) < 0)
		return err_wrap(e, "version of criu");
	log_debug("criu: %s, version %u", path, r.version);
	if (r.version < CRIU_OLDEST)
		return err_set(
			e, ENOTSUP,
			"%s is of version %u.%u.%u, too old; install criu %d.%d or later", path,
			r.version / 10000, r.version / 100 % 100, r.version % 100,
			CRIU_OLDEST / 10000, CRIU_OLDEST / 100 % 100);
	*out = r.version;
	return 0;
}

int criu_need_features(const char *path, bool mem_track, bool lazy_pages, struct err *e)
{
	auto_buf struct buf b = BUF_LIMIT(64);
	struct criu_reply r;

	if (criu_encode_features(mem_track, lazy_pages, &b, e) < 0)
		return -1;
	if (ask_alone(path, &b, CRIU_FEATURES, &r, e) < 0)
		return err_wrap(e, "features of criu");
	if (mem_track && !r.mem_track)
		return err_set(e, ENOTSUP,
			       "criu and this kernel cannot track changes of memory, which "
			       "--pre-dump needs (criu check --feature mem_dirty_track)");
	if (lazy_pages && !r.lazy_pages)
		return err_set(e, ENOTSUP,
			       "criu and this kernel cannot restore memory lazily, which "
			       "--lazy-pages needs (criu check --feature uffd-noncoop)");
	return 0;
}
