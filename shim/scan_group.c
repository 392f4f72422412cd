#include "shim/scan_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "shim/cgkill.h"
#include "shim/cgmount.h"

enum { VALUE_BYTES = 4096 };

static const char name_file[] = "scanner.cgroup";

/* ---- making ---- */

/* The sandbox's value, where it has this file. Version 1 wants the period first. */
static int copy_limits(int from, int to, struct err *e)
{
	static const char *const files[] = { "cpu.max", "cpu.weight", "cpu.shares",
					     "cpu.cfs_period_us", "cpu.cfs_quota_us" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_buf struct buf value = BUF_LIMIT(VALUE_BYTES);
		struct err ignored = ERR_NONE;

		if (fd_read_file(from, files[i], VALUE_BYTES, &value, &ignored) < 0)
			continue;
		if (fd_write_file(to, files[i], buf_str(&value), e) < 0)
			return -1;
	}
	return 0;
}

static bool counts_time(int group)
{
	static const char *const files[] = { "cpu.max", "cpu.cfs_quota_us", "cpuacct.usage" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (faccessat(group, files[i], F_OK, 0) == 0)
			return true;
	return false;
}

static int place_in(const struct cgmount *m, const char *sandbox, const char *path,
		    pid_t scanner, struct err *e)
{
	auto_close int box = cgmounts_open_path(m, sandbox), parent = FD_NONE, own = FD_NONE;
	const char *name = strrchr(path, '/') + 1;
	char pid[24];

	if (box < 0 || !counts_time(box))
		return 0;
	parent = openat(box, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0 || (mkdirat(parent, name, 0755) < 0 && errno != EEXIST))
		return err_sys(e, "cgroup %s%s", m->point, path);
	own = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (own < 0)
		return err_sys(e, "cgroup %s%s", m->point, path);
	(void) snprintf(pid, sizeof(pid), "%d", (int) scanner);
	if (copy_limits(box, own, e) < 0 || fd_write_file(own, "cgroup.procs", pid, e) < 0)
		return err_wrap(e, "cgroup %s%s", m->point, path);
	return 0;
}

int scan_group_place(int dir_fd, const char *sandbox, pid_t scanner, struct err *e)
{
	auto_free char *path = xasprintf("%s.scanner", sandbox);
	struct cgmounts mounts = { 0 };
	int r = 0;

	if (fd_write_atomic(dir_fd, name_file, path, strlen(path), 0600, false, e) < 0 ||
	    cgmounts_read(&mounts, e) < 0)
		return -1;
	for (size_t i = 0; i < mounts.n && r == 0; i++)
		r = place_in(&mounts.v[i], sandbox, path, scanner, e);
	cgmounts_fini(&mounts);
	return r;
}

/* ---- afterwards ---- */

/* malloc'ed; NULL: none was made. */
static char *own_path(int dir_fd)
{
	auto_buf struct buf text = BUF_LIMIT(VALUE_BYTES);
	struct err ignored = ERR_NONE;

	if (fd_read_file(dir_fd, name_file, VALUE_BYTES, &text, &ignored) < 0 ||
	    buf_str(&text)[0] != '/')
		return NULL;
	return xstrdup(buf_str(&text));
}

/* The time that a group of either version counts; 0: it counts none. */
static uint64_t time_of(int group)
{
	auto_buf struct buf v1 = BUF_LIMIT(VALUE_BYTES), v2 = BUF_LIMIT(VALUE_BYTES);
	struct err ignored = ERR_NONE;
	const char *key = "usage_usec ";
	const char *at;

	if (fd_read_file(group, "cpuacct.usage", VALUE_BYTES, &v1, &ignored) == 0)
		return strtoull(buf_str(&v1), NULL, 10);
	if (faccessat(group, "cpu.max", F_OK, 0) < 0 ||
	    fd_read_file(group, "cpu.stat", VALUE_BYTES, &v2, &ignored) < 0)
		return 0;
	at = strstr(buf_str(&v2), key);
	return at ? strtoull(at + strlen(key), NULL, 10) * 1000 : 0;
}

uint64_t scan_group_cpu_ns(int dir_fd)
{
	auto_free char *path = own_path(dir_fd);
	struct cgmounts mounts = { 0 };
	struct err ignored = ERR_NONE;
	uint64_t ns = 0;

	if (!path || cgmounts_read(&mounts, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < mounts.n && ns == 0; i++) {
		auto_close int group = cgmounts_open_path(&mounts.v[i], path);

		if (group >= 0)
			ns = time_of(group);
	}
	cgmounts_fini(&mounts);
	return ns;
}

int scan_group_remove(int dir_fd, struct err *e)
{
	auto_free char *path = own_path(dir_fd);

	if (!path)
		return 0;
	if (cgkill_remove_all(path, e) < 0)
		return -1;
	if (unlinkat(dir_fd, name_file, 0) < 0 && errno != ENOENT)
		return err_sys(e, "%s", name_file);
	return 0;
}
