#include "shim/recording.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/str.h"
#include "base/util.h"

enum {
	LAST_BYTES = 256,  /* kept free for the mark at the limit and the exit */
	TEXT_PIECE = 4096, /* output of one event at most */
	LINE_MAX = 12 * TEXT_PIECE,
};

static const char replacement[] = "\xef\xbf\xbd";

static void stop(struct recording *r, const char *why)
{
	r->ended = why;
	fd_close(&r->fd);
}

/* Appends whole lines or nothing. False when the record has ended by it. */
static bool put(struct recording *r, const struct buf *lines)
{
	size_t n = buf_len(lines);
	ssize_t written = write(r->fd, buf_bytes(lines), n);

	if (written == (ssize_t) n) {
		r->size += n;
		return true;
	}
	log_error("recording: %s; it ends here",
		  written < 0 ? strerror(errno) : "no room for a whole line");
	if (written > 0 && ftruncate(r->fd, (off_t) r->size) < 0)
		log_error("recording: its last line stays incomplete: %s", strerror(errno));
	stop(r, "error");
	return false;
}

/* "[0.123,"o","text"]" and its end of line. */
static int print_event(struct buf *out, uint64_t ms, const char *kind, const char *text,
		       size_t n, struct err *e)
{
	auto_buf struct buf escaped = BUF_LIMIT(LINE_MAX);
	auto_json_writer struct json_writer *w = json_writer_new(&escaped, false);

	jw_strn(w, NULL, text, n);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_printf(out, e, "[%llu.%03u, \"%s\", %s]\n", (unsigned long long) (ms / 1000),
			  (unsigned) (ms % 1000), kind, buf_str(&escaped));
}

/* The time passes even where an event is not written. */
static uint64_t since_last(struct recording *r, uint64_t now_ms)
{
	uint64_t ms = now_ms > r->event_ms ? now_ms - r->event_ms : 0;

	r->event_ms = now_ms;
	return ms;
}

static void put_last(struct recording *r, const char *kind, const char *text, uint64_t ms)
{
	auto_buf struct buf line = BUF_LIMIT(LAST_BYTES);
	struct err e = ERR_NONE;

	if (print_event(&line, ms, kind, text, strlen(text), &e) == 0)
		(void) put(r, &line);
}

/* Lines of one event, when there is room for them. */
static void put_event(struct recording *r, const struct buf *lines)
{
	if (r->size + buf_len(lines) + LAST_BYTES <= r->max) {
		(void) put(r, lines);
		return;
	}
	log_info("recording: it ends at its limit of %llu bytes", (unsigned long long) r->max);
	put_last(r, "m", "the recording ends here: it has reached its limit", 0);
	stop(r, "limit");
}

/* ---- text ---- */

/* Whether p could be the beginning of a character, were there more of it. */
static bool may_go_on(const uint8_t *p, size_t n)
{
	static const uint8_t rest[3] = { 0x80, 0x80, 0x80 }, high[3] = { 0xbf, 0xbf, 0xbf };
	uint8_t whole[7];
	size_t want = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

	if (n >= want)
		return false;
	/* The bytes still to come are right whatever they are, or some of them are: these two are the ends. */
	memcpy(whole, p, n);
	memcpy(whole + n, rest, 3);
	if (str_utf8_len(whole, want) == want)
		return true;
	memcpy(whole + n, high, 3);
	return str_utf8_len(whole, want) == want;
}

/* One piece: text to `text`, what was no text to `raw`. Returns how many bytes were used; the rest is the
 * beginning of a character. */
static size_t repair(const uint8_t *p, size_t n, uint64_t offset, struct buf *text,
		     struct buf *raw, struct err *e)
{
	size_t i = 0;

	while (i < n) {
		size_t from = i, len;

		while (i < n && p[i] < 0x80)
			i++;
		while (i < n && (len = str_utf8_len(p + i, n - i)) > 0)
			i += len;
		if (buf_append(text, p + from, i - from, e) < 0)
			break;
		if (i == n || may_go_on(p + i, n - i))
			break;
		if (buf_puts(text, replacement, e) < 0 ||
		    buf_printf(raw, e, " %llu:%02x", (unsigned long long) offset + i, p[i]) < 0)
			break;
		i++;
	}
	return i;
}

static void put_output(struct recording *r, struct buf *text, struct buf *raw, uint64_t ms)
{
	auto_buf struct buf lines = BUF_LIMIT(16 * LINE_MAX);
	struct err e = ERR_NONE;

	if (buf_len(raw) > 0 && buf_printf(&lines, &e, "# raw%s\n", buf_str(raw)) < 0)
		log_error("recording: %s", e.msg);
	if (print_event(&lines, ms, "o", buf_str(text), buf_len(text), &e) < 0)
		log_error("recording: %s", e.msg);
	else
		put_event(r, &lines);
}

/* At most TEXT_PIECE bytes. */
static void output_piece(struct recording *r, const uint8_t *p, size_t n, uint64_t now_ms)
{
	auto_buf struct buf text = BUF_LIMIT(LINE_MAX), raw = BUF_LIMIT(16 * LINE_MAX);
	uint8_t joined[sizeof(r->part) + TEXT_PIECE];
	struct err e = ERR_NONE;
	size_t used;

	memcpy(joined, r->part, r->n_part);
	memcpy(joined + r->n_part, p, n);
	n += r->n_part;
	used = repair(joined, n, r->offset, &text, &raw, &e);
	r->offset += used;
	r->n_part = (uint8_t) (n - used);
	memcpy(r->part, joined + used, r->n_part);
	if (buf_len(&text) > 0)
		put_output(r, &text, &raw, since_last(r, now_ms));
}

void recording_output(struct recording *r, const void *p, size_t n, uint64_t now_ms)
{
	const uint8_t *at = p;

	while (n > 0 && r->fd > 0) {
		size_t piece = n < TEXT_PIECE ? n : TEXT_PIECE;

		output_piece(r, at, piece, now_ms);
		at += piece;
		n -= piece;
	}
}

/* What began a character and was none. */
static void end_part(struct recording *r, uint64_t now_ms)
{
	auto_buf struct buf text = BUF_LIMIT(64), raw = BUF_LIMIT(256);
	struct err e = ERR_NONE;

	for (uint8_t i = 0; i < r->n_part; i++)
		if (buf_puts(&text, replacement, &e) < 0 ||
		    buf_printf(&raw, &e, " %llu:%02x", (unsigned long long) r->offset + i,
			       r->part[i]) < 0)
			return;
	r->offset += r->n_part;
	r->n_part = 0;
	put_output(r, &text, &raw, since_last(r, now_ms));
}

void recording_size(struct recording *r, uint16_t cols, uint16_t rows, uint64_t now_ms)
{
	auto_buf struct buf line = BUF_LIMIT(LAST_BYTES);
	struct err e = ERR_NONE;
	char text[16];
	int n = snprintf(text, sizeof(text), "%ux%u", cols, rows);

	if (r->fd > 0 &&
	    print_event(&line, since_last(r, now_ms), "r", text, (size_t) n, &e) == 0)
		put_event(r, &line);
}

void recording_exit(struct recording *r, int status, uint64_t now_ms)
{
	char text[16];

	if (r->fd > 0 && r->n_part > 0)
		end_part(r, now_ms);
	if (r->fd <= 0)
		return;
	(void) snprintf(text, sizeof(text), "%d", status);
	put_last(r, "x", text, since_last(r, now_ms));
	if (!r->ended)
		stop(r, "exit");
}

/* ---- life ---- */

static int print_head(const struct recording_spec *spec, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_int(w, "version", 3);
	jw_object(w, "term");
	jw_uint(w, "cols", spec->cols);
	jw_uint(w, "rows", spec->rows);
	jw_str(w, "type", "xterm-256color");
	jw_close(w);
	jw_uint(w, "timestamp", spec->real_ms / 1000);
	if (spec->title)
		jw_str(w, "title", spec->title);
	jw_close(w);
	return json_writer_end(w, e);
}

int recording_init(struct recording *r, const struct recording_spec *spec, struct err *e)
{
	auto_buf struct buf head = BUF_LIMIT(1024);

	if (spec->max_bytes < RECORDING_MIN_BYTES)
		return err_set(e, EINVAL,
			       "recording: a limit of %llu bytes where at least %d belong",
			       (unsigned long long) spec->max_bytes, RECORDING_MIN_BYTES);
	if (print_head(spec, &head, e) < 0 || buf_puts(&head, "\n", e) < 0)
		return -1;
	*r = (struct recording){ .fd = spec->fd,
				 .max = spec->max_bytes,
				 .event_ms = spec->now_ms };
	if (write(r->fd, buf_bytes(&head), buf_len(&head)) != (ssize_t) buf_len(&head)) {
		*r = (struct recording){ 0 };
		return err_sys(e, "recording: write its first line");
	}
	r->size = buf_len(&head);
	return 0;
}

void recording_fini(struct recording *r)
{
	if (r->fd > 0)
		fd_close(&r->fd);
}

/* ---- hand-over ---- */

static const char *const ends[] = { NULL, "limit", "error", "exit" };

void recording_save(const struct recording *r, struct pack *p)
{
	uint8_t end = 0;

	for (size_t i = 1; r->ended && i < ARRAY_SIZE(ends); i++)
		if (strcmp(r->ended, ends[i]) == 0)
			end = (uint8_t) i;
	pack_tag(p, "cast");
	pack_fd(p, r->fd > 0 ? r->fd : FD_NONE);
	pack_u64(p, r->size);
	pack_u64(p, r->max);
	pack_u64(p, r->event_ms);
	pack_u64(p, r->offset);
	pack_bytes(p, r->part, r->n_part);
	pack_u8(p, end);
}

void recording_restore(struct recording *r, struct unpack *u)
{
	const void *part;
	size_t n;

	unpack_tag(u, "cast");
	r->fd = unpack_fd(u);
	r->size = unpack_u64(u);
	r->max = unpack_u64(u);
	r->event_ms = unpack_u64(u);
	r->offset = unpack_u64(u);
	part = unpack_bytes(u, sizeof(r->part), &n);
	if (part) {
		memcpy(r->part, part, n);
		r->n_part = (uint8_t) n;
	}
	r->ended = ends[unpack_u8_to(u, ARRAY_SIZE(ends) - 1, "a recording's end")];
	if (r->fd < 0 && !r->ended)
		r->fd = 0; /* there is none */
}
