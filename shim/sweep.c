#include "shim/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/cgkill.h"
#include "shim/exitinfo.h"
#include "shim/launch.h"
#include "shim/orders.h"
#include "shim/rootfs.h"
#include "shim/scan_group.h"
#include "shim/workspace.h"

/* linux.cgroupsPath, when it is this sandbox's own: its last name must hold the identifier, so that a
 * damaged bundle never makes us empty somebody else's cgroup. */
char *sweep_own_cgroup(const struct orders *o, int dir_fd)
{
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;
	const char *path, *last;

	if (json_parse_file(dir_fd, "bundle/config.json", NULL, &doc, &e) < 0) {
		log_debug("cgroup unknown: %s", e.msg);
		return NULL;
	}
	path = json_str_or(json_get(json_root(doc), "linux"), "cgroupsPath", NULL);
	if (!path)
		return NULL;
	last = strrchr(path, '/');
	if (!strstr(last ? last : path, o->id))
		return NULL;
	return xstrdup(path);
}

int sweep_cgroup(const struct orders *o, int dir_fd, struct err *e)
{
	auto_free char *path = sweep_own_cgroup(o, dir_fd);

	return path ? cgkill_remove_all(path, e) : 0;
}

int sweep_runtime(const struct orders *o, int dir_fd, struct err *e)
{
	struct err first = ERR_NONE;

	/* Also a runtime that failed may have left its cgroup, and one that succeeded may never have known it. */
	if (launch_delete(o, &first) < 0)
		log_warn("%s", first.msg);
	return sweep_cgroup(o, dir_fd, e);
}

int sweep_bundle(int dir_fd, struct err *e)
{
	auto_close int bundle =
		openat(dir_fd, "bundle", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (bundle >= 0 && (workspace_unmount(bundle, e) < 0 || rootfs_unmount(bundle, e) < 0))
		return -1;
	if (fd_remove_tree(dir_fd, "bundle", e) < 0)
		return err_wrap(e, "bundle");
	return 0;
}

int sweep_socket(int dir_fd, struct err *e)
{
	if (unlinkat(dir_fd, "shim.sock", 0) < 0 && errno != ENOENT)
		return err_sys(e, "shim.sock");
	return 0;
}

int sweep_slot(const struct orders *o, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(256);

	if (!o->uid_slot)
		return 0;
	if (fd_read_file(AT_FDCWD, o->uid_slot, 128, &text, e) < 0)
		return e->code == ENOENT ? 0 : err_wrap(e, "uid slot");
	while (buf_len(&text) > 0 && text.data[text.tail - 1] == '\n')
		text.tail--;
	if (strcmp(buf_str(&text), o->id) != 0) {
		log_warn("uid slot %s belongs to another sandbox; left alone", o->uid_slot);
		return 0;
	}
	if (unlink(o->uid_slot) < 0 && errno != ENOENT)
		return err_sys(e, "uid slot %s", o->uid_slot);
	return 0;
}

int sweep_dir(const char *dir, struct err *e)
{
	auto_free char *for_parent = xstrdup(dir), *for_name = xstrdup(dir);
	auto_close int parent = open(dirname(for_parent), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return err_sys(e, "%s", dir);
	return fd_remove_tree(parent, basename(for_name), e);
}

/* What is known of a sandbox whose shim and janitor died. */
static int write_exit(const struct orders *o, int dir_fd, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(4096);
	struct exit_info x = { .id = o->id,
			       .reason = END_ERROR,
			       .error = "the sandbox's shim was killed",
			       .ended_ms = clock_real_ms() };
	struct stat st;

	if (fstatat(dir_fd, "exit.json", &st, 0) == 0)
		return 0;
	if (exit_info_print(&x, &text, e) < 0)
		return -1;
	return fd_write_atomic(dir_fd, "exit.json", buf_bytes(&text), buf_len(&text), 0600,
			       false, e);
}

static int sweep_all(const struct orders *o, const char *dir, int dir_fd, struct err *e)
{
	if (sweep_runtime(o, dir_fd, e) < 0 || scan_group_remove(dir_fd, e) < 0 ||
	    sweep_bundle(dir_fd, e) < 0 || sweep_socket(dir_fd, e) < 0 || sweep_slot(o, e) < 0)
		return -1;
	return o->remove_dir ? sweep_dir(dir, e) : write_exit(o, dir_fd, e);
}

int sweep_dead(const char *dir, struct err *e)
{
	auto_close int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), lock = -1;
	struct orders o = { 0 };
	int r;

	if (dir_fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", dir);
	lock = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0)
		return err_sys(e, "%s/lock", dir);
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		(void) err_sys(e, "%s/lock", dir);
		e->code = errno == EWOULDBLOCK ? EBUSY : errno;
		return e->code == EBUSY ? err_hint(e, "the sandbox's shim lives") : -1;
	}
	if (orders_read(dir_fd, &o, e) < 0) {
		/* Without orders nothing was ever started from here: only files can be left. */
		struct err files = ERR_NONE;

		if (sweep_bundle(dir_fd, &files) < 0 || sweep_socket(dir_fd, &files) < 0)
			log_warn("%s", files.msg);
		return -1;
	}
	r = sweep_all(&o, dir, dir_fd, e);
	if (r < 0)
		(void) err_wrap(e, "sweep %s", o.id);
	orders_fini(&o);
	return r;
}
