#include "shim/scan/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream_internal.h"

static const uint64_t nowhere = UINT64_MAX;

static struct cells *bytes_of(struct stream *s)
{
	return &s->lanes[LANE_MAIN]->cells;
}

/* ---- what may go on ---- */

static int put_notice(void *arg, uint16_t rule, struct buf *out, struct err *e)
{
	struct stream *s = arg;

	if (s->direction != POLICY_OUT)
		return 0;
	return buf_printf(out, e, "[blocked: %s]", s->rules->v[rule].policy->id);
}

static int release(struct stream *s, uint64_t to, struct buf *out, struct err *e)
{
	struct cells *all[LANES];
	size_t n = 0;

	if (s->failed) {
		*e = s->why;
		return -1;
	}
	for (size_t i = 0; i < LANES; i++)
		if (s->lanes[i])
			all[n++] = &s->lanes[i]->cells;
	return cells_release(all, n, to, put_notice, s, out, e);
}

/* The first byte that must wait, and how long the rules say that it is to. */
static uint64_t held_from(const struct stream *s, uint32_t *hold_ms)
{
	uint64_t limit = text_decided(&s->text);

	*hold_ms = limit < s->text.offset ? POLICY_HOLD_MS : 0;
	for (size_t i = 0; i < LANES; i++)
		if (s->lanes[i])
			limit = lane_held_from(s->lanes[i], limit, hold_ms);
	return limit;
}

static void look(struct stream *s)
{
	for (size_t i = 0; i < LANES; i++)
		if (s->lanes[i]) {
			lane_scan(s->lanes[i]);
			lane_update(s->lanes[i]);
		}
}

static void decide(struct stream *s)
{
	uint32_t hold_ms;

	look(s);
	if (release(s, held_from(s, &hold_ms), s->out, &s->why) < 0)
		s->failed = true;
}

/* ---- the main text ---- */

static void on_run(void *arg, const uint8_t *p, size_t n, uint64_t offset)
{
	struct stream *s = arg;

	for (size_t i = 0; i < n; i++) {
		struct cell c = { .raw = offset + i, .n_raw = 1, .n_text = 1, .width = 1 };

		lane_add(s->lanes[LANE_MAIN], &c, p + i);
	}
}

static void add_glyph(struct lane *l, uint32_t code, unsigned width, uint64_t offset,
		      size_t n_raw)
{
	uint8_t text[4];
	struct cell c = { .raw = offset, .n_raw = (uint8_t) n_raw, .width = (uint8_t) width };

	c.n_text = (uint8_t) vt_utf8(code, text);
	lane_add(l, &c, text);
}

static void on_glyph(void *arg, uint32_t code, unsigned width, uint64_t offset, size_t n_raw)
{
	struct stream *s = arg;

	add_glyph(s->lanes[LANE_MAIN], code, width, offset, n_raw);
}

/* What is true before and what is true after goes out each: nothing may depend on whether a read ended here. */
static void on_erase(void *arg)
{
	struct stream *s = arg;

	decide(s);
	if (lane_erase(s->lanes[LANE_MAIN]))
		decide(s);
}

/* ---- texts of strings ---- */

/* Made when the first such string comes, which in most streams never does. */
static struct lane *lane_of(struct stream *s, size_t i)
{
	if (s->lanes[i] || s->failed)
		return s->lanes[i];
	s->lanes[i] = lane_new(s);
	if (s->lanes[i])
		s->lanes[i]->whole = i == LANE_CLIP;
	else
		s->failed = err_set(&s->why, ENOMEM, "no memory for Vectorscan's stream") < 0;
	return s->lanes[i];
}

static void begin(struct stream *s, size_t i, uint64_t raw)
{
	struct lane *l = lane_of(s, i);

	if (l)
		lane_begin(l, raw);
}

static void end(struct stream *s, size_t i)
{
	if (s->lanes[i])
		lane_end(s->lanes[i]);
}

static void on_string_begin(void *arg)
{
	struct stream *s = arg;

	begin(s, LANE_STRING, s->text.offset + 1);
}

static void on_string_glyph(void *arg, uint32_t code, unsigned width, uint64_t offset,
			    size_t n_raw)
{
	struct stream *s = arg;

	if (s->lanes[LANE_STRING])
		add_glyph(s->lanes[LANE_STRING], code, width, offset, n_raw);
}

static void on_string_end(void *arg)
{
	end(arg, LANE_STRING);
}

static void on_clip_begin(void *arg)
{
	struct stream *s = arg;

	begin(s, LANE_CLIP, s->text.clip.raw);
}

static void on_clip_glyph(void *arg, uint32_t code, uint64_t offset, size_t n_raw)
{
	struct stream *s = arg;
	struct cell none = { .raw = offset, .n_raw = (uint8_t) n_raw };

	if (!s->lanes[LANE_CLIP])
		return;
	if (code)
		add_glyph(s->lanes[LANE_CLIP], code, 0, offset, n_raw);
	else
		lane_add(s->lanes[LANE_CLIP], &none, (const uint8_t *) "");
}

static void on_clip_end(void *arg)
{
	end(arg, LANE_CLIP);
}

static const struct text_calls calls = {
	.run = on_run,
	.glyph = on_glyph,
	.erase = on_erase,
	.string_begin = on_string_begin,
	.string_glyph = on_string_glyph,
	.string_end = on_string_end,
	.clip = { .begin = on_clip_begin, .glyph = on_clip_glyph, .end = on_clip_end },
};

/* ---- bytes ---- */

int stream_feed(struct stream *s, const uint8_t *p, size_t n, uint64_t now_ms, struct buf *out,
		struct err *e)
{
	uint32_t hold_ms;
	uint64_t limit;

	if (cells_append_raw(bytes_of(s), p, n, e) < 0)
		return -1;
	s->out = out;
	text_feed(&s->text, p, n, &calls, s);
	look(s);
	limit = held_from(s, &hold_ms);
	if (cells_raw_end(bytes_of(s)) - limit > STREAM_HELD)
		return stream_expire(s, out, e);
	if (release(s, limit, out, e) < 0)
		return -1;
	if (limit == cells_raw_end(bytes_of(s)))
		s->deadline_ms = nowhere;
	else if (s->deadline_ms == nowhere || s->held_from != limit)
		s->deadline_ms = now_ms + hold_ms;
	s->held_from = limit;
	return 0;
}

uint64_t stream_deadline(const struct stream *s)
{
	return s->deadline_ms;
}

/* As if nothing came any more. */
static int end_text(struct stream *s, struct buf *out, struct err *e)
{
	text_settle(&s->text, &calls, s);
	for (size_t i = 0; i < LANES; i++)
		if (s->lanes[i]) {
			lane_end_text(s->lanes[i]);
			s->lanes[i]->born = cells_raw_end(bytes_of(s));
		}
	s->deadline_ms = nowhere;
	return release(s, cells_raw_end(bytes_of(s)), out, e);
}

int stream_expire(struct stream *s, struct buf *out, struct err *e)
{
	return end_text(s, out, e);
}

int stream_finish(struct stream *s, struct buf *out, struct err *e)
{
	return end_text(s, out, e);
}

void stream_resize(struct stream *s, unsigned cols)
{
	text_resize(&s->text, cols);
}

/* ---- life ---- */

int stream_new(const struct stream_spec *spec, struct stream **out, struct err *e)
{
	static const enum text_kind kinds[][2] = {
		[POLICY_OUT] = { TEXT_PLAIN, TEXT_SHOWN },
		[POLICY_IN] = { TEXT_PLAIN, TEXT_TYPED },
		[POLICY_UPLOAD] = { TEXT_PLAIN, TEXT_TYPED },
	};
	struct stream *s = xalloc(sizeof(*s));

	*s = (struct stream){ .rules = spec->rules,
			      .direction = spec->direction,
			      .key = spec->key,
			      .fn = spec->fn,
			      .arg = spec->arg,
			      .deadline_ms = nowhere };
	text_init(&s->text, kinds[spec->direction][spec->terminal], spec->cols);
	if (!lane_of(s, LANE_MAIN)) {
		*e = s->why;
		stream_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < LANES; i++)
		lane_free(s->lanes[i]);
	free(s);
}
