/* carrel play: a recording on this terminal, or as the bytes that it was made of, or as asciicast v2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "sessiond/cli/cast_source.h"
#include "sessiond/cli/cli.h"

enum { LINE_BYTES = 4 << 20, CAST_V2 = 2, CAST_V3 = 3 };

static const char replacement[] = "\xef\xbf\xbd";

enum play_as { PLAY_TERMINAL, PLAY_RAW, PLAY_V2 };

struct play {
	enum play_as as;
	double speed, idle; /* idle: seconds of silence at most; < 0: as they were */
	bool follow, live;  /* live: its end was reached, and what comes is happening now */
	bool over;	    /* the exit was read */
	int version;
	double time;	 /* of the last event, from the start */
	uint64_t offset; /* of the next byte of output */
	char *raw;	 /* the comment before an event: bytes that were no text */
	struct buf out;
};

static int flush(struct play *p, struct err *e)
{
	if (buf_len(&p->out) == 0)
		return 0;
	if (fwrite(buf_bytes(&p->out), 1, buf_len(&p->out), stdout) != buf_len(&p->out) ||
	    fflush(stdout) != 0)
		return err_sys(e, "write");
	buf_clear(&p->out);
	return 0;
}

static void wait_seconds(double s)
{
	struct timespec t = { .tv_sec = (time_t) s,
			      .tv_nsec = (long) ((s - (double) (time_t) s) * 1e9) };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static double number(const struct json *v)
{
	return !v		      ? 0
	       : v->type == JSON_INT  ? (double) v->i
	       : v->type == JSON_REAL ? v->real
				      : 0;
}

/* The byte that stood at this offset and was no text; -1: there was none. */
static int raw_at(const struct play *p, uint64_t offset)
{
	auto_free char *key = xasprintf(" %llu:", (unsigned long long) offset);
	const char *at = p->raw ? strstr(p->raw, key) : NULL;

	return at ? (int) strtoul(at + strlen(key), NULL, 16) : -1;
}

/* The event's text as the bytes that the program wrote. */
static int put_bytes(struct play *p, const char *s, size_t n, struct err *e)
{
	for (size_t i = 0; i < n;) {
		bool mark = n - i >= 3 && memcmp(s + i, replacement, 3) == 0;
		int byte = mark ? raw_at(p, p->offset) : -1;
		uint8_t b = byte >= 0 ? (uint8_t) byte : (uint8_t) s[i];

		if (buf_append(&p->out, &b, 1, e) < 0)
			return -1;
		i += byte >= 0 ? 3 : 1;
		p->offset++;
	}
	return 0;
}

static int put_v2(struct play *p, const char *kind, const struct json *text, struct err *e)
{
	auto_buf struct buf quoted = BUF_LIMIT(8 * LINE_BYTES);
	auto_json_writer struct json_writer *w = json_writer_new(&quoted, false);

	jw_strn(w, NULL, text->str.s, text->str.n);
	if (json_writer_end(w, e) < 0)
		return -1;
	/* v2 knows no exit. */
	if (strcmp(kind, "x") == 0)
		return 0;
	return buf_printf(&p->out, e, "[%.3f, \"%s\", %s]\n", p->time, kind, buf_str(&quoted));
}

static int event(struct play *p, const struct json *v, struct err *e)
{
	const struct json *when = json_at_index(v, 0), *kind = json_at_index(v, 1),
			  *text = json_at_index(v, 2);
	double before = p->time, wait;

	if (!kind || !text || kind->type != JSON_STRING || text->type != JSON_STRING)
		return err_set(e, EINVAL, "an event is no [time, kind, text]");
	p->time = p->version == CAST_V2 ? number(when) : p->time + number(when);
	p->over |= strcmp(kind->str.s, "x") == 0;
	if (p->as == PLAY_V2)
		return put_v2(p, kind->str.s, text, e);
	wait = (p->time - before) / p->speed;
	if (p->idle >= 0 && wait > p->idle)
		wait = p->idle;
	if (p->as == PLAY_TERMINAL && wait > 0 && !p->live)
		wait_seconds(wait);
	if (strcmp(kind->str.s, "o") != 0)
		return 0;
	return p->as == PLAY_RAW ? put_bytes(p, text->str.s, text->str.n, e)
				 : buf_append(&p->out, text->str.s, text->str.n, e);
}

static int head(struct play *p, const struct json *v, struct err *e)
{
	const struct json *term = json_get(v, "term");
	int64_t at = json_int_or(v, "timestamp", 0);

	p->version = (int) json_int_or(v, "version", 0);
	if (p->version != CAST_V2 && p->version != CAST_V3)
		return err_set(e, ENOTSUP, "it is no asciicast of version 2 or 3");
	if (p->as != PLAY_V2)
		return 0;
	return buf_printf(
		&p->out, e,
		"{\"version\": 2, \"width\": %lld, \"height\": %lld, \"timestamp\": %lld}\n",
		(long long) json_int_or(term ? term : v, term ? "cols" : "width", 80),
		(long long) json_int_or(term ? term : v, term ? "rows" : "height", 24),
		(long long) at);
}

static int line(struct play *p, const char *s, size_t n, struct err *e)
{
	static const struct json_limits limits = { .bytes = LINE_BYTES,
						   .depth = 16,
						   .nodes = 4096 };
	auto_json struct json_doc *doc = NULL;

	if (s[0] == '#') {
		free(p->raw);
		p->raw = str_has_prefix(s, "# raw ") ? xstrndup(s + 5, n - 5) : NULL;
		return 0;
	}
	if (json_parse(s, n, &limits, &doc, e) < 0)
		return -1;
	if (p->version == 0)
		return head(p, json_root(doc), e) < 0 ? -1 : flush(p, e);
	return event(p, json_root(doc), e) < 0 ? -1 : flush(p, e);
}

/* A whole line, or at the end of a recording that is not followed its first. 0: nothing comes any more. */
static ssize_t next_line(struct play *p, struct cast_source *in, char **s, size_t *cap,
			 struct err *e)
{
	for (;;) {
		off_t at = ftello(in->f);
		ssize_t n = getline(s, cap, in->f);
		bool whole = n > 0 && (*s)[n - 1] == '\n';
		int r;

		if (whole)
			return n;
		if (ferror(in->f))
			return err_sys(e, "read");
		if (!p->follow || p->over)
			return n > 0 && p->version == 0 ? n : 0;
		/* A recording that still grows may end inside a line, which is read anew. */
		r = cast_source_more(in, e);
		if (r <= 0)
			return r;
		if (n > 0 && fseeko(in->f, at, SEEK_SET) < 0)
			return err_sys(e, "read the last line anew");
		p->live = true;
	}
}

static int play(struct play *p, struct cast_source *in, struct err *e)
{
	auto_free char *s = NULL;
	size_t cap = 0, number = 0;
	ssize_t n;

	while ((n = next_line(p, in, &s, &cap, e)) > 0) {
		number++;
		if (n > LINE_BYTES)
			return err_set(e, E2BIG, "line %zu has more than %d bytes", number,
				       LINE_BYTES);
		if (line(p, s, (size_t) n - (s[n - 1] == '\n'), e) < 0)
			return err_wrap(e, "line %zu", number);
	}
	if (n < 0)
		return -1;
	return p->version ? 0 : err_set(e, EINVAL, "it is empty");
}

static int take_options(const struct opts_play *o, struct play *p, struct err *e)
{
	char *end;

	*p = (struct play){
		.speed = 1, .idle = -1, .follow = o->follow, .out = BUF_LIMIT(8 * LINE_BYTES)
	};
	if (o->speed) {
		p->speed = strtod(o->speed, &end);
		if (*end || !(p->speed >= 0.01 && p->speed <= 1000))
			return err_set(e, EINVAL, "--speed %s: is not between 0.01 and 1000",
				       o->speed);
	}
	if (o->idle_limit_ms > 0)
		p->idle = (double) o->idle_limit_ms / 1000;
	if (o->raw && o->v2)
		return err_set(e, EINVAL, "--raw and --v2 exclude each other");
	p->as = o->raw ? PLAY_RAW : o->v2 ? PLAY_V2 : PLAY_TERMINAL;
	return 0;
}

int cli_play(void *global, const char **operands, int n, void *opts)
{
	struct err e = ERR_NONE;
	struct play p;
	struct cast_source in;
	int r;

	(void) n;
	if (take_options(opts, &p, &e) < 0)
		return cli_fail(CLI_USAGE, &e);
	if (cast_source_open(global, operands[0], &in, &e) < 0)
		return cli_fail(CLI_FAILED, &e);
	r = play(&p, &in, &e);
	if (r < 0)
		(void) err_wrap(&e, "%s", operands[0]);
	/* Whatever the program left behind: attributes off, cursor on. */
	if (p.as == PLAY_TERMINAL && isatty(STDOUT_FILENO))
		(void) fputs("\x1b[0m\x1b[?25h", stdout);
	cast_source_close(&in);
	free(p.raw);
	buf_fini(&p.out);
	return r < 0 ? cli_fail(CLI_FAILED, &e) : 0;
}
