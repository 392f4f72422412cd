/* What each dialect makes of messages, and its messages to the byte. The transcripts are from the protocols' own servers and
 * clients (docs/protocol.md says where they are described). */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "shim/dialect.h"
#include "shim/frame.h"

/* Messages that were put, one behind the other, with | after each. */
static struct buf said = { .limit = 65536 };

static void hear(void *arg, const void *p, size_t n)
{
	assert_ok(buf_append(&said, p, n, &e));
	assert_ok(buf_append(&said, "|", 1, &e));
}

static const struct dialect_out out = { hear, NULL };

static void heard(const void *want, size_t n)
{
	assert_int_equal(buf_len(&said), n);
	assert_memory_equal(buf_bytes(&said), want, n);
	buf_fini(&said);
}
#define heard(s) heard(s, sizeof(s) - 1)

static void check_greeting(const struct dialect *d)
{
	const struct dialect_greeting g = { "box", 7, 3, true, 5, 9, 80, 24, 4096, NULL };

	if (d->greet)
		assert_ok(d->greet(&g, &out, &e));
}

static void test_greetings(void **state)
{
	check_greeting(&dialect_carrel);
	heard("\x02{\"version\":1,\"id\":\"box\",\"client\":7,\"process\":3,\"role\":\"writer\",\"oldest\":5,"
	      "\"next\":9,\"cols\":80,\"rows\":24,\"window\":4096}|");
	check_greeting(&dialect_tty);
	heard("1carrel box|2{}|");
	check_greeting(&dialect_k8s_v5);
	heard("\x01|");
	check_greeting(&dialect_k8s_v4);
	heard("\x01|");
	check_greeting(&dialect_terminado);
	heard("[\"setup\",{}]|");
	check_greeting(&dialect_raw);
	heard("");
}

#define M(s) s, sizeof(s) - 1

static void test_messages(void **state)
{
	static const struct {
		const struct dialect *d;
		const char *bytes;
		size_t n;
		enum dialect_ask ask;
		const char *data;
		size_t n_data;
		uint16_t cols, rows;
	} rows[] = {
		{ &dialect_carrel, M("\x10ls\n"), DIALECT_INPUT, M("ls\n"), 0, 0 },
		{ &dialect_carrel, M("\x11\0\x50\0\x18"), DIALECT_RESIZE, NULL, 0, 80, 24 },
		{ &dialect_carrel, M("\x14"), DIALECT_INPUT_END, NULL, 0, 0, 0 },
		{ &dialect_raw, M("ls\n\0"), DIALECT_INPUT, M("ls\n\0"), 0, 0 },

		{ &dialect_tty, M("{\"AuthToken\":\"\",\"columns\":80,\"rows\":24}"),
		  DIALECT_RESIZE, NULL, 0, 80, 24 },
		{ &dialect_tty, M("{\"AuthToken\":\"x\"}"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_tty, M("0ls\n"), DIALECT_INPUT, M("ls\n"), 0, 0 },
		{ &dialect_tty, M("0{"), DIALECT_INPUT, M("{"), 0, 0 },
		{ &dialect_tty, M("0"), DIALECT_INPUT, M(""), 0, 0 },
		{ &dialect_tty, M("1{\"columns\":132,\"rows\":43}"), DIALECT_RESIZE, NULL, 0,
		  132, 43 },
		{ &dialect_tty, M("1{\"columns\":0,\"rows\":0}"), DIALECT_NOTHING, NULL, 0, 0,
		  0 },
		{ &dialect_tty, M("1{\"columns\":70000,\"rows\":43}"), DIALECT_RESIZE, NULL, 0,
		  1000, 43 },
		{ &dialect_tty, M("2"), DIALECT_PAUSE, NULL, 0, 0, 0 },
		{ &dialect_tty, M("3"), DIALECT_RESUME, NULL, 0, 0, 0 },
		{ &dialect_tty, M("9what"), DIALECT_NOTHING, NULL, 0, 0, 0 },

		{ &dialect_k8s_v5, M("\0ls\n"), DIALECT_INPUT, M("ls\n"), 0, 0 },
		{ &dialect_k8s_v5, M("\4{\"Width\":132,\"Height\":43}"), DIALECT_RESIZE, NULL,
		  0, 132, 43 },
		{ &dialect_k8s_v5, M("\4{\"Width\":132,\"Height\":43}\n"), DIALECT_RESIZE, NULL,
		  0, 132, 43 },
		{ &dialect_k8s_v4, M("\4{\"height\":43,\"width\":132}"), DIALECT_RESIZE, NULL,
		  0, 132, 43 },
		{ &dialect_k8s_v4, M("\4[1,2]"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_k8s_v5, M("\4"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_k8s_v5, M("\4{\"Width\":0,\"Height\":43}"), DIALECT_NOTHING, NULL, 0,
		  0, 0 },
		{ &dialect_k8s_v5, M("\xff\0"), DIALECT_INPUT_END, NULL, 0, 0, 0 },
		{ &dialect_k8s_v5, M("\xff\1"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_k8s_v5, M("\xff"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_k8s_v5, M("\1no"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_k8s_v5, M("\7no"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_k8s_v4, M("\0ls\n"), DIALECT_INPUT, M("ls\n"), 0, 0 },
		{ &dialect_k8s_v4, M("\xff\0"), DIALECT_NOTHING, NULL, 0, 0, 0 },

		{ &dialect_terminado, M("[\"stdin\",\"ls\\n\\u0000\\u0003\xc3\xa9\"]"),
		  DIALECT_INPUT, M("ls\n\0\3\xc3\xa9"), 0, 0 },
		{ &dialect_terminado, M("[\"set_size\", 43, 132, 600, 800]"), DIALECT_RESIZE,
		  NULL, 0, 132, 43 },
		{ &dialect_terminado, M("[\"set_size\", 0, 0]"), DIALECT_NOTHING, NULL, 0, 0,
		  0 },
		{ &dialect_terminado, M("[\"set_size\"]"), DIALECT_NOTHING, NULL, 0, 0, 0 },
		{ &dialect_terminado, M("[\"set_size\",null,\"80\"]"), DIALECT_NOTHING, NULL, 0,
		  0, 0 },
		{ &dialect_terminado, M("[\"switch_terminal\",\"2\"]"), DIALECT_NOTHING, NULL,
		  0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dialect_state s = { 0 };
		struct dialect_in in = { 0 };

		assert_ok(rows[i].d->decode(&s, (const uint8_t *) rows[i].bytes, rows[i].n, &in,
					    &e));
		assert_int_equal(in.ask, rows[i].ask);
		if (rows[i].data) {
			assert_int_equal(in.n, rows[i].n_data);
			assert_memory_equal(in.data, rows[i].data, in.n);
		}
		if (in.ask == DIALECT_RESIZE) {
			assert_int_equal(in.cols, rows[i].cols);
			assert_int_equal(in.rows, rows[i].rows);
		}
		dialect_state_fini(&s);
	}
}

static void test_broken_messages(void **state)
{
	static const struct {
		const struct dialect *d;
		const char *bytes, *why;
	} rows[] = {
		{ &dialect_carrel, "\x77", "message of unknown type 0x77" },
		{ &dialect_tty, "1{", "tty: size: " },
		{ &dialect_tty, "{\"columns\":", "tty: size: " },
		{ &dialect_k8s_v5, "\4{]", "channel 4: " },
		{ &dialect_k8s_v4, "\4x", "channel 4: " },
		{ &dialect_terminado, "ls", "terminado: " },
		{ &dialect_terminado, "{}", "a message is an array that begins with a name" },
		{ &dialect_terminado, "[]", "a message is an array that begins with a name" },
		{ &dialect_terminado, "[1]", "a message is an array that begins with a name" },
		{ &dialect_terminado, "[\"stdin\"]", "stdin without a text" },
		{ &dialect_terminado, "[\"stdin\",7]", "stdin without a text" },
		{ &dialect_terminado, "[[[[[[]]]]]]", "terminado: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dialect_state s = { 0 };
		struct dialect_in in;
		struct err why = ERR_NONE;

		assert_int_equal(rows[i].d->decode(&s, (const uint8_t *) rows[i].bytes,
						   strlen(rows[i].bytes), &in, &why),
				 -1);
		assert_non_null(strstr(why.msg, rows[i].why));
		dialect_state_fini(&s);
	}
}

static void test_heads(void **state)
{
	static const struct {
		const struct dialect *d;
		enum dialect_stream stream;
		const char *bytes;
		size_t n;
	} rows[] = {
		{ &dialect_carrel, DIALECT_STDOUT, M("\1\0\0\0\0\0\1\2\3") },
		{ &dialect_tty, DIALECT_STDOUT, M("0") },
		{ &dialect_tty, DIALECT_STDERR, M("0") },
		{ &dialect_k8s_v5, DIALECT_STDOUT, M("\1") },
		{ &dialect_k8s_v5, DIALECT_STDERR, M("\2") },
		{ &dialect_k8s_v4, DIALECT_STDOUT, M("\1") },
		{ &dialect_raw, DIALECT_STDOUT, M("") },
	};
	uint8_t head[DIALECT_HEAD];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(rows[i].d->head(head, rows[i].stream, 0x10203), rows[i].n);
		assert_memory_equal(head, rows[i].bytes, rows[i].n);
	}
}

static void ends(const struct dialect *d, const char *reason, int code, int signal)
{
	const struct dialect_exit x = { reason, code, signal };
	struct dialect_state s = { 0 };

	if (d->exit)
		d->exit(&s, &out, &x);
}

static void test_ends(void **state)
{
	ends(&dialect_carrel, "signalled", 0, 9);
	heard("\x06{\"reason\":\"signalled\",\"code\":0,\"signal\":9}|");
	ends(&dialect_tty, "exited", 3, 0);
	heard("");
	ends(&dialect_terminado, "exited", 3, 0);
	heard("[\"disconnect\",1]|");

	ends(&dialect_k8s_v5, "exited", 0, 0);
	heard("\3{\"metadata\":{},\"status\":\"Success\"}|");
	ends(&dialect_k8s_v4, "exited", 3, 0);
	heard("\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with exit "
	      "code 3\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[{\"reason\":"
	      "\"ExitCode\",\"message\":\"3\"}]}}|");
	ends(&dialect_k8s_v5, "signalled", 0, 15);
	assert_non_null(strstr(buf_str(&said), "\"ExitCode\",\"message\":\"143\""));
	buf_fini(&said);
	ends(&dialect_k8s_v5, "oom", 137, 0);
	assert_non_null(strstr(buf_str(&said), "exit code 137: out of memory"));
	buf_fini(&said);
	ends(&dialect_k8s_v5, "idle", 0, 9);
	heard("\3{\"metadata\":{},\"status\":\"Failure\",\"message\":\"the sandbox was ended: idle\","
	      "\"reason\":\"InternalError\",\"code\":500}|");
	dialect_k8s_v5.failed(&out, CLOSE_TAKEN_OVER, "another writer took over");
	assert_non_null(strstr(buf_str(&said), "\"message\":\"another writer took over\""));
	buf_fini(&said);
}

static void test_close_codes(void **state)
{
	static const uint16_t codes[] = { CLOSE_NORMAL, CLOSE_IDLE,    CLOSE_TAKEN_OVER,
					  CLOSE_OOM,	CLOSE_TOO_BIG, CLOSE_PROTOCOL };
	static const uint16_t plain[] = { 1000, 1000, 1000, 1000, 1009, 1002 };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		assert_int_equal(dialect_close_code(&dialect_carrel, codes[i]), codes[i]);
		assert_int_equal(dialect_close_code(&dialect_tty, codes[i]), plain[i]);
		assert_int_equal(dialect_close_code(&dialect_k8s_v5, codes[i]), plain[i]);
	}
}

static void test_names(void **state)
{
	assert_ptr_equal(dialect_find("carrel.v1"), &dialect_carrel);
	assert_ptr_equal(dialect_find("tty"), &dialect_tty);
	assert_ptr_equal(dialect_find("v5.channel.k8s.io"), &dialect_k8s_v5);
	assert_ptr_equal(dialect_find("v4.channel.k8s.io"), &dialect_k8s_v4);
	assert_ptr_equal(dialect_find("terminado"), &dialect_terminado);
	assert_ptr_equal(dialect_find("raw"), &dialect_raw);
	assert_null(dialect_find("webtty"));
	assert_null(dialect_find(""));
}

/* ---- terminado's text ---- */

static void encode(struct dialect_state *s, const void *p, size_t n)
{
	/* In two pieces, as the history gives it where it wraps around. */
	const struct iovec v[2] = { { (void *) p, n / 3 },
				    { (void *) ((const char *) p + n / 3), n - n / 3 } };
	auto_buf struct buf message = BUF_LIMIT(DIALECT_ENCODED);

	assert_ok(dialect_terminado.encode(s, DIALECT_STDOUT, v, 2, &message, &e));
	if (buf_len(&message) > 0)
		hear(NULL, buf_bytes(&message), buf_len(&message));
}

static void test_terminado_text(void **state)
{
	struct dialect_state s = { 0 };

	encode(&s, M("a\"b\\c\r\n\t\b\f\0\x1b[1m\x7f\xc3\xa9"));
	heard("[\"stdout\",\"a\\\"b\\\\c\\r\\n\\t\\b\\f\\u0000\\u001b[1m\x7f\xc3\xa9\"]|");
	/* A character in pieces, whole at last. */
	encode(&s, M("x\xf0"));
	encode(&s, M("\x9f"));
	encode(&s, M("\x98"));
	encode(&s, M("\x80y"));
	heard("[\"stdout\",\"x\"]|[\"stdout\",\"\xf0\x9f\x98\x80y\"]|");
	/* What is none is replaced, byte by byte, also where it first looked like one. */
	encode(&s, M("\xff\xc0\x80\xed\xa0\x80z"));
	heard("[\"stdout\",\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf"
	      "\xbdz\"]|");
	encode(&s, M("\xe2\x82"));
	encode(&s, M("("));
	heard("[\"stdout\",\"\xef\xbf\xbd\xef\xbf\xbd(\"]|");
	/* The end cuts a character. */
	encode(&s, M("\xe2\x82"));
	dialect_terminado.exit(&s, &out, &(struct dialect_exit){ "exited", 0, 0 });
	heard("[\"stdout\",\"\\ufffd\"]|[\"disconnect\",1]|");
}

/* The most that a piece can become still fits. */
static void test_terminado_worst(void **state)
{
	static uint8_t zeros[DIALECT_ENCODE];
	struct dialect_state s = { 0 };

	encode(&s, "\xf0\x90\x80", 3);
	encode(&s, zeros, sizeof(zeros));
	assert_true(buf_len(&said) > 6 * sizeof(zeros));
	buf_fini(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greetings),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_broken_messages),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_close_codes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_terminado_text),
		cmocka_unit_test(test_terminado_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
