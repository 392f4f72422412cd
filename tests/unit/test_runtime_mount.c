/* Options of mounts, as far as they decide without a mount. */
#include "tests/unit/scratch.h"

#include <sys/mount.h>

#include "base/util.h"
#include "runtime/mount.h"

struct option_case {
	const char *options[6];
	const char *type;
	unsigned extra;
	uint64_t set, clear, rset, rclear;
	uint32_t sb, sb_clear, propagation;
	const char *data;
};

#define RDONLY MOUNT_ATTR_RDONLY
#define ATIME  MOUNT_ATTR__ATIME

static const struct option_case option_cases[] = {
	{ .options = { "ro", "nosuid" }, .type = "tmpfs", .set = RDONLY | MOUNT_ATTR_NOSUID },
	{ .options = { "ro", "rw" }, .type = "tmpfs", .clear = RDONLY },
	{ .options = { "rw", "ro" }, .type = "tmpfs", .set = RDONLY },
	{ .options = { "noatime", "strictatime" },
	  .type = "tmpfs",
	  .extra = MOUNT_ATIME,
	  .set = MOUNT_ATTR_STRICTATIME,
	  .clear = ATIME },
	{ .options = { "strictatime", "relatime" },
	  .type = "tmpfs",
	  .extra = MOUNT_ATIME,
	  .clear = ATIME },
	{ .options = { "noatime", "atime" },
	  .type = "tmpfs",
	  .extra = MOUNT_ATIME,
	  .clear = ATIME },
	{ .options = { "atime" }, .type = "tmpfs", .clear = ATIME },
	{ .options = { "nodiratime", "noatime" },
	  .type = "tmpfs",
	  .extra = MOUNT_ATIME,
	  .set = MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOATIME,
	  .clear = ATIME },
	{ .options = { "rro", "rnoatime" },
	  .type = "tmpfs",
	  .rset = RDONLY | MOUNT_ATTR_NOATIME,
	  .rclear = ATIME },
	{ .options = { "rrw", "rsuid", "rdev", "rexec" },
	  .type = "tmpfs",
	  .rclear = RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC },
	{ .options = { "sync", "dirsync", "async" },
	  .type = "tmpfs",
	  .sb = MS_DIRSYNC,
	  .sb_clear = MS_SYNCHRONOUS },
	{ .options = { "bind" }, .extra = MOUNT_BIND },
	{ .options = { "rbind" }, .extra = MOUNT_BIND | MOUNT_RECURSIVE },
	{ .options = { NULL }, .type = "bind", .extra = MOUNT_BIND },
	{ .options = { "rbind", "rprivate" },
	  .type = "none",
	  .extra = MOUNT_BIND | MOUNT_RECURSIVE,
	  .propagation = MS_PRIVATE | MS_REC },
	{ .options = { "bind", "slave" }, .extra = MOUNT_BIND, .propagation = MS_SLAVE },
	{ .options = { "bind", "ridmap", "src-nofollow" },
	  .extra = MOUNT_BIND | MOUNT_IDMAP | MOUNT_IDMAP_RECURSIVE | MOUNT_SRC_NOFOLLOW },
	{ .options = { "tmpcopyup", "size=1m", "mode=755" },
	  .type = "tmpfs",
	  .extra = MOUNT_TMPCOPYUP,
	  .data = "size=1m,mode=755" },
	{ .options = { "defaults", "lowerdir=/a:/b", "ro" },
	  .type = "overlay",
	  .set = RDONLY,
	  .data = "lowerdir=/a:/b" },
	{ .options = { "bind", "copy-symlink" }, .extra = MOUNT_BIND | MOUNT_COPY_SYMLINK },
	{ .options = { "remount", "size=2m" },
	  .type = "tmpfs",
	  .extra = MOUNT_REMOUNT,
	  .data = "size=2m" },
};

static void test_mount_options(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_cases); i++) {
		const struct option_case *c = &option_cases[i];
		struct mount_spec m = { .target = "/t", .source = "/s", .type = c->type };

		assert_ok(mount_parse_options(c->options, &m, &e));
		assert_int_equal(m.extra, c->extra);
		assert_int_equal(m.attrs.set, c->set);
		/* Clearing what is set in the same call is how times are changed; all else is disjoint. */
		assert_int_equal(m.attrs.set & m.attrs.clear & ~(uint64_t) ATIME, 0);
		assert_int_equal(m.attrs.clear & (c->clear | ATIME), c->clear);
		assert_int_equal(m.rattrs.set, c->rset);
		assert_int_equal(m.rattrs.clear, c->rclear);
		assert_int_equal(m.sb_flags, c->sb);
		assert_int_equal(m.sb_clear, c->sb_clear);
		assert_int_equal(m.propagation[0], c->propagation);
		if (c->data)
			assert_string_equal(m.data, c->data);
		else
			assert_null(m.data);
		mount_spec_fini(&m);
	}
}

static void test_mount_settle(void **state)
{
	static const struct {
		const char *source, *target, *new_source, *new_target;
	} rows[] = {
		{ "/b/rootfs/a", "/x", "/a", "/x" },
		{ "/b/rootfs", "/b/rootfs/x", "/", "/x" },
		{ "rootfs/a", "/x", "/a", "/x" },
		{ "rootfsa", "/b/rootfsx", NULL, "/b/rootfsx" },
		{ "/b/rootfs/../secret", "/b/rootfs/../x", NULL, "/b/rootfs/../x" },
		{ "rootfs/..", "/x", NULL, "/x" },
		{ "/b/rootfs/..a", "/x", "/..a", "/x" },
		{ "other", "/x", NULL, "/x" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mount_spec m = { .source = rows[i].source,
					.target = rows[i].target,
					.extra = MOUNT_BIND };
		const char *want = rows[i].new_source ? rows[i].new_source : rows[i].source;

		mount_settle(&m, "/b", "/b/rootfs");
		assert_string_equal(m.source, want);
		assert_string_equal(m.target, rows[i].new_target);
		assert_int_equal(!!(m.extra & MOUNT_FROM_INSIDE), !!rows[i].new_source);
	}
}

static void test_mount_options_refused(void **state)
{
	static const struct {
		const char *options[3], *type, *source;
	} cases[] = {
		{ { NULL }, NULL, "/s" },
		{ { NULL }, "", "/s" },
		{ { "bind" }, "none", NULL },
		{ { "bind" }, "none", "" },
		{ { "bind", "tmpcopyup" }, "tmpfs", "/s" },
		{ { "tmpcopyup" }, "proc", "/s" },
		{ { "idmap" }, "tmpfs", "/s" },
		{ { "src-nofollow" }, "tmpfs", "/s" },
		{ { "bind", "size=1m" }, "none", "/s" },
		{ { "bind", "RO" }, "none", "/s" },
		{ { "bind", "" }, "none", "/s" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mount_spec m = { .target = "/t",
					.source = cases[i].source,
					.type = cases[i].type };

		assert_err(mount_parse_options(cases[i].options, &m, &e), EINVAL);
		mount_spec_fini(&m);
	}
}

static void test_mount_option_names_are_known(void **state)
{
	for (const char *const *n = mount_option_names(); *n; n++) {
		const char *options[] = { *n, NULL };
		struct mount_spec m = { .target = "/t", .source = "/s", .type = "tmpfs" };
		struct err ignored = ERR_NONE;

		(void) mount_parse_options(options, &m, &ignored);
		assert_null(m.data); /* what is not known would be data */
		mount_spec_fini(&m);
	}
}

static void test_mount_data(void **state)
{
	struct mount_spec m = { .data = (char[]){ "newinstance,gid=5,mode=0620" } };

	assert_memory_equal(mount_data_get(&m, "gid"), "5,", 2);
	assert_string_equal(mount_data_get(&m, "mode"), "0620");
	assert_memory_equal(mount_data_get(&m, "newinstance"), ",", 1);
	assert_null(mount_data_get(&m, "id"));
	assert_null(mount_data_get(&m, "mod"));
	m.data = NULL;
	assert_null(mount_data_get(&m, "gid"));
}

static void test_propagation_names(void **state)
{
	unsigned long flags = 0;

	assert_ok(mount_propagation_parse("rshared", &flags, &e));
	assert_int_equal(flags, MS_SHARED | MS_REC);
	assert_err(mount_propagation_parse("ro", &flags, &e), EINVAL);
	assert_err(mount_propagation_parse("", &flags, &e), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_mount_settle),
		cmocka_unit_test(test_mount_options_refused),
		cmocka_unit_test(test_mount_option_names_are_known),
		cmocka_unit_test(test_mount_data),
		cmocka_unit_test(test_propagation_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
