/* Recordings of the shim: asciicast v3 whose bytes can be had back. */
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "shim/recording.h"

struct cast {
	int fd;
	struct recording r;
};

static void begin(struct cast *c, uint64_t max)
{
	struct recording_spec spec = { .max_bytes = max,
				       .cols = 80,
				       .rows = 24,
				       .title = "box",
				       .real_ms = 1700000000500,
				       .now_ms = 1000 };
	struct err e = ERR_NONE;

	c->fd = memfd_create("cast", MFD_CLOEXEC);
	assert_true(c->fd > 0);
	spec.fd = dup(c->fd);
	assert_int_equal(recording_init(&c->r, &spec, &e), 0);
}

static char *text_of(struct cast *c, char *out, size_t n)
{
	ssize_t got = pread(c->fd, out, n - 1, 0);

	assert_true(got > 0);
	out[got] = '\0';
	close(c->fd);
	return out;
}

static void test_events_and_times(void **state)
{
	struct cast c;
	char text[4096];

	begin(&c, 1 << 20);
	recording_output(&c.r, "a\x1b[1m\"\\\0b\r\n", 11, 1250);
	recording_size(&c.r, 100, 50, 3250);
	recording_exit(&c.r, 3, 3251);
	assert_string_equal(c.r.ended, "exit");
	recording_output(&c.r, "late", 4, 4000);
	assert_string_equal(
		text_of(&c, text, sizeof(text)),
		"{\"version\":3,\"term\":{\"cols\":80,\"rows\":24,\"type\":\"xterm-256color\"},"
		"\"timestamp\":1700000000,\"title\":\"box\"}\n"
		"[0.250, \"o\", \"a\\u001b[1m\\\"\\\\\\u0000b\\r\\n\"]\n"
		"[2.000, \"r\", \"100x50\"]\n"
		"[0.001, \"x\", \"3\"]\n");
}

static void test_characters_in_pieces_and_bytes_that_are_none(void **state)
{
	struct cast c;
	char text[4096];

	begin(&c, 1 << 20);
	recording_output(&c.r, "\xe2\x82", 2,
			 1000); /* nothing is said before the character is whole */
	recording_output(&c.r, "\xac|", 2, 2000);
	recording_output(&c.r, "\xff\xc3(\xed\xa0\x80", 6,
			 2000); /* a byte of none, a cut one, a surrogate */
	recording_output(&c.r, "\xf0\x9f", 2, 2000);
	recording_exit(&c.r, 0, 2000);
	assert_non_null(strstr(text_of(&c, text, sizeof(text)),
			       "[1.000, \"o\", \"\u20ac|\"]\n"
			       "# raw 4:ff 5:c3 7:ed 8:a0 9:80\n"
			       "[0.000, \"o\", \"\ufffd\ufffd(\ufffd\ufffd\ufffd\"]\n"
			       "# raw 10:f0 11:9f\n"
			       "[0.000, \"o\", \"\ufffd\ufffd\"]\n"
			       "[0.000, \"x\", \"0\"]\n"));
}

/* Reads a recording as a player does: every line is JSON or a comment; gives the bytes back. */
static size_t bytes_of(char *text, uint8_t *out, char *last_kind)
{
	static const struct json_limits limits = { .bytes = 1 << 20, .depth = 4, .nodes = 64 };
	char raw[65536] = "";
	size_t n = 0, line_no = 0;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), line_no++) {
		struct json_doc *doc = NULL;
		struct err e = ERR_NONE;
		const struct json *s;

		if (line[0] == '#') {
			(void) snprintf(raw, sizeof(raw), "%s ", line + 5);
			continue;
		}
		assert_int_equal(json_parse(line, strlen(line), &limits, &doc, &e), 0);
		if (line_no > 0) {
			s = json_at_index(json_root(doc), 2);
			*last_kind = json_at_index(json_root(doc), 1)->str.s[0];
			for (size_t i = 0; *last_kind == 'o' && i < s->str.n;) {
				char key[32];
				const char *at;

				(void) snprintf(key, sizeof(key), " %zu:", n);
				at = strstr(raw, key);
				if (at && memcmp(s->str.s + i, "\xef\xbf\xbd", 3) == 0) {
					out[n++] =
						(uint8_t) strtoul(at + strlen(key), NULL, 16);
					i += 3;
				} else
					out[n++] = (uint8_t) s->str.s[i++];
			}
		}
		json_doc_free(doc);
	}
	return n;
}

static void test_any_bytes_come_back(void **state)
{
	static char text[4 << 20];
	static uint8_t in[60000], out[80000];
	uint32_t seed = 12345;
	struct cast c;
	char kind = 0;

	for (size_t i = 0; i < sizeof(in); i++) {
		seed = seed * 1664525 + 1013904223;
		/* Mostly lead and continuation bytes, so that every kind of damage happens. */
		in[i] = (uint8_t) (seed >> 24 & 3 ? 0x80 + (seed >> 16 & 0x7f)
						  : seed >> 16 & 0x7f);
	}
	begin(&c, sizeof(text));
	for (size_t i = 0, step; i < sizeof(in); i += step) {
		seed = seed * 1664525 + 1013904223;
		step = 1 + (seed >> 16) % 97;
		if (seed >> 28 == 0)
			step = 9000;
		if (step > sizeof(in) - i)
			step = sizeof(in) - i;
		recording_output(&c.r, in + i, step, 1000 + i);
	}
	recording_exit(&c.r, 0, 99999);
	assert_int_equal(bytes_of(text_of(&c, text, sizeof(text)), out, &kind), sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(kind, 'x');
}

static void test_the_limit_is_kept_and_said(void **state)
{
	char text[16384], *mark;
	struct stat st;
	struct cast c;

	begin(&c, RECORDING_MIN_BYTES);
	for (int i = 0; i < 1000 && !c.r.ended; i++)
		recording_output(&c.r, "0123456789012345678901234567890123456789", 40, 1000);
	assert_string_equal(c.r.ended, "limit");
	assert_int_equal(fstat(c.fd, &st), 0);
	assert_true(st.st_size <= RECORDING_MIN_BYTES &&
		    st.st_size > RECORDING_MIN_BYTES - 600);
	mark = strstr(text_of(&c, text, sizeof(text)), "\"m\"");
	assert_non_null(mark);
	assert_non_null(strstr(mark, "limit"));
	recording_exit(&c.r, 0, 1000);
	assert_string_equal(c.r.ended, "limit");
}

static void test_what_cannot_be_written_ends_it(void **state)
{
	struct recording_spec spec = { .max_bytes = 1 << 20, .cols = 80, .rows = 24 };
	struct err e = ERR_NONE;
	struct recording r = { 0 };

	spec.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(recording_init(&r, &spec, &e), -1);
	assert_int_equal(e.code, ENOSPC);
	assert_int_equal(r.fd, 0);
	close(spec.fd);
	spec.max_bytes = 100;
	assert_int_equal(recording_init(&r, &spec, &e), -1);
	assert_int_equal(e.code, EINVAL);
	recording_output(&r, "x", 1, 1); /* one that was never begun */
	recording_exit(&r, 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_and_times),
		cmocka_unit_test(test_characters_in_pieces_and_bytes_that_are_none),
		cmocka_unit_test(test_any_bytes_come_back),
		cmocka_unit_test(test_the_limit_is_kept_and_said),
		cmocka_unit_test(test_what_cannot_be_written_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
