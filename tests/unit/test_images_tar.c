/* The tar reader: names come out as they went in, limits hold, lies are told apart from archives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/util.h"
#include "images/limits.h"
#include "images/tar.h"
#include "tests/unit/tar_make.h"

struct input {
	const struct tar_image *image;
	size_t at, step;
};

static ssize_t feed(void *arg, const void **p, struct err *e)
{
	struct input *in = arg;
	size_t n = MIN(in->step, in->image->n - in->at);

	*p = in->image->data + in->at;
	in->at += n;
	return (ssize_t) n;
}

static int count_all(struct tar *t, struct err *e)
{
	struct tar_entry en;
	int n = 0, r;

	while ((r = tar_next(t, &en, e)) == 1) {
		const void *p;
		uint64_t offset;
		size_t len;

		n++;
		while (en.kind == TAR_FILE && (r = tar_data(t, &p, &len, &offset, e)) == 1)
			continue;
		if (r < 0)
			return -1;
	}
	return r < 0 ? -1 : n;
}

/* Reads all of it in steps; the number of entries, or -1. */
static int read_all(const struct tar_image *image, const struct image_limits *limits,
		    struct err *e)
{
	struct input in = { .image = image, .step = 700 };
	auto_tar struct tar *t = NULL;

	if (tar_open(feed, &in, limits, &t, e) < 0)
		return -1;
	return count_all(t, e);
}

static void first_entry(struct tar_image *image, struct tar **t, struct tar_entry *en)
{
	const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
	static struct input in;
	struct err e = ERR_NONE;

	tar_end(image);
	in = (struct input){ .image = image, .step = 1 << 20 };
	if (tar_open(feed, &in, &limits, t, &e) < 0 || tar_next(*t, en, &e) != 1)
		fail_msg("%s", e.msg);
}

static void names_are_bytes(void **state)
{
	static const struct {
		const char *raw, *clean;
	} rows[] = {
		{ "a/b", "a/b" },
		{ "./a//b/./c/", "a/b/c" },
		{ "/etc/passwd", "etc/passwd" },
		{ "./", "" },
		{ "/", "" },
		{ ".", "" },
		{ "e\xcc\x81", "e\xcc\x81" }, /* decomposed, and stays so */
		{ "\xff\xfe", "\xff\xfe" },   /* no UTF-8 at all */
		{ "...", "..." },
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct tar_image image = { 0 };
		auto_tar struct tar *t = NULL;
		struct tar_entry en;
		bool pax = i % 2;

		if (pax)
			tar_pax(&image, "path", rows[i / 2].raw);
		tar_add(&image, '0', pax ? "short" : rows[i / 2].raw, NULL, "", 0);
		first_entry(&image, &t, &en);
		assert_string_equal(en.path, rows[i / 2].clean);
		free(image.data);
	}
}

static void refused_names(void **state)
{
	static const char *const names[] = { "..", "../x", "a/../b", "/..", "a/..", "./../x" };
	const struct image_limits limits = IMAGE_LIMITS_DEFAULT;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(names); i++) {
		struct tar_image image = { 0 };
		struct err e = ERR_NONE;
		bool link = i % 2;

		tar_add(&image, link ? '1' : '0', link ? "x" : names[i / 2],
			link ? names[i / 2] : NULL, "", 0);
		tar_end(&image);
		assert_int_equal(read_all(&image, &limits, &e), -1);
		assert_non_null(strstr(e.msg, "'..' is not accepted"));
		free(image.data);
	}
}

static void pax_values(void **state)
{
	struct tar_image image = { 0 };
	auto_tar struct tar *t = NULL;
	const char *name;
	const void *value;
	struct tar_entry en;
	struct err e = ERR_NONE;
	size_t n;

	tar_pax(&image, "SCHILY.xattr.user.k", "v");
	tar_add(&image, '2', "s", "../../anywhere", "", 0);
	first_entry(&image, &t, &en);
	assert_int_equal(en.kind, TAR_SYMLINK);
	assert_string_equal(en.link, "../../anywhere");
	assert_int_equal(tar_xattr(t, &name, &value, &n, &e), 1);
	assert_string_equal(name, "user.k");
	assert_int_equal(tar_xattr(t, &name, &value, &n, &e), 0);
	free(image.data);
}

static void ids_are_strict(void **state)
{
	static const struct {
		const char *key, *value;
		bool good;
	} rows[] = {
		{ "uid", "0", true },
		{ "uid", "4294967294", true },
		{ "uid", "4294967295", false },
		{ "uid", "4294967296", false },
		{ "uid", "-1", false },
		{ "gid", "4294967295", false },
		{ "gid", "99999999999999999999", false },
	};
	const struct image_limits limits = IMAGE_LIMITS_DEFAULT;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tar_image image = { 0 };
		struct err e = ERR_NONE;

		tar_pax(&image, rows[i].key, rows[i].value);
		tar_add(&image, '0', "f", NULL, "", 0);
		tar_end(&image);
		assert_int_equal(read_all(&image, &limits, &e), rows[i].good ? 1 : -1);
		free(image.data);
	}
}

static int with_limit(const struct tar_image *image, size_t offset, uint64_t value,
		      struct err *e)
{
	struct image_limits limits = IMAGE_LIMITS_DEFAULT;

	memcpy((char *) &limits + offset, &value, sizeof(value));
	return read_all(image, &limits, e);
}

/* Each limit at what the archive has, and one below. */
static void limits_hold(void **state)
{
	static const struct {
		size_t offset;
		uint64_t has;
		const char *says;
	} rows[] = {
		{ offsetof(struct image_limits, entries), 3, "entries" },
		{ offsetof(struct image_limits, bytes), 9, "bytes" },
		{ offsetof(struct image_limits, depth), 4, "deeper" },
		{ offsetof(struct image_limits, name), 10, "component" },
		{ offsetof(struct image_limits, path), 16, "longer" },
	};
	struct tar_image image = { 0 };

	tar_add(&image, '5', "a/b/c/d", NULL, "", 0);
	tar_add(&image, '0', "a/b/c/0123456789", NULL, "hello", 5);
	tar_add(&image, '0', "f", NULL, "four", 4);
	tar_end(&image);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = ERR_NONE;

		if (with_limit(&image, rows[i].offset, rows[i].has, &e) != 3)
			fail_msg("%s: %s", rows[i].says, e.msg);
		assert_int_equal(with_limit(&image, rows[i].offset, rows[i].has - 1, &e), -1);
		if (!strstr(e.msg, rows[i].says))
			fail_msg("'%s' does not say '%s'", e.msg, rows[i].says);
	}
	free(image.data);
}

static void damage(void **state)
{
	const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
	struct tar_image image = { 0 };
	struct err e = ERR_NONE;

	tar_add(&image, '0', "f", NULL, "hello", 100000); /* says more than there is */
	assert_int_equal(read_all(&image, &limits, &e), -1);
	image.data[0] ^= 1; /* the checksum does not fit */
	assert_int_equal(read_all(&image, &limits, &e), -1);
	free(image.data);

	image = (struct tar_image){ 0 };
	tar_put(&image, "This is no archive at all, and of no other format that could be read",
		60);
	assert_int_equal(read_all(&image, &limits, &e), -1);
	free(image.data);

	image = (struct tar_image){ 0 };
	tar_put(&image, "PK\003\004 a zip file is not looked into", 30);
	assert_int_equal(read_all(&image, &limits, &e), -1);
	free(image.data);

	image = (struct tar_image){ 0 };
	tar_end(&image);
	assert_int_equal(read_all(&image, &limits, &e), 0);
	free(image.data);
}

/* A file that says it is enormous costs nothing to refuse. */
static void size_lies(void **state)
{
	const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
	struct tar_image image = { 0 };
	struct err e = ERR_NONE;

	tar_pax(&image, "size", "9223372036854775807");
	tar_add(&image, '0', "f", NULL, "hello", 5);
	tar_end(&image);
	assert_int_equal(read_all(&image, &limits, &e), -1);
	free(image.data);
	image = (struct tar_image){ 0 };
	tar_pax(&image, "GNU.sparse.realsize", "1152921504606846976");
	tar_add(&image, '0', "f", NULL, "hello", 5);
	tar_end(&image);
	(void) read_all(&image, &limits,
			&e); /* either answer will do, as long as there is one */
	free(image.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_bytes), cmocka_unit_test(refused_names),
		cmocka_unit_test(pax_values),	   cmocka_unit_test(ids_are_strict),
		cmocka_unit_test(limits_hold),	   cmocka_unit_test(damage),
		cmocka_unit_test(size_lies),
	};

	return cmocka_run_group_tests_name("images_tar", tests, NULL, NULL);
}
