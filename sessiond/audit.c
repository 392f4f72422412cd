#include "sessiond/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/util.h"
#include "sessiond/config.h"
#include "sessiond/records.h"
#include "sessiond/sandboxes.h"
#include "sessiond/server.h"

enum {
	EVERY_MS = 1000,
	FILE_LIMIT = 1 << 20, /* a shim stops far below */
	LINE_LIMIT = 4096,
};

struct audit {
	struct server *server;
	int fd, sandboxes_fd;
	struct loop_timer timer;
};

/* ---- one line ---- */

static void count(struct metrics *m, const char *action)
{
	static const char *const actions[METRICS_ACTIONS] = { "alert", "mask", "block",
							      "kill" };

	for (size_t i = 0; i < METRICS_ACTIONS; i++)
		if (strcmp(actions[i], action) == 0)
			m->findings[i]++;
}

/* The shim's words with the time as people read it, and whose it was. */
static int print_line(const struct json *v, const char *id, const char *user, struct buf *out,
		      struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);
	struct clock_stamp at = clock_rfc3339_ms((uint64_t) json_int_or(v, "at_ms", 0));

	jw_object(w, NULL);
	jw_str(w, "time", at.s);
	jw_str(w, "event", json_get(v, "rule") ? "policy" : "policy_dropped");
	jw_str(w, "sandbox", id);
	jw_str(w, "user", user);
	json_each (m, v)
		if (strcmp(m->key, "at_ms") != 0)
			jw_node(w, m->key, m);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

static int take_line(struct audit *a, const char *id, const char *user, const char *line,
		     size_t n, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	auto_buf struct buf out = BUF_LIMIT(LINE_LIMIT);
	const struct json *v;

	if (json_parse(line, n, NULL, &doc, e) < 0)
		return -1;
	v = json_root(doc);
	if (v->type != JSON_OBJECT)
		return err_set(e, EINVAL, "is no object");
	if (print_line(v, id, user, &out, e) < 0)
		return -1;
	if (fd_write_all(a->fd, buf_bytes(&out), buf_len(&out), e) < 0)
		return -1;
	count(&a->server->metrics, json_str_or(v, "action", ""));
	a->server->metrics.findings_dropped += (uint64_t) json_int_or(v, "dropped", 0);
	return 0;
}

/* ---- one sandbox ---- */

/* Behind the last whole line that is in the log. */
static uint64_t taken(int dir)
{
	auto_buf struct buf text = BUF_LIMIT(64);
	struct err e = ERR_NONE;
	uint64_t n = 0;

	if (fd_read_file(dir, "policy.taken", 32, &text, &e) < 0 ||
	    str_to_u64(buf_str(&text), FILE_LIMIT, "policy.taken", &n, &e) < 0)
		return 0;
	return n;
}

static int take_lines(struct audit *a, const char *id, int dir, int fd, struct err *e)
{
	auto_record struct record r = { 0 };
	auto_buf struct buf text = BUF_LIMIT(FILE_LIMIT + 1);
	uint64_t from = taken(dir);
	char where[32];
	struct err ignored = ERR_NONE;

	if (lseek(fd, (off_t) from, SEEK_SET) < 0 || fd_read_all(fd, FILE_LIMIT, &text, e) < 0)
		return err_wrap(e, "read");
	/* A sandbox of `carrel run` has no row, and no user. */
	(void) record_find(a->server->db, id, &r, &ignored);
	while (buf_len(&text) > 0) {
		const char *line = (const char *) buf_bytes(&text);
		const char *end = memchr(line, '\n', buf_len(&text));
		size_t n = end ? (size_t) (end - line) : 0;

		if (!end)
			break;
		if (take_line(a, id, r.user, line, n, e) < 0)
			log_error("sandbox %s: policy.jsonl: %s", id, e->msg);
		from += n + 1;
		buf_consume(&text, n + 1);
	}
	if (fdatasync(a->fd) < 0)
		return err_sys(e, "audit.jsonl");
	(void) snprintf(where, sizeof(where), "%llu", (unsigned long long) from);
	return fd_write_atomic(dir, "policy.taken", where, strlen(where), 0600, false, e);
}

void audit_take(struct audit *a, const char *id)
{
	auto_close int dir = -1, fd = -1;
	struct err e = ERR_NONE;
	off_t size;

	if (!a)
		return;
	dir = openat(a->sandboxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	fd = openat(dir, "policy.jsonl", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || (uint64_t) size == taken(dir))
		return;
	if (take_lines(a, id, dir, fd, &e) < 0)
		log_error("sandbox %s: policy.jsonl: %s", id, e.msg);
}

/* ---- all ---- */

static void take_one(void *arg, const char *id)
{
	audit_take(arg, id);
}

static void on_timer(void *arg)
{
	struct audit *a = arg;

	if (a->server->sandboxes)
		sandboxes_each(a->server->sandboxes, take_one, a);
	loop_timer_set(a->server->loop, &a->timer, EVERY_MS, on_timer, a);
}

int audit_open(struct server *server, struct audit **out, struct err *e)
{
	const struct config *c = server->config;
	auto_free char *path = xasprintf("%s/audit.jsonl", c->state_dir);
	auto_free char *sandboxes = xasprintf("%s/sandboxes", c->run_dir);
	struct audit *a = xalloc(sizeof(*a));

	*a = (struct audit){ .server = server, .fd = FD_NONE, .sandboxes_fd = FD_NONE };
	a->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (a->fd < 0) {
		audit_close(a);
		return err_sys(e, "%s", path);
	}
	a->sandboxes_fd = open(sandboxes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->sandboxes_fd < 0) {
		audit_close(a);
		return err_sys(e, "%s", sandboxes);
	}
	loop_timer_set(server->loop, &a->timer, EVERY_MS, on_timer, a);
	*out = a;
	return 0;
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	loop_timer_del(&a->timer);
	fd_close(&a->fd);
	fd_close(&a->sandboxes_fd);
	free(a);
}
