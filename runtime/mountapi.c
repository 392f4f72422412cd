#include "runtime/mountapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

enum { VALUE_MAX = 255 };

/* The calls are made by number: libraries learn them later than kernels do. */
static int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
	return (int) syscall(SYS_open_tree, dirfd, path, flags);
}

static int sys_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux)
{
	return (int) syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}

/* "open_tree: <reason>", or what is missing where the call is not there at all. */
static int api_error(const char *call, const char *since, struct err *e)
{
	if (errno == ENOSYS)
		return err_set(
			e, ENOSYS,
			"this kernel (or a filter around us) has no %s; Linux %s or newer is needed",
			call, since);
	return err_sys(e, "%s", call);
}

int mountapi_clone(int dirfd, const char *path, unsigned flags, struct err *e)
{
	const int fd = sys_open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	return fd < 0 ? api_error("open_tree", "5.2", e) : fd;
}

int mountapi_fsopen(const char *type, struct err *e)
{
	const int fd = (int) syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

	if (fd < 0 && errno == ENODEV)
		return err_set(e, ENODEV, "unknown filesystem type \"%s\"", type);
	return fd < 0 ? api_error("fsopen", "5.2", e) : fd;
}

/* The kernel explains a refused parameter by lines that are read from the context: "e tmpfs: Bad value for
 * 'size'". The last one is appended. */
static void append_kernel_message(int fs_fd, struct err *e)
{
	char line[256], last[256] = "";
	ssize_t n;

	while ((n = read(fs_fd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		(void) snprintf(last, sizeof(last), "%s", line);
	}
	if (last[0] != '\0' && last[1] == ' ')
		(void) err_hint(e, "%s", last + 2);
}

int mountapi_param(int fs_fd, const char *key, const char *value, struct err *e)
{
	const unsigned cmd = value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

	if (value && strlen(value) > VALUE_MAX)
		return err_set(e, E2BIG,
			       "option %s is longer than the %d bytes that the kernel takes",
			       key, VALUE_MAX);

	if (sys_fsconfig(fs_fd, cmd, key, value, 0) == 0)
		return 0;
	if (errno == ENOSYS)
		return api_error("fsconfig", "5.2", e);
	(void) err_sys(e, "option %s%s%s", key, value ? "=" : "", value ? value : "");
	append_kernel_message(fs_fd, e);
	return -1;
}

int mountapi_params(int fs_fd, const char *options, struct err *e)
{
	auto_free char *copy = xstrdup(options ? options : "");
	char *save = NULL;

	for (char *o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		char *value = strchr(o, '=');

		if (value)
			*value++ = '\0';
		if (mountapi_param(fs_fd, o, value, e) < 0)
			return -1;
	}
	return 0;
}

int mountapi_create(int fs_fd, uint64_t attrs, struct err *e)
{
	if (sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		if (errno == ENOSYS)
			return api_error("fsconfig", "5.2", e);
		(void) err_sys(e, "create filesystem");
		append_kernel_message(fs_fd, e);
		return -1;
	}

	const int fd = (int) syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, (unsigned) attrs);
	return fd < 0 ? api_error("fsmount", "5.2", e) : fd;
}

int mountapi_new(const char *type, const char *options, uint64_t attrs, struct err *e)
{
	auto_close int fs_fd = mountapi_fsopen(type, e);

	if (fs_fd < 0 || mountapi_params(fs_fd, options, e) < 0)
		return -1;
	return mountapi_create(fs_fd, attrs, e);
}

int mountapi_setattr(int fd, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation,
		     int userns_fd, struct err *e)
{
	struct mount_attr a = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
		.userns_fd = userns_fd >= 0 ? (uint64_t) userns_fd : 0,
	};
	const unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	if (syscall(SYS_mount_setattr, fd, "", flags, &a, sizeof(a)) < 0)
		return api_error("mount_setattr", "5.12", e);
	return 0;
}

int mountapi_attach(int tree_fd, int target_fd, struct err *e)
{
	if (syscall(SYS_move_mount, tree_fd, "", target_fd, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return api_error("move_mount", "5.2", e);
	return 0;
}

bool mountapi_permitted(void)
{
	auto_close int fd = sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd >= 0;
}
