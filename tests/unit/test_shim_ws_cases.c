/* tests/tools/ws_cases: what the decoder makes of each case, however its bytes come. Run from the repository's top. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "shim/ws.h"

enum { WIRE = 1 << 18 };

static size_t unhex(const char *s, size_t n, uint8_t *out)
{
	if (n > 0 && s[0] == '@') {
		size_t k = strtoul(s + 1, NULL, 10);

		memset(out, 'x', k);
		return k;
	}
	assert_int_equal(n % 2, 0);
	for (size_t i = 0; i < n / 2; i++) {
		const char digits[] = { s[2 * i], s[2 * i + 1], '\0' };

		out[i] = (uint8_t) strtoul(digits, NULL, 16);
	}
	return n / 2;
}

static size_t put_frame(const char *word, uint8_t *out)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	static uint8_t payload[WIRE];
	size_t n = unhex(word + 3, strlen(word) - 3, payload), at = 2;

	out[0] = (uint8_t) strtoul(word, NULL, 16);
	out[1] = 0x80 | (uint8_t) (n < 126 ? n : n < 65536 ? 126 : 127);
	for (size_t bytes = n < 126 ? 0 : n < 65536 ? 2 : 8; bytes > 0; bytes--)
		out[at++] = (uint8_t) ((uint64_t) n >> (8 * (bytes - 1)));
	memcpy(out + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < n; i++)
		out[at + i] = payload[i] ^ mask[i % 4];
	return at + n;
}

/* The frames' bytes. */
static size_t build(char *frames, uint8_t *wire)
{
	size_t n = 0;

	for (char *save, *w = strtok_r(frames, " ", &save); w; w = strtok_r(NULL, " ", &save))
		n += strncmp(w, "raw:", 4) == 0 ? unhex(w + 4, strlen(w + 4), wire + n)
						: put_frame(w, wire + n);
	return n;
}

static void say(struct buf *out, const char *kind, const uint8_t *p, size_t n)
{
	assert_ok(buf_printf(out, &e, "%s%s", buf_len(out) ? " " : "", kind));
	if (n > 100 && p[0] == 'x') {
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 'x');
		assert_ok(buf_printf(out, &e, "@%zu", n));
		return;
	}
	for (size_t i = 0; i < n; i++)
		assert_ok(buf_printf(out, &e, "%02x", p[i]));
}

/* False when nothing counts any more. */
static bool say_event(struct buf *out, const struct frame_event *ev)
{
	char code[16];

	switch (ev->kind) {
	case FRAME_TEXT:
		say(out, "t:", ev->data, ev->n);
		return true;
	case FRAME_MESSAGE:
		say(out, "b:", ev->data, ev->n);
		return true;
	case FRAME_PING:
		say(out, "p:", ev->data, ev->n);
		return true;
	case FRAME_CLOSE:
	case FRAME_BAD:
		(void) snprintf(code, sizeof(code), "%c:%u", ev->kind == FRAME_BAD ? 'e' : 'c',
				ev->code);
		say(out, code, NULL, 0);
		return false;
	default:
		return true;
	}
}

static void decode(const uint8_t *wire, size_t n, size_t step, struct buf *out)
{
	static uint8_t copy[WIRE];
	struct ws_in w;
	size_t done = 0, used;
	bool counts = true;

	memcpy(copy, wire, n); /* decoding unmasks in place */
	ws_in_init(&w, true);
	for (size_t end = MIN(step, n); counts; end = MIN(end + step, n)) {
		struct frame_event ev;

		do {
			ev = ws_decode(&w, copy + done, end - done, &used);
			done += used;
			counts = say_event(out, &ev);
		} while (counts && ev.kind != FRAME_NEED_MORE);
		if (end == n)
			break;
	}
	ws_in_fini(&w);
}

static size_t run_case(char *line)
{
	static const size_t steps[] = { 1, 2, 3, 7, 4096, WIRE };
	static uint8_t wire[WIRE];
	char *frames = strstr(line, " = "), *events = strstr(line, " -> ");
	size_t n;

	assert_non_null(frames);
	assert_non_null(events);
	*frames = *events = '\0';
	n = build(frames + 3, wire);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		auto_buf struct buf out = BUF_LIMIT(1 << 20);

		decode(wire, n, steps[i], &out);
		if (strcmp(buf_str(&out), events + 4) != 0)
			fail_msg("%s, %zu bytes at a time: %s, not %s", line, steps[i],
				 buf_str(&out), events + 4);
	}
	return 1;
}

static void test_cases(void **state)
{
	static char line[4096];
	FILE *f = fopen("tests/tools/ws_cases", "re");
	size_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#')
			n += run_case(line);
	}
	assert_int_equal(fclose(f), 0);
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
