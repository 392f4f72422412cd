#include "runtime/sdbus.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/helper.h"
#include "base/sock.h"
#include "base/str.h"

enum {
	ANSWER_MAX = 4096,
	TIMEOUT_S = 30,
	TIMEOUT_MAX_S = 600,
	GRACE_MS =
		1000, /* the program's own deadline comes first, for its sentence says more */
	END_MS = 2000
};

/* In the second life the program's own file cannot be found any more: the first one says where it was. */
static const char variable[] = "CARREL_SDBUS_DIR";

/* The kernel names a program that was executed by descriptor so. */
static bool executed_again(void)
{
	const char *name = (const char *) getauxval(AT_EXECFN);

	return name && str_has_prefix(name, "/dev/fd/");
}

void sdbus_remember_program(void)
{
	char dir[PATH_MAX];

	if (executed_again())
		return;
	if (helper_own_dir(dir))
		(void) setenv(variable, dir, 1);
	else
		(void) unsetenv(variable);
}

static int choose_program(char **out, struct err *e)
{
	const char *remembered = executed_again() ? getenv(variable) : NULL;
	char own[PATH_MAX] = "";

	if (!remembered)
		(void) helper_own_dir(own);
	*out = helper_find_from(remembered ? remembered : own, "carrel-sdbus");
	if (*out)
		return 0;
	return err_set(e, ENOENT,
		       "the systemd cgroup driver needs the program carrel-sdbus beside "
		       "carrel-runtime or in libexec/carrel: install it, or use cgroupfs "
		       "(--cgroup-manager cgroupfs, without --systemd-cgroup)");
}

int sdbus_timeout_ms(uint64_t *out, struct err *e)
{
	const char *given = getenv("CARREL_SYSTEMD_TIMEOUT");
	uint64_t s = TIMEOUT_S;

	if (given && *given &&
	    str_to_u64(given, TIMEOUT_MAX_S, "CARREL_SYSTEMD_TIMEOUT", &s, e) < 0)
		return -1;
	*out = s * 1000;
	return 0;
}

static int start(struct sdbus *s, struct err *e)
{
	auto_free char *path = NULL;
	int pair[2];

	if (choose_program(&path, e) < 0 || sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	struct child_spec spec = CHILD_SPEC_NONE;
	char *argv[] = { path, NULL };
	spec.path = path;
	spec.argv = argv;
	spec.envp = environ;
	spec.keep_fds = &pair[1];
	spec.n_keep_fds = 1;
	const int r = child_spawn(&spec, &s->child, e);
	fd_close(&pair[1]);
	if (r < 0)
		fd_close(&pair[0]);
	else
		s->fd = pair[0];
	return r;
}

static int await_answer(const struct sdbus *s, uint64_t timeout_ms, struct err *e)
{
	const uint64_t deadline = clock_mono_ms() + timeout_ms + GRACE_MS;

	for (;;) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		const uint64_t now = clock_mono_ms();
		const int r = now < deadline ? poll(&p, 1, (int) (deadline - now)) : 0;

		if (r > 0)
			return 0;
		if (r == 0)
			return err_set(e, ETIMEDOUT, "systemd does not answer in %llu ms",
				       (unsigned long long) timeout_ms);
		if (errno != EINTR)
			return err_sys(e, "poll");
	}
}

static int take_answer(char *text, struct buf *answer, struct err *e)
{
	char *end;

	if (str_has_prefix(text, "ok\t"))
		return answer ? buf_puts(answer, text + strlen("ok\t"), e) : 0;
	if (!str_has_prefix(text, "error\t"))
		return err_set(e, EPROTO, "carrel-sdbus: \"%.40s\" is no answer", text);
	const long code = strtol(text + strlen("error\t"), &end, 10);
	return err_set(e, code > 0 ? (int) code : EIO, "%s", *end ? end + 1 : "systemd");
}

int sdbus_ask(struct sdbus *s, const char *request, uint64_t timeout_ms, struct buf *answer,
	      struct err *e)
{
	char text[ANSWER_MAX + 1];
	int r = s->fd >= 0 ? 0 : start(s, e);
	ssize_t n;

	if (r < 0)
		return -1;
	r = sock_send(s->fd, request, strlen(request), NULL, 0, e);
	if (r == 0)
		r = await_answer(s, timeout_ms, e);
	if (r < 0) {
		child_end(&s->child);
		sdbus_end(s);
		return -1;
	}
	n = sock_recv(s->fd, text, ANSWER_MAX, NULL, NULL, e);
	if (n < 0)
		return -1;
	if (n == 0)
		return err_set(e, EPIPE, "carrel-sdbus ended without an answer");
	text[n] = '\0';
	return take_answer(text, answer, e);
}

void sdbus_end(struct sdbus *s)
{
	struct child_status ignored;
	struct err why = ERR_NONE;

	/* Not only closed: a child that was cloned meanwhile may still have it. */
	if (s->fd >= 0)
		(void) shutdown(s->fd, SHUT_RDWR);
	fd_close(&s->fd);
	if (s->child.pid <= 0)
		return;
	if (child_wait_for(&s->child, END_MS, &ignored, &why) != 1)
		child_end(&s->child);
	s->child = CHILD_NONE;
}
