/* carrel.v1 messages, and the packets that carry them without a WebSocket. */
#include "tests/unit/scratch.h"

#include "base/buf.h"
#include "shim/packet.h"
#include "shim/proto.h"
#include "shim/scan_talk.h"

/* ---- packets ---- */

static void test_packet(void **state)
{
	uint8_t wire[] = { 0, 0, 0, 3, 0x10, 'h',  'i',	 0,    0,  0,
			   0, 0, 0, 0, 4,    0x0f, 0x10, 0x0a, 'x' };

	for (size_t step = 1; step <= sizeof(wire); step++) {
		size_t done = 0, used, n_events = 0;
		struct packet_in k;

		packet_in_init(&k);
		while (done < sizeof(wire)) {
			size_t n = MIN(step, sizeof(wire) - done);
			struct frame_event ev = packet_decode(&k, wire + done, n, &used);

			done += used;
			if (ev.kind == FRAME_NEED_MORE)
				continue;
			n_events++;
			if (n_events == 1) {
				assert_int_equal(ev.n, 3);
				assert_memory_equal(ev.data, "\x10hi", 3);
			} else if (n_events == 2)
				assert_int_equal(ev.n, 0);
			else {
				assert_int_equal(ev.kind, FRAME_CLOSE);
				assert_int_equal(ev.code, 0x100a);
				assert_memory_equal(ev.data, "x", 1);
			}
		}
		assert_int_equal(n_events, 3);
		packet_in_fini(&k);
	}
}

static void test_packet_refuses(void **state)
{
	uint8_t big[] = { 0, 1, 0, 1 }, huge[] = { 0xff, 0xff, 0xff, 0xff },
		close[] = { 0, 0, 0, 2, 0x0f, 0x03 };
	struct packet_in k;
	size_t used;

	packet_in_init(&k);
	assert_int_equal(packet_decode(&k, big, 4, &used).code, 1009);
	packet_in_init(&k);
	assert_int_equal(packet_decode(&k, huge, 4, &used).code, 1009);
	packet_in_init(&k);
	assert_int_equal(packet_decode(&k, close, 6, &used).code, 1002);
	assert_int_equal(packet_decode(&k, close, 6, &used).kind, FRAME_BAD);
	packet_in_fini(&k);
}

/* ---- carrel.v1 ---- */

static void test_proto_accepts(void **state)
{
	struct err e = ERR_NONE;
	struct proto_in m;

	assert_int_equal(proto_decode((const uint8_t *) "\x10ls\n", 4, &m, &e), 0);
	assert_int_equal(m.type, PROTO_INPUT);
	assert_int_equal(m.n, 3);
	assert_memory_equal(m.data, "ls\n", 3);
	assert_int_equal(proto_decode((const uint8_t *) "\x11\x00\x50\x03\xe8", 5, &m, &e), 0);
	assert_int_equal(m.cols, 80);
	assert_int_equal(m.rows, 1000);
	assert_int_equal(proto_decode((const uint8_t *) "\x12\x01\x02\x03\x04\x05\x06\x07\x08",
				      9, &m, &e),
			 0);
	assert_true(m.offset == 0x0102030405060708ull);
	assert_int_equal(proto_decode((const uint8_t *) "\x13", 1, &m, &e), 0);
	assert_int_equal(proto_decode((const uint8_t *) "\x14", 1, &m, &e), 0);
}

static void test_proto_refuses(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} rows[] = {
		{ "\x00", 1, "message of unknown type 0x00" },
		{ "\x01xxxxxxxxx", 10, "message of unknown type 0x01" },
		{ "\x16", 1, "message of unknown type 0x16" },
		{ "\x15", 1, "PEN: 0 bytes where 1 belong" },
		{ "\x15\x02", 2, "PEN: 2 is neither 1 (take) nor 0 (give back)" },
		{ "\xff", 1, "message of unknown type 0xff" },
		{ "\x11\x00\x50", 3, "RESIZE: 2 bytes where 4 belong" },
		{ "\x11\x00\x00\x00\x18", 5,
		  "RESIZE: 0 columns and 24 rows: both must be 1 to 1000" },
		{ "\x11\x00\x50\x03\xe9", 5,
		  "RESIZE: 80 columns and 1001 rows: both must be 1 to 1000" },
		{ "\x11\xff\xff\xff\xff", 5,
		  "RESIZE: 65535 columns and 65535 rows: both must be 1 to 1000" },
		{ "\x12\x00", 2, "ACK: 1 bytes where 8 belong" },
		{ "\x13"
		  "0123456789012345678901234567890123",
		  35, "PING: 34 bytes where at most 32 belong" },
		{ "\x14x", 2, "INPUT_END: 1 bytes where 0 belong" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;
		struct proto_in m;

		assert_int_equal(proto_decode((const uint8_t *) rows[i].bytes, rows[i].n, &m,
					      &e),
				 -1);
		assert_string_equal(e.msg, rows[i].why);
	}
}

static void test_proto_writes(void **state)
{
	struct proto_hello h = { .id = "abc",
				 .process = 4,
				 .client = 2,
				 .role = "writer",
				 .oldest = 1,
				 .next = 5000000000,
				 .cols = 80,
				 .rows = 24,
				 .window = 262144 };
	struct buf b = BUF_LIMIT(1024);
	struct err e = ERR_NONE;
	uint8_t small[PROTO_MAX_SMALL];

	assert_int_equal(proto_hello(&b, &h, &e), 0);
	assert_string_equal(
		buf_str(&b),
		"\x02{\"version\":1,\"id\":\"abc\",\"client\":2,\"process\":4,\"role\":\"writer\","
		"\"oldest\":1,\"next\":5000000000,\"cols\":80,\"rows\":24,\"window\":262144}");
	buf_clear(&b);
	h.policy = "watch";
	assert_int_equal(proto_hello(&b, &h, &e), 0);
	assert_non_null(strstr(buf_str(&b), ",\"window\":262144,\"policy\":\"watch\"}"));
	buf_clear(&b);
	assert_int_equal(proto_exit(&b, "exited", 3, 0, &e), 0);
	assert_string_equal(buf_str(&b), "\x06{\"reason\":\"exited\",\"code\":3,\"signal\":0}");
	buf_clear(&b);
	assert_int_equal(proto_notice(&b, "idle", 60, NULL, &e), 0);
	assert_string_equal(buf_str(&b), "\x07{\"kind\":\"idle\",\"seconds_left\":60}");
	buf_fini(&b);
	assert_int_equal(proto_range(small, PROTO_GAP, 1, 0x102), 17);
	assert_memory_equal(small, "\x09\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1\2", 17);
	assert_int_equal(proto_size(small, 80, 1000), 5);
	assert_memory_equal(small, "\x05\0\x50\x03\xe8", 5);
}

/* A scanner outlives the shim that started it, and may be older than the next one. */
static void test_findings_of_older_scanners(void **state)
{
	const struct {
		size_t n;
		const char *fingerprint;
		bool good;
	} rows[] = { { sizeof(struct scan_found), "0123456789abcdef", true },
		     { sizeof(struct scan_found), "", true },
		     { sizeof(struct scan_found), "0123456789abcdeX", false },
		     { sizeof(struct scan_found), "0123", false },
		     { SCAN_FOUND_OLD, "", true },
		     { SCAN_FOUND_OLD + 1, "", false } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scan_head head = { .kind = SCAN_FOUND, .n = (uint32_t) rows[i].n }, h;
		struct scan_found f = { .rule = "aws" };
		uint8_t message[sizeof(head) + sizeof(f)];
		const uint8_t *body;
		struct err e = ERR_NONE;

		(void) snprintf(f.fingerprint, sizeof(f.fingerprint), "%s",
				rows[i].fingerprint);
		memcpy(message, &head, sizeof(head));
		memcpy(message + sizeof(head), &f, sizeof(f));
		assert_int_equal(scan_decode(message, sizeof(head) + rows[i].n, &h, &body, &e),
				 rows[i].good ? 0 : -1);
		if (rows[i].good)
			assert_string_equal(scan_finding(&h, body).fingerprint,
					    rows[i].fingerprint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_packet_refuses),
		cmocka_unit_test(test_proto_accepts),
		cmocka_unit_test(test_proto_refuses),
		cmocka_unit_test(test_findings_of_older_scanners),
		cmocka_unit_test(test_proto_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
