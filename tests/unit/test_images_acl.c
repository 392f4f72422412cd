/* ACLs: images/acl.c (what a kernel takes) and images/tar_acl.c (both forms of an archive). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/util.h"
#include "images/acl.h"
#include "images/limits.h"
#include "images/tar.h"
#include "tests/unit/tar_make.h"

#define OWNER	    ACL_TAG_OWNER, 6, ACL_NO_ID
#define GROUP_OWNER ACL_TAG_GROUP_OWNER, 4, ACL_NO_ID
#define MASK	    ACL_TAG_MASK, 2, ACL_NO_ID
#define OTHER	    ACL_TAG_OTHER, 1, ACL_NO_ID
#define USER	    ACL_TAG_USER, 7, 1000
#define GROUP	    ACL_TAG_GROUP, 5, 50

struct row {
	const char *refused; /* NULL: accepted */
	mode_t mode;
	size_t n;
	struct acl_entry v[8];
};

static const struct row rows[] = {
	{ NULL, 04641, 3, { { OWNER }, { GROUP_OWNER }, { OTHER } } },
	{ NULL, 04621, 4, { { OWNER }, { GROUP_OWNER }, { MASK }, { OTHER } } },
	{ NULL,
	  04621,
	  6,
	  { { OWNER }, { USER }, { GROUP_OWNER }, { GROUP }, { MASK }, { OTHER } } },
	{ "without a mask", 0, 4, { { OWNER }, { USER }, { GROUP_OWNER }, { OTHER } } },
	{ "without a mask", 0, 4, { { OWNER }, { GROUP_OWNER }, { GROUP }, { OTHER } } },
	{ "out of order", 0, 4, { { OWNER }, { GROUP_OWNER }, { OTHER }, { MASK } } },
	{ "without owner", 0, 2, { { OWNER }, { GROUP_OWNER } } },
	{ "twice", 0, 4, { { OWNER }, { OWNER }, { GROUP_OWNER }, { OTHER } } },
	{ "permissions",
	  0,
	  3,
	  { { ACL_TAG_OWNER, 8, ACL_NO_ID }, { GROUP_OWNER }, { OTHER } } },
	{ "the id -1",
	  0,
	  5,
	  { { OWNER }, { ACL_TAG_USER, 7, ACL_NO_ID }, { GROUP_OWNER }, { MASK }, { OTHER } } },
	{ "unknown", 0, 4, { { OWNER }, { GROUP_OWNER }, { OTHER }, { 0x40, 0, 0 } } },
};

static void rules(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct acl a = { .n = rows[i].n }, again;
		uint8_t value[ACL_BYTES_MAX];
		struct err e = ERR_NONE;
		size_t n;
		int r;

		memcpy(a.v, rows[i].v, sizeof(rows[i].v));
		n = acl_encode(&a, value);
		assert_int_equal(n, 4 + 8 * a.n);
		r = acl_decode(value, n, &again, &e);
		assert_int_equal(r, rows[i].refused ? -1 : 0);
		if (rows[i].refused) {
			assert_non_null(strstr(e.msg, rows[i].refused));
			continue;
		}
		assert_int_equal(again.n, a.n);
		assert_memory_equal(again.v, a.v, a.n * sizeof(*a.v));
		assert_int_equal(acl_mode(&a, 04777), rows[i].mode);
		assert_int_equal(acl_is_mode(&a), a.n == 3);
	}
}

static void values(void **state)
{
	uint8_t value[ACL_BYTES_MAX + 8] = { 2 };
	struct err e = ERR_NONE;
	struct acl a;

	assert_int_equal(acl_decode("", 0, &a, &e), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(acl_decode(value, 4, &a, &e), 0);
	assert_int_equal(a.n, 0);
	assert_int_equal(acl_decode(value, 3, &a, &e), -1);
	assert_int_equal(acl_decode(value, 13, &a, &e), -1);
	assert_int_equal(acl_decode(value, sizeof(value), &a, &e), -1);
	assert_non_null(strstr(e.msg, "more than 256 entries"));
	value[0] = 1;
	assert_int_equal(acl_decode(value, 4, &a, &e), -1);
	assert_non_null(strstr(e.msg, "version"));
}

static void shifted(void **state)
{
	struct acl a = {
		.n = 6,
		.v = { { OWNER }, { USER }, { GROUP_OWNER }, { GROUP }, { MASK }, { OTHER } }
	};
	struct err e = ERR_NONE;

	assert_int_equal(acl_shift(&a, 50, 951, &e), 0);
	assert_int_equal(a.v[1].id, 950);
	assert_int_equal(a.v[3].id, 0);
	assert_int_equal(a.v[0].id, ACL_NO_ID);
	assert_int_equal(acl_shift(&a, 0, 950, &e), -1);
	assert_non_null(strstr(e.msg, "950"));
}

/* ---- as an archive says it ---- */

static ssize_t feed(void *arg, const void **p, struct err *e)
{
	struct tar_image *image = arg;
	const size_t n = image->n;

	*p = image->data;
	image->n = 0;
	return (ssize_t) n;
}

/* The only entry, of this type and with this pax value: its mode, and the first attribute's name ("": none). */
static int one(char type, const char *key, const char *text, struct tar_entry *en,
	       char first[64], struct err *e)
{
	const struct image_limits limits = IMAGE_LIMITS_DEFAULT;
	struct tar_image image = { 0 };
	auto_tar struct tar *t = NULL;
	const char *name;
	const void *value;
	size_t n;
	int r;

	tar_pax(&image, key, text);
	tar_add(&image, type, type == '5' ? "d/" : "f", type == '2' ? "f" : NULL, "", 0);
	tar_end(&image);
	first[0] = '\0';
	r = tar_open(feed, &image, &limits, &t, e);
	if (r == 0)
		r = tar_next(t, en, e);
	if (r == 1 && tar_xattr(t, &name, &value, &n, e) == 1) {
		struct acl a;

		snprintf(first, 64, "%s", name);
		if (acl_is_name(name))
			assert_int_equal(acl_decode(value, n, &a, e), 0);
		assert_int_equal(tar_xattr(t, &name, &value, &n, e), 0);
	}
	free(image.data);
	return r;
}

static void texts(void **state)
{
	static const struct {
		char type;
		const char *key, *text, *first;
		mode_t mode; /* 0: refused */
	} cases[] = {
#define A "SCHILY.acl.access"
#define D "SCHILY.acl.default"
		{ '0', A, "user::rwx,group::r-x,other::--x", "", 0751 },
		{ '0', A, "user::rw-,user:joe:r--:7,group::---,mask::rw-,other::---",
		  ACL_ACCESS, 0660 },
		{ '0', A, "user::rw-,user:7:r--,group::---,mask::r--,other::---", ACL_ACCESS,
		  0640 },
		{ '6', A, "user::rw-,user:7:r--,group::---,mask::r--,other::---", ACL_ACCESS,
		  0640 },
		/* Nobody's number, or too large a one: dropped by a name that nobody keeps. */
		{ '0', A, "user::rw-,user:joe:r--,group::---,mask::rw-,other::---", A, 0600 },
		{ '0', A, "user::rw-,user:3000000000:r--,group::---,mask::rw-,other::---", A,
		  0600 },
		{ '2', A, "user::rw-,user:7:r--,group::---,mask::r--,other::---", A, 0604 },
		{ '5', D, "user::rwx,group::r-x,other::---", ACL_DEFAULT, 0644 },
		{ '0', D, "user::rwx,group::r-x,other::---", D, 0644 },
		{ '0', A, "user::rw-,user:7:r--,group::---,other::---", NULL, 0 },
		{ '5', D, "user::rwx", NULL, 0 },
		{ '0', A, "nonsense", NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = ERR_NONE;
		struct tar_entry en;
		char first[64];
		const int r = one(cases[i].type, cases[i].key, cases[i].text, &en, first, &e);

		assert_int_equal(r, cases[i].mode ? 1 : -1);
		if (r < 0) {
			assert_non_null(strstr(e.msg, cases[i].key));
			continue;
		}
		assert_string_equal(first, cases[i].first);
		if (cases[i].type != '2')
			assert_int_equal(en.mode, cases[i].mode);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(values),
		cmocka_unit_test(shifted),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests_name("images_acl", tests, NULL, NULL);
}
