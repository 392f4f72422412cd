/*
 * The leaves of the runtime as far as they decide without a container: options of mounts, id maps, users, capabilities
 * by name, kernel parameters, programs and environments.
 */
#include "tests/unit/scratch.h"

#include <sched.h>
#include <sys/mount.h>

#include "base/util.h"
#include "runtime/caps.h"
#include "runtime/idmap.h"
#include "runtime/mount.h"
#include "runtime/ns.h"
#include "runtime/process.h"
#include "runtime/sysctl.h"

/* ---- mount options ---- */

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

/* ---- id maps ---- */

#define MAP(...)                                                                               \
	((struct idmap){ (const struct idmap_row[]){ __VA_ARGS__ },                            \
			 sizeof((const struct idmap_row[]){ __VA_ARGS__ }) /                   \
				 sizeof(struct idmap_row) })

static void test_idmap_check(void **state)
{
	struct idmap_row many[341];
	struct idmap m = MAP({ 0, 1000, 1 }, { 1, 100000, 65535 });

	assert_ok(idmap_check(&m, "map", &e));
	m = MAP({ 0, 0, UINT32_MAX }); /* the identity of the initial namespace */
	assert_ok(idmap_check(&m, "map", &e));
	m = MAP({ 0, 1000, 0 });
	assert_err(idmap_check(&m, "map", &e), EINVAL);
	m = MAP({ UINT32_MAX, 1000, 1 });
	assert_err(idmap_check(&m, "map", &e), ERANGE);
	m = MAP({ 0, UINT32_MAX - 5, 6 });
	assert_err(idmap_check(&m, "map", &e), ERANGE);
	m = MAP({ 0, 5, UINT32_MAX });
	assert_err(idmap_check(&m, "map", &e), ERANGE);
	m = MAP({ 0, 1000, 10 }, { 9, 2000, 10 });
	assert_err(idmap_check(&m, "map", &e), EINVAL);
	m = MAP({ 0, 1000, 10 }, { 10, 1009, 1 });
	assert_err(idmap_check(&m, "map", &e), EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct idmap_row){ (uint32_t) i, (uint32_t) (1000 + i), 1 };
	m = (struct idmap){ many, 340 };
	assert_ok(idmap_check(&m, "map", &e));
	m.n = 341;
	assert_err(idmap_check(&m, "map", &e), E2BIG);
}

static void test_idmap_lookup(void **state)
{
	const struct idmap m = MAP({ 0, 1000, 1 }, { 10, 100000, 5 });
	uint32_t out;

	assert_int_equal(idmap_to_outside(&m, 0, &out), 0);
	assert_int_equal(out, 1000);
	assert_int_equal(idmap_to_outside(&m, 14, &out), 0);
	assert_int_equal(out, 100004);
	assert_int_equal(idmap_to_outside(&m, 15, &out), 1);
	assert_int_equal(out, UINT32_MAX);
	assert_int_equal(idmap_to_outside(&m, 1, &out), 1);
}

/* ---- users ---- */

static void write_in(const struct scratch *s, const char *name, const char *text)
{
	const int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t) strlen(text));
	assert_int_equal(close(fd), 0);
}

static struct scratch accounts(void)
{
	struct scratch s = scratch_open();

	assert_int_equal(mkdirat(s.fd, "etc", 0755), 0);
	write_in(&s, "etc/passwd",
		 "root:x:0:0:root:/root:/bin/sh\n"
		 "# comment\n"
		 "1000:x:0:0:a number as name:/evil:/bin/sh\n"
		 "broken:x:4294967296:0::/:/bin/sh\n"
		 "negative:x:-1:0::/:/bin/sh\n"
		 "octal:x:0x10:0::/:/bin/sh\n"
		 "short:x:7\n"
		 "web:x:33:34:web:/srv/web:/bin/sh\n"
		 "web:x:0:0:second of the name:/root:/bin/sh\n"
		 "last:x:99:98:no newline:/last:/bin/sh");
	write_in(&s, "etc/group",
		 "root:x:0:\n"
		 "34:x:0:\n"
		 "www:x:34:web\n"
		 "a:x:50:web,root\n"
		 "b:x:51:other,web\n"
		 "c:x:52:webmaster\n"
		 "huge:x:4294967295:web\n");
	return s;
}

static void test_user_grammar(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t uid, gid;
		size_t groups;
	} cases[] = {
		/* A number keeps the gid that was there (77). */
		{ "0", true, 0, 77, 0 },
		{ "1", true, 1, 77, 0 },
		{ "1:2", true, 1, 2, 0 },
		{ "01", true, 1, 77, 0 },
		{ "1000", true, 1000, 77, 0 },
		{ "4294967294:4294967294", true, 4294967294, 4294967294, 0 },
		{ "33:www", true, 33, 34, 0 },
		{ "web", true, 33, 34, 3 },
		{ "web:a", true, 33, 50, 3 },
		{ "web:34", true, 33, 34, 3 },
		{ "last", true, 99, 98, 0 },
		{ "last:0", true, 99, 0, 0 },
		{ "", false, 0, 0, 0 },
		{ ":", false, 0, 0, 0 },
		{ ":2", false, 0, 0, 0 },
		{ "1:", false, 0, 0, 0 },
		{ "-1", false, 0, 0, 0 },
		{ "+1", false, 0, 0, 0 },
		{ " 1", false, 0, 0, 0 },
		{ "1 ", false, 0, 0, 0 },
		{ "0x1", false, 0, 0, 0 },
		{ "1:2:3", false, 0, 0, 0 },
		{ "4294967295", false, 0, 0, 0 },
		{ "4294967296", false, 0, 0, 0 },
		{ "18446744073709551616", false, 0, 0, 0 },
		{ "1:4294967296", false, 0, 0, 0 },
		{ "abc", false, 0, 0, 0 },
		{ "web:nogroup", false, 0, 0, 0 },
		{ "web:-1", false, 0, 0, 0 },
		{ "web:huge", false, 0, 0, 0 },
		{ "broken", false, 0, 0, 0 },
		{ "negative", false, 0, 0, 0 },
		{ "octal", false, 0, 0, 0 },
		{ "short", false, 0, 0, 0 },
		{ "# comment", false, 0, 0, 0 },
	};
	struct scratch s = accounts();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct process_user u = { .uid = 66, .gid = 77 };
		struct err e = ERR_NONE;
		const int r = process_user_parse(cases[i].text, s.fd, &u, &e);

		if ((r == 0) != cases[i].good)
			fail_msg("\"%s\": %s", cases[i].text, r == 0 ? "accepted" : e.msg);
		if (r < 0) {
			assert_int_equal(
				u.uid,
				66); /* untouched: nobody runs as what was not understood */
			assert_int_equal(u.gid, 77);
			assert_non_null(strstr(e.msg, "user"));
			continue;
		}
		assert_int_equal(u.uid, cases[i].uid);
		assert_int_equal(u.gid, cases[i].gid);
		assert_int_equal(u.n_groups, cases[i].groups);
		process_user_fini(&u);
	}
	scratch_close(&s);
}

static void test_user_groups(void **state)
{
	struct scratch s = accounts();
	struct process_user u = { 0 };

	assert_ok(process_user_parse("web", s.fd, &u, &e));
	assert_int_equal(u.n_groups, 3);
	assert_int_equal(u.groups[0], 34);
	assert_int_equal(u.groups[1], 50);
	assert_int_equal(u.groups[2], 51);
	process_user_fini(&u);
	/* Without a group file an account has its own group only; a group by name cannot be found. */
	assert_int_equal(unlinkat(s.fd, "etc/group", 0), 0);
	assert_ok(process_user_parse("web", s.fd, &u, &e));
	assert_int_equal(u.n_groups, 0);
	process_user_fini(&u);
	assert_err(process_user_parse("web:www", s.fd, &u, &e), ENOENT);
	scratch_close(&s);
}

static void test_account_files_that_are_traps(void **state)
{
	struct scratch s = accounts();
	struct process_user u = { .gid = 77 };
	char *home = NULL;

	assert_int_equal(unlinkat(s.fd, "etc/passwd", 0), 0);
	assert_int_equal(mkfifoat(s.fd, "etc/passwd", 0644), 0);
	assert_err(process_user_parse("web", s.fd, &u, &e), EINVAL);
	assert_ok(process_user_parse("1000", s.fd, &u, &e)); /* a number needs no file */
	assert_ok(process_home(0, s.fd, &home, &e));
	assert_string_equal(home, "/");
	free(home);
	assert_int_equal(unlinkat(s.fd, "etc/passwd", 0), 0);
	assert_int_equal(mkdirat(s.fd, "etc/passwd", 0755), 0);
	assert_err(process_user_parse("web", s.fd, &u, &e), EINVAL);
	assert_int_equal(unlinkat(s.fd, "etc/passwd", AT_REMOVEDIR), 0);
	/* An absolute link is the container's own, not the host's. */
	assert_int_equal(symlinkat("/etc/passwd.real", s.fd, "etc/passwd"), 0);
	assert_err(process_user_parse("root", s.fd, &u, &e), ENOENT);
	write_in(&s, "etc/passwd.real", "root:x:5:6::/five:/bin/sh\n");
	assert_ok(process_user_parse("root", s.fd, &u, &e));
	assert_int_equal(u.uid, 5);
	process_user_fini(&u);
	scratch_close(&s);
}

static void test_account_files_that_are_endless(void **state)
{
	struct scratch s = accounts();
	struct process_user u = { 0 };
	char *home = NULL;
	int fd = openat(s.fd, "etc/group", O_WRONLY | O_CLOEXEC);

	/* A gibibyte of nothing: one line without end. */
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	assert_int_equal(close(fd), 0);
	assert_err(process_user_parse("web", s.fd, &u, &e), EFBIG);
	assert_err(process_user_parse("33:nosuch", s.fd, &u, &e), EFBIG);
	assert_ok(process_user_parse("33:www", s.fd, &u, &e)); /* found before the limit */
	fd = openat(s.fd, "etc/passwd", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	assert_int_equal(close(fd), 0);
	assert_ok(process_home(12345, s.fd, &home, &e));
	assert_string_equal(home, "/");
	free(home);
	scratch_close(&s);
}

static void test_account_lines_too_long(void **state)
{
	struct scratch s = accounts();
	char *home = NULL, *text = malloc(200000);

	/* A line longer than the reader's buffer, that holds what looks like an account in its middle, and one after it. */
	memset(text, 'x', 100000);
	strcpy(text + 100000, "\nafter:x:7:7::/after:/bin/sh\n");
	memcpy(text + 40000, "\revil:x:8:8::/evil:/bin/sh", 26);
	write_in(&s, "etc/passwd", text);
	free(text);
	assert_ok(process_home(7, s.fd, &home, &e));
	assert_string_equal(home, "/after");
	free(home);
	assert_ok(process_home(8, s.fd, &home, &e));
	assert_string_equal(home, "/");
	free(home);
	scratch_close(&s);
}

static void test_home(void **state)
{
	static const struct {
		uint32_t uid;
		const char *home;
	} cases[] = { { 0, "/root" },
		      { 33, "/srv/web" },
		      { 99, "/last" },
		      { 1000, "/" },
		      { 4294967294, "/" } };
	struct scratch s = accounts();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *home = NULL;

		assert_ok(process_home(cases[i].uid, s.fd, &home, &e));
		assert_string_equal(home, cases[i].home);
		free(home);
	}
	scratch_close(&s);
}

/* ---- environment and program ---- */

static void test_environment(void **state)
{
	const char *env[] = { "A=1", "HOME=", "B=2", "A=3", "AB=4", "A", "B=5", NULL };
	const char *const want[] = { "A=3", "AB=4", "B=5", "HOME=/root" };
	struct process_spec p = { .env = env };
	struct scratch s = accounts();
	char **out = NULL;

	assert_ok(process_environment(&p, s.fd, &out, &e));
	/* "A" alone has the name A as well and is the last of them. */
	assert_string_equal(out[0], want[1]);
	assert_string_equal(out[1], "A");
	assert_string_equal(out[2], want[2]);
	assert_string_equal(out[3], want[3]);
	assert_null(out[4]);
	util_free_strv(&out);
	p.env = NULL;
	assert_ok(process_environment(&p, s.fd, &out, &e));
	assert_string_equal(out[0], "HOME=/root");
	assert_null(out[1]);
	util_free_strv(&out);
	scratch_close(&s);
}

static void test_program(void **state)
{
	const char *env[] = { "PATH=/nowhere::/bin:/usr/bin", NULL };
	const char *args[] = { "sh", NULL };
	struct process_spec p = { .env = env, .args = args };
	char *found = NULL;

	assert_ok(process_find_program(&p, &found, &e));
	assert_string_equal(found, "/bin/sh");
	free(found);
	args[0] = "no-such-program";
	assert_err(process_find_program(&p, &found, &e), ENOENT);
	args[0] = "/";
	assert_err(process_find_program(&p, &found, &e), EISDIR);
	args[0] = "/etc/passwd";
	assert_err(process_find_program(&p, &found, &e), EACCES);
	args[0] = "/etc/passwd/x";
	assert_err(process_find_program(&p, &found, &e), ENOTDIR);
	args[0] = "";
	assert_err(process_find_program(&p, &found, &e), EINVAL);
	args[0] = "sh";
	p.env = NULL;
	assert_err(process_find_program(&p, &found, &e), ENOENT);
}

/* ---- kernel parameters ---- */

static void test_sysctl_keys(void **state)
{
	static const struct {
		const char *key, *value;
		bool good;
	} cases[] = {
		{ "kernel.shmmax", "1", true },
		{ "kernel/shmmax", "1", true },
		{ "kernel.shm_rmid_forced", "1", true },
		{ "kernel.msgmni", "1", true },
		{ "kernel.sem", "250 32000 100 128", true },
		{ "fs.mqueue.msg_max", "10", true },
		{ "net.ipv4.ip_forward", "1", true },
		{ "net/ipv4/conf/eth0.1/forwarding", "1", true },
		{ "net.ipv4.conf.eth0/1.forwarding", "1", true },
		{ "net.ipv4.tcp_rmem", "4096\t87380\t6291456", true },
		{ "kernel.domainname", "x", true },
		{ "kernel.hostname", "x", false },
		{ "kernel.core_pattern", "|/x", false },
		{ "kernel.shm_rmid_forced", "1+kernel.core_pattern=|/x\n", false },
		{ "kernel.shm_rmid_forced=1+kernel.core_pattern", "|/x", false },
		{ "kernel.shmmax.x", "1", false },
		{ "kernel.shmmaxx", "1", false },
		{ "kernel", "1", false },
		{ "net", "1", false },
		{ "net.", "1", false },
		{ ".net.x", "1", false },
		{ "net..x", "1", false },
		{ "net/../kernel/core_pattern", "1", false },
		{ "net/./x", "1", false },
		{ "net./../x", "1", false },
		{ "/proc/sys/net/x", "1", false },
		{ "", "1", false },
		{ "net.x y", "1", false },
		{ "net.x\n", "1", false },
		{ "vm.swappiness", "1", false },
		{ "fs.mqueue", "1", false },
		{ "fs.mqueuex.y", "1", false },
		{ "net.x", "1\n", false },
		{ "net.x", "1\x7f", false },
	};
	struct ns_spec ns = { 0 };

	ns.ns[NS_IPC].listed = ns.ns[NS_NET].listed = ns.ns[NS_UTS].listed = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sysctl_pair p = { cases[i].key, cases[i].value };
		struct err e = ERR_NONE;

		if ((sysctl_check(&p, 1, &ns, &e) == 0) != cases[i].good)
			fail_msg("%s=%s: %s", p.key, p.value,
				 cases[i].good ? e.msg : "accepted");
	}
	ns.ns[NS_NET].listed = false;
	assert_err(sysctl_check(&(struct sysctl_pair){ "net.ipv4.ip_forward", "1" }, 1, &ns,
				&e),
		   EINVAL);
}

static void test_sysctl_lengths(void **state)
{
	struct ns_spec ns = { 0 };
	char key[400] = "net.", value[5000] = "";

	ns.ns[NS_NET].listed = true;
	memset(key + 4, 'x', sizeof(key) - 5);
	assert_err(sysctl_check(&(struct sysctl_pair){ key, "1" }, 1, &ns, &e), ENAMETOOLONG);
	memset(value, '1', sizeof(value) - 1);
	assert_err(sysctl_check(&(struct sysctl_pair){ "net.x", value }, 1, &ns, &e), E2BIG);
}

/* ---- names ---- */

static void test_names(void **state)
{
	enum ns_kind k;
	uint64_t bit = 0;
	int resource;

	assert_int_equal(caps_parse("CAP_CHOWN", &bit), 0);
	assert_int_equal(bit, 1);
	assert_int_equal(caps_parse("CAP_CHECKPOINT_RESTORE", &bit), 0);
	assert_true(bit == UINT64_C(1) << 40);
	assert_int_equal(caps_parse("CAP_", &bit), 1);
	assert_int_equal(caps_parse("CHOWN", &bit), 1);
	assert_int_equal(caps_parse("", &bit), 1);
	assert_ok(ns_kind_parse("mount", &k, &e));
	assert_int_equal(k, NS_MNT);
	assert_err(ns_kind_parse("mnt", &k, &e), EINVAL);
	assert_ok(process_rlimit_parse("RLIMIT_NOFILE", &resource, &e));
	assert_int_equal(resource, RLIMIT_NOFILE);
	assert_err(process_rlimit_parse("NOFILE", &resource, &e), EINVAL);
}

static void test_clone_flags(void **state)
{
	struct ns_spec ns = { 0 };

	for (int k = 0; k < NS_COUNT; k++)
		ns.ns[k].listed = true;
	ns.ns[NS_NET].path = "/proc/1/ns/net";
	assert_int_equal(ns_clone_flags(&ns), CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWUTS |
						      CLONE_NEWPID | CLONE_NEWNS);
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
		cmocka_unit_test(test_idmap_check),
		cmocka_unit_test(test_idmap_lookup),
		cmocka_unit_test(test_user_grammar),
		cmocka_unit_test(test_user_groups),
		cmocka_unit_test(test_account_files_that_are_traps),
		cmocka_unit_test(test_account_files_that_are_endless),
		cmocka_unit_test(test_account_lines_too_long),
		cmocka_unit_test(test_home),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_sysctl_keys),
		cmocka_unit_test(test_sysctl_lengths),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_clone_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
