/* Parts of the image store that need no store: blobs that come in pieces, packing, the confined child's memory. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/prctl.h>

#include <zlib.h>
#include <zstd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/util.h"
#include "images/blob_sink.h"
#include "images/confine.h"
#include "images/digest.h"
#include "images/pack.h"
#include "images/store.h"

/* ---- blob_sink ---- */

static struct store_work work_in(const struct scratch *s)
{
	struct store_work w = STORE_WORK_NONE;

	w.blobs_fd = s->fd;
	return w;
}

static struct blob blob_of(const char *text)
{
	struct blob b = { .size = strlen(text) };

	assert_ok(digest_of(DIGEST_SHA256, text, b.size, &b.digest, &e));
	return b;
}

static size_t files_in(const struct scratch *s)
{
	auto_close int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	size_t n = 0;

	assert_non_null(d);
	fd = -1; /* closedir's */
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Puts the text in pieces of `step` bytes; what finish, or the piece that was too much, returns. */
static int pour(struct scratch *s, const struct blob *expect, uint64_t limit, const char *text,
		size_t step, struct blob *out, struct err *e)
{
	struct store_work w = work_in(s);
	struct blob_sink k = BLOB_SINK_NONE;
	const size_t all = strlen(text);
	int r = blob_sink_begin(&w, expect, limit, &k, e);

	for (size_t at = 0; r == 0 && at < all; at += step)
		r = blob_sink_put(&k, text + at, MIN(step, all - at), e);
	if (r == 0)
		r = blob_sink_finish(&k, out, e);
	blob_sink_fini(&k);
	return r;
}

static void a_blob_gets_its_name_when_it_is_whole(void **state)
{
	struct scratch *s = *state;
	const struct blob want = blob_of("hello, world");
	struct store_work w = work_in(s);
	struct blob_sink k = BLOB_SINK_NONE;
	struct blob got;
	struct stat st;

	assert_ok(blob_sink_begin(&w, &want, 0, &k, &e));
	assert_ok(blob_sink_put(&k, "hello, ", 7, &e));
	assert_int_equal(fstatat(s->fd, want.digest.hex, &st, 0), -1);
	assert_ok(blob_sink_put(&k, "world", 5, &e));
	assert_ok(blob_sink_finish(&k, &got, &e));
	assert_int_equal(fstatat(s->fd, want.digest.hex, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(digest_equal(&got.digest, &want.digest) && got.size == 12);
	blob_sink_fini(&k);
	assert_int_equal(files_in(s), 1);
	/* Without a promise it is named by what it is. */
	assert_ok(pour(s, NULL, 5, "other", 2, &got, &e));
	assert_int_equal(fstatat(s->fd, blob_of("other").digest.hex, &st, 0), 0);
	assert_int_equal(files_in(s), 2);
}

static void a_blob_that_was_not_promised_leaves_nothing(void **state)
{
	struct scratch *s = *state;
	const struct blob want = blob_of("hello, world");
	struct blob got;
	struct err e = ERR_NONE;

	assert_int_equal(pour(s, &want, 0, "hello, World", 5, &got, &e), -1);
	says(&e, "its content has the digest");
	e = ERR_NONE;
	assert_int_equal(pour(s, &want, 0, "hello, worl", 5, &got, &e), -1);
	says(&e, "its descriptor says 12");
	e = ERR_NONE;
	assert_int_equal(pour(s, &want, 0, "hello, world and more", 5, &got, &e), -1);
	says(&e, "more than the 12 bytes");
	e = ERR_NONE;
	assert_int_equal(pour(s, NULL, 5, "123456", 6, &got, &e), -1);
	says(&e, "more than the 5 bytes");
	assert_int_equal(files_in(s), 0);
}

/* ---- pack ---- */

enum { BYTES = 300000 };

static void pack_to(enum compression c, const uint8_t *data, size_t step, int fd,
		    struct digest *in)
{
	auto_pack struct pack *p = NULL;

	assert_ok(pack_new(c, fd, &p, &e));
	for (size_t at = 0; at < BYTES; at += step)
		assert_ok(pack_write(p, data + at, MIN(step, BYTES - at), &e));
	assert_ok(pack_finish(p, in, &e));
}

static void unpack(enum compression c, const uint8_t *p, size_t n, uint8_t *out)
{
	z_stream z = { .next_in = (Bytef *) p,
		       .avail_in = (uInt) n,
		       .next_out = out,
		       .avail_out = BYTES };

	if (c == COMPRESSION_NONE) {
		assert_int_equal(n, BYTES);
		memcpy(out, p, n);
	} else if (c == COMPRESSION_ZSTD) {
		assert_int_equal(ZSTD_decompress(out, BYTES, p, n), BYTES);
	} else {
		assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, BYTES);
		(void) inflateEnd(&z);
	}
}

static void packing_is_the_way_back_for_any_pieces(void **state)
{
	static const enum compression all[] = { COMPRESSION_NONE, COMPRESSION_GZIP,
						COMPRESSION_ZSTD };
	auto_free uint8_t *data = xalloc(BYTES), *back = xalloc(BYTES),
			  *one = xalloc(2 * BYTES), *two = xalloc(2 * BYTES);
	struct digest want, got;

	for (size_t i = 0; i < BYTES; i++)
		data[i] = (uint8_t) (i * i >> 7);
	assert_ok(digest_of(DIGEST_SHA256, data, BYTES, &want, &e));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		auto_close int a = memory(""), b = memory("");
		ssize_t n, m;

		pack_to(all[i], data, BYTES, a, &got);
		assert_true(digest_equal(&got, &want));
		pack_to(all[i], data, 777, b, &got);
		n = pread(a, one, 2 * BYTES, 0);
		m = pread(b, two, 2 * BYTES, 0);
		unpack(all[i], one, (size_t) n, back);
		assert_memory_equal(back, data, BYTES);
		unpack(all[i], two, (size_t) m, back);
		assert_memory_equal(back, data, BYTES);
	}
}

static void nothing_is_packed_in_a_foreign_way(void **state)
{
	struct pack *p = NULL;

	assert_err(pack_new(COMPRESSION_FOREIGN, -1, &p, &e), EINVAL);
	assert_null(p);
}

/* ---- confine ---- */

/* 0 when it was given memory of this kind. */
static int map(void *arg, int sock)
{
	const int *prot = arg;

	return mmap(NULL, 4096, *prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static struct child_status confined(int prot)
{
	const struct confine_spec spec = { .kind = CONFINE_STREAM,
					   .tree_fd = -1,
					   .seconds = 10,
					   .main = map,
					   .arg = &prot,
					   .exec_fd = -1 };
	struct child_status st = { 0 };
	struct child c = CHILD_NONE;
	struct err refused = ERR_NONE;
	auto_close int sock = -1;

	if (confine_start(&spec, &c, &sock, &refused) < 0) {
		print_message("no user namespaces here: %s\n", refused.msg);
		skip();
	}
	assert_ok(child_wait(&c, &st, &e));
	return st;
}

static void a_confined_child_has_no_memory_that_can_be_run(void **state)
{
	struct child_status st = confined(PROT_READ | PROT_WRITE);

	/* The control: memory as such it may have. */
	assert_true(!st.signalled && st.code == 0);
	st = confined(PROT_READ | PROT_EXEC);
	assert_true(st.signalled && st.code == SIGSYS);
	st = confined(PROT_READ | PROT_WRITE | PROT_EXEC);
	assert_true(st.signalled && st.code == SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_blob_gets_its_name_when_it_is_whole,
						scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(a_blob_that_was_not_promised_leaves_nothing,
						scratch_setup, scratch_teardown),
		cmocka_unit_test(packing_is_the_way_back_for_any_pieces),
		cmocka_unit_test(nothing_is_packed_in_a_foreign_way),
		cmocka_unit_test(a_confined_child_has_no_memory_that_can_be_run),
	};

	return cmocka_run_group_tests_name("images: parts", tests, NULL, NULL);
}
