#include "shim/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"

/* Blocks until the parent closes its end: a user namespace needs a process only to be made. */
static void hold_namespace(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int write_map(pid_t pid, const char *name, uint32_t base, uint32_t count, struct err *e)
{
	char path[64], map[64];

	(void) snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
	(void) snprintf(map, sizeof(map), "0 %u %u", base, count);
	return fd_write_file(AT_FDCWD, path, map, e);
}

int idmap_userns(uint32_t base, uint32_t count, struct err *e)
{
	struct child child = CHILD_NONE;
	struct err kill_e = ERR_NONE;
	int hold[2], fd = -1, r;
	char path[64];

	if (pipe2(hold, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2");
	r = child_clone(CLONE_NEWUSER, -1, &child, e);
	if (r == 0) {
		(void) close(hold[1]);
		hold_namespace(hold[0]);
	}
	if (r > 0) {
		(void) snprintf(path, sizeof(path), "/proc/%d/ns/user", (int) child.pid);
		if (write_map(child.pid, "uid_map", base, count, e) == 0 &&
		    write_map(child.pid, "gid_map", base, count, e) == 0) {
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				(void) err_sys(e, "%s", path);
		}
		(void) child_kill(&child, SIGKILL, &kill_e);
		child_end(&child);
	}
	fd_close(&hold[0]);
	fd_close(&hold[1]);
	return fd < 0 ? err_wrap(e, "user namespace for ids %u+%u", base, count) : fd;
}
