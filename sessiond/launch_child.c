#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/launch_internal.h"

enum { OUTPUT_MAX = 64 * 1024 };

static void unlink_child(struct launch_child *c)
{
	for (struct launch_child **p = &c->launch->children; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		return;
	}
}

static void release(struct launch_child *c)
{
	loop_io_del(&c->end);
	loop_io_del(&c->out);
	fd_close(&c->out_fd);
	fd_close(&c->child.pidfd);
	buf_fini(&c->text);
	free(c);
}

/* What fits is kept, the rest is read and dropped so that the writer never blocks. */
static void drain(struct launch_child *c)
{
	char block[4096];
	struct err ignored;
	ssize_t n;

	while (c->out_fd >= 0 && (n = read(c->out_fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		(void) buf_append(&c->text, block,
				  MIN((size_t) n, OUTPUT_MAX - buf_len(&c->text)), &ignored);
	}
}

static void on_output(void *arg, uint32_t events)
{
	struct launch_child *c = arg;

	drain(c);
	if (events & (EPOLLHUP | EPOLLERR)) {
		loop_io_del(&c->out);
		fd_close(&c->out_fd);
	}
}

/* What descendants of it may still write is nobody's concern. */
static void on_end(void *arg, unused_arg uint32_t events)
{
	struct launch_child *c = arg;
	struct child_status status;
	struct err ignored;

	loop_io_del(&c->end);
	if (child_wait(&c->child, &status, &ignored) < 0)
		status = (struct child_status){ .code = 255 };
	drain(c);
	unlink_child(c);
	if (c->fn)
		c->fn(c->arg, &status, buf_str(&c->text));
	release(c);
}

static int spawn(struct launch_child *c, const char *path, char *const *argv, bool captured,
		 int keep_fd, struct err *e)
{
	static char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8", NULL
	};
	struct child_spec spec = CHILD_SPEC_NONE;
	auto_close int write_end = -1;
	int ends[2];

	if (captured) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_sys(e, "pipe");
		c->out_fd = ends[0];
		write_end = ends[1];
		if (fd_set_nonblock(c->out_fd, true, e) < 0)
			return -1;
	}
	spec.path = path;
	spec.argv = argv;
	spec.envp = environment;
	spec.stdio[1] = spec.stdio[2] = write_end;
	spec.keep_fds = &keep_fd;
	spec.n_keep_fds = keep_fd >= 0 ? 1 : 0;
	spec.new_session = true;
	return child_spawn(&spec, &c->child, e);
}

struct launch_child *
launch_child_start(struct launch *l, const char *path, char *const *argv, bool captured,
		   int keep_fd, void (*fn)(void *, const struct child_status *, const char *),
		   void *arg, struct err *e)
{
	struct launch_child *c = xalloc(sizeof(*c));

	*c = (struct launch_child){ .launch = l,
				    .child = CHILD_NONE,
				    .out_fd = FD_NONE,
				    .text = BUF_LIMIT(OUTPUT_MAX),
				    .fn = fn,
				    .arg = arg };
	if (spawn(c, path, argv, captured, keep_fd, e) < 0 ||
	    loop_io_add(l->loop, &c->end, c->child.pidfd, EPOLLIN, on_end, c, e) < 0 ||
	    (captured &&
	     loop_io_add(l->loop, &c->out, c->out_fd, EPOLLIN, on_output, c, e) < 0)) {
		child_end(&c->child);
		release(c);
		return NULL;
	}
	c->next = l->children;
	l->children = c;
	return c;
}

void launch_child_forget(struct launch_child *c)
{
	if (c)
		c->fn = NULL;
}

void launch_child_end(struct launch_child *c)
{
	loop_io_del(&c->end);
	child_end(&c->child);
	unlink_child(c);
	release(c);
}

void launch_children_end(struct launch *l)
{
	struct launch_child *c, *next;

	for (c = l->children; c; c = next) {
		next = c->next;
		release(c);
	}
	l->children = NULL;
}

/* Its last line is its error: a JSON log line, or plain text when it did not understand its arguments. */
void launch_image_words(const char *command, const char *text, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	auto_free char *copy = xstrdup(text);
	auto_free char *prefix = xasprintf("carrel-image %s: ", command);
	struct err ignored;
	const char *line;

	for (size_t n = strlen(copy); n > 0 && copy[n - 1] == '\n';)
		copy[--n] = '\0';
	line = strrchr(copy, '\n');
	line = line ? line + 1 : copy;
	if (json_parse(line, strlen(line), NULL, &doc, &ignored) == 0)
		line = json_str_or(json_root(doc), "msg", line);
	if (str_has_prefix(line, prefix))
		line += strlen(prefix);
	(void) err_set(e, EINVAL, "%s", *line ? line : "carrel-image ended without a word");
}
