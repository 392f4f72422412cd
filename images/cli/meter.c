#include "images/cli/meter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"

enum { LINE = 4096, REFRESH_MS = 100 };

static void put(const char *text)
{
	struct err ignored = ERR_NONE;

	(void) fd_write_all(STDERR_FILENO, text, strlen(text), &ignored);
}

static struct meter_blob *blob_of(struct meter *m, const struct digest *d)
{
	for (size_t i = 0; i < m->n; i++) {
		if (digest_equal(&m->v[i].digest, d))
			return &m->v[i];
	}
	m->v = realloc(m->v, (m->n + 1) * sizeof(*m->v));
	if (!m->v)
		abort();
	m->v[m->n] = (struct meter_blob){ .digest = *d };
	return &m->v[m->n++];
}

static void show_line(struct meter *m)
{
	uint64_t done = 0, total = 0, ms = clock_mono_ms() - m->begun_ms;
	size_t whole = 0;
	char text[160];

	for (size_t i = 0; i < m->n; i++) {
		done += m->v[i].done;
		total += m->v[i].total;
		whole += m->v[i].done == m->v[i].total;
	}
	snprintf(text, sizeof(text), "\r\033[K%zu of %zu blobs, %.1f of %.1f MiB, %.1f MiB/s",
		 whole, m->n, (double) done / (1 << 20), (double) total / (1 << 20),
		 ms ? (double) done / (1 << 20) * 1000 / (double) ms : 0.0);
	put(text);
	m->open = 1;
}

static void clear_line(struct meter *m)
{
	if (m->open)
		put("\r\033[K");
	m->open = 0;
}

static void on_tty(struct meter *m, const struct progress_event *ev)
{
	char text[800];

	if (ev->kind == PROGRESS_NOTE) {
		clear_line(m);
		snprintf(text, sizeof(text), "%s: %s\n", ev->name, ev->text);
		put(text);
		return;
	}
	if (ev->kind != PROGRESS_BLOB)
		return;
	struct meter_blob *b = blob_of(m, ev->digest);
	const bool here = strcmp(ev->state, "waiting") != 0 && strcmp(ev->state, "moving") != 0;

	b->total = ev->total;
	b->done = here ? ev->total : ev->done;
	if (clock_mono_ms() - m->shown_ms >= REFRESH_MS) {
		m->shown_ms = clock_mono_ms();
		show_line(m);
	}
}

static int write_event(const struct progress_event *ev, struct buf *out, struct err *e)
{
	static const char *const kinds[] = { [PROGRESS_RESOLVED] = "resolved",
					     [PROGRESS_BLOB] = "blob",
					     [PROGRESS_NOTE] = "note" };
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "event", kinds[ev->kind]);
	if (ev->name)
		jw_str(w, "name", ev->name);
	if (ev->text)
		jw_str(w, "text", ev->text);
	if (ev->digest)
		jw_str(w, "digest", digest_text(ev->digest).s);
	if (ev->state) {
		jw_str(w, "state", ev->state);
		jw_uint(w, "done", ev->done);
		jw_uint(w, "total", ev->total);
	}
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

static void tell(void *arg, const struct progress_event *ev)
{
	struct meter *m = arg;
	auto_buf struct buf line = BUF_LIMIT(LINE);
	struct err ignored = ERR_NONE;

	if (m->kind == METER_TTY)
		on_tty(m, ev);
	if (m->kind == METER_JSON && write_event(ev, &line, &ignored) == 0)
		put(buf_str(&line));
}

int meter_open(const char *kind, struct meter *m, struct err *e)
{
	static const struct {
		const char *name;
		enum meter_kind kind;
	} rows[] = { { "tty", METER_TTY }, { "json", METER_JSON }, { "none", METER_SILENT } };

	*m = (struct meter){ .progress = { .tell = tell, .arg = m },
			     .begun_ms = clock_mono_ms() };
	if (!kind || strcmp(kind, "auto") == 0) {
		m->kind = isatty(STDERR_FILENO) ? METER_TTY : METER_JSON;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].name, kind) == 0) {
			m->kind = rows[i].kind;
			return 0;
		}
	}
	return err_set(e, EINVAL, "--progress %.40s: is none of auto, tty, json, none", kind);
}

void meter_close(struct meter *m)
{
	clear_line(m);
	free(m->v);
	m->v = NULL;
	m->n = 0;
}
