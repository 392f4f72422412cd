#include "sessiond/cli/cast_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/util.h"
#include "sessiond/cli/cli.h"

enum { POLL_MS = 250 };

/* ---- the daemon's ---- */

static int size_of(FILE *f, off_t *out, struct err *e)
{
	struct stat st;

	if (fstat(fileno(f), &st) < 0)
		return err_sys(e, "the recording");
	*out = st.st_size;
	return 0;
}

/* What has come since; the row of a sandbox that ended may be gone. */
static int fetch(struct cast_source *s, struct err *e)
{
	auto_free char *path = NULL;
	off_t had;

	if (size_of(s->f, &had, e) < 0)
		return -1;
	path = xasprintf("/v1/sandboxes/%s/recording?from=%lld", s->id, (long long) had);
	return rest_fetch(&s->rest, path, s->copy_fd, e);
}

static int ask_whether_ended(struct cast_source *s, struct err *e)
{
	auto_free char *path = xasprintf("/v1/sandboxes/%s", s->id);
	auto_json struct json_doc *doc = NULL;

	if (rest_call(&s->rest, "GET", path, &doc, e) < 0)
		return -1;
	s->ended = strcmp(json_str_or(json_root(doc), "state", ""), "ended") == 0;
	return 0;
}

static int open_far(const struct cli *c, struct cast_source *s, struct err *e)
{
	auto_close int fd = memfd_create("recording", MFD_CLOEXEC);

	s->far = true;
	if (fd < 0)
		return err_sys(e, "memfd_create");
	/* Read and written by two descriptors with a position each. */
	s->copy_fd = open(fd_path(fd).s, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (s->copy_fd < 0)
		return err_sys(e, "open the copy");
	s->f = fdopen(fd, "r");
	if (!s->f)
		return err_sys(e, "fdopen");
	(void) take_fd(&fd);
	return rest_open(c, &s->rest, e) < 0 ? -1 : fetch(s, e);
}

/* ---- both ---- */

int cast_source_open(const struct cli *c, const char *operand, struct cast_source *out,
		     struct err *e)
{
	struct cast_source s = { .id = operand, .copy_fd = FD_NONE };
	int r = 0;

	if (cli_wants_daemon(c)) {
		r = open_far(c, &s, e);
	} else {
		s.f = fopen(operand, "re");
		if (!s.f)
			r = err_sys(e, "%s", operand);
	}
	if (r < 0)
		cast_source_close(&s);
	else
		*out = s;
	return r;
}

void cast_source_close(struct cast_source *s)
{
	if (s->f)
		(void) fclose(s->f);
	if (s->far)
		rest_close(&s->rest);
	if (s->far)
		fd_close(&s->copy_fd);
	*s = (struct cast_source){ .copy_fd = FD_NONE };
}

int cast_source_more(struct cast_source *s, struct err *e)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	const off_t had = ftello(s->f); /* it may have grown since it was read */
	off_t now;

	for (;;) {
		bool was_ended = s->ended;

		if (s->far && fetch(s, e) < 0)
			return e->code == ENOENT ? 0 : -1;
		if (size_of(s->f, &now, e) < 0)
			return -1;
		if (now > had) {
			clearerr(s->f);
			return 1;
		}
		if (was_ended)
			return 0;
		/* What was written before it ended is fetched once more. */
		if (s->far && ask_whether_ended(s, e) < 0)
			return e->code == ENOENT ? 0 : -1;
		if (!s->ended)
			(void) nanosleep(&pause, NULL);
	}
}
