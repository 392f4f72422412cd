#include "shim/session_scan.h"

#include "base/clock.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/scan_link.h"
#include "shim/session_io.h"
#include "shim/table.h"

enum { PIECE = 4096 };

static void say(struct session *s, enum scan_kind kind, enum scan_stream stream, const void *p,
		size_t n)
{
	const struct scan_head head = { .kind = kind,
					.process = s->number,
					.stream = stream,
					.n = (uint32_t) n,
					.cols = s->terminal ? s->cols : 0,
					.terminal = s->terminal };

	scan_link_say(&s->table->scan, &head, p);
}

static void send_bytes(struct session *s, enum scan_stream stream, const uint8_t *p, size_t n)
{
	s->scan.flight[stream] += n;
	for (size_t part; n > 0; p += part, n -= part) {
		part = MIN(n, (size_t) SCAN_BODY);
		say(s, SCAN_DATA, stream, p, part);
	}
}

void session_scan_open(struct session *s)
{
	s->scan.on = s->table->scan.on;
	if (s->scan.on)
		say(s, SCAN_OPEN, SCAN_IN, NULL, 0);
}

void session_scan_close(struct session *s)
{
	if (s->scan.on)
		say(s, SCAN_CLOSE, SCAN_IN, NULL, 0);
	s->scan.on = false;
}

void session_scan_resized(struct session *s)
{
	if (s->scan.on)
		say(s, SCAN_SIZE, SCAN_OUT, NULL, 0);
}

/* ---- output ---- */

static enum scan_stream stream_of(enum ring_stream from)
{
	return from == RING_ERRORS ? SCAN_ERR : SCAN_OUT;
}

size_t session_scan_room(const struct session *s)
{
	size_t flight = s->scan.flight[SCAN_OUT] + s->scan.flight[SCAN_ERR];

	return flight < SCAN_FLIGHT ? SCAN_FLIGHT - flight : 0;
}

void session_scan_output(struct session *s, enum ring_stream from, const uint8_t *p, size_t n)
{
	send_bytes(s, stream_of(from), p, n);
}

void session_scan_output_end(struct session *s, enum ring_stream from)
{
	if (s->table->scan.broken)
		return;
	s->scan.ending[stream_of(from)] = true;
	say(s, SCAN_END, stream_of(from), NULL, 0);
}

bool session_scan_draining(const struct session *s)
{
	return s->scan.ending[SCAN_OUT] || s->scan.ending[SCAN_ERR];
}

static void put_output(struct session *s, enum scan_stream stream, const uint8_t *p, size_t n)
{
	uint64_t now = clock_mono_ms();

	for (size_t part; n > 0; p += part, n -= part) {
		part = MIN(n, (size_t) PIECE);
		session_screen_keep(s, part);
		ring_turn(&s->ring, stream == SCAN_ERR ? RING_ERRORS : RING_OUTPUT);
		ring_put(&s->ring, p, part);
		recording_output(&s->recording, p, part, now);
	}
}

/* ---- input ---- */

void session_scan_input(struct session *s, const uint8_t *p, size_t n)
{
	send_bytes(s, SCAN_IN, p, n);
}

void session_scan_input_end(struct session *s)
{
	if (s->scan.ending[SCAN_IN])
		return;
	s->scan.ending[SCAN_IN] = true;
	say(s, SCAN_END, SCAN_IN, NULL, 0);
}

/* ---- what comes back ---- */

bool session_scan_passed(struct session *s, enum scan_stream stream, const uint8_t *p, size_t n,
			 size_t taken)
{
	if (taken > s->scan.flight[stream])
		return false;
	s->scan.flight[stream] -= taken;
	if (stream == SCAN_IN)
		session_input_put(s, p, n);
	else if (s->state != SESSION_FLUSHING) /* its end has been told */
		put_output(s, stream, p, n);
	session_refresh(s);
	return true;
}

void session_scan_ended(struct session *s, enum scan_stream stream)
{
	if (!s->scan.ending[stream])
		return;
	s->scan.ending[stream] = false;
	if (stream == SCAN_IN)
		session_input_close(s);
	else
		session_out_drained(s);
}

void session_scan_lost(struct session *s)
{
	for (size_t i = 0; i < SCAN_STREAMS; i++) {
		s->scan.flight[i] = 0;
		s->scan.ending[i] = false;
	}
	session_in_close(s);
	session_out_close(s);
	session_out_drained(s);
}

/* ---- hand-over ---- */

void session_scan_save(const struct session *s, struct pack *p)
{
	pack_tag(p, "flow");
	pack_bool(p, s->scan.on);
	for (size_t i = 0; s->scan.on && i < SCAN_STREAMS; i++) {
		pack_u64(p, s->scan.flight[i]);
		pack_bool(p, s->scan.ending[i]);
	}
}

void session_scan_restore(struct session *s, struct unpack *u)
{
	unpack_tag(u, "flow");
	s->scan.on = unpack_bool(u);
	if (s->scan.on && !s->table->scan.on) {
		s->scan.on = false;
		(void) unpack_refuse(u, "a process under a policy in a sandbox without one");
	}
	for (size_t i = 0; s->scan.on && i < SCAN_STREAMS; i++) {
		s->scan.flight[i] = unpack_u64_to(u, 1 << 30, "what the scanner has not taken");
		s->scan.ending[i] = unpack_bool(u);
	}
}
