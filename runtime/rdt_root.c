/* Where resctrl is mounted: at its own place or, rarely, at another. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "runtime/rdt.h"

#ifndef RDTGROUP_SUPER_MAGIC
#define RDTGROUP_SUPER_MAGIC 0x7655821
#endif

enum { MOUNTS_MAX = 16 << 20 };

static const char usual[] = "/sys/fs/resctrl";

/* *out is a descriptor, or FD_NONE: nothing there, or something else. */
static int open_if_resctrl(const char *path, int *out, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs st;

	*out = FD_NONE;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstatfs(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if ((unsigned long) st.f_type == RDTGROUP_SUPER_MAGIC)
		*out = take_fd(&fd);
	return 0;
}

/* Lines of /proc/self/mounts: source, place, type. A place with odd characters is passed over. */
static int find(struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(MOUNTS_MAX);
	char *save = NULL;

	if (fd_read_file(AT_FDCWD, "/proc/self/mounts", MOUNTS_MAX, &text, e) < 0)
		return -1;
	auto_free char *lines = buf_take_str(&text);
	for (char *line = strtok_r(lines, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char place[512], type[32];

		if (sscanf(line, "%*s %511s %31s", place, type) != 2 ||
		    strcmp(type, "resctrl") != 0)
			continue;
		int fd;
		if (open_if_resctrl(place, &fd, e) < 0)
			return -1;
		if (fd >= 0)
			return fd;
	}
	return err_set(e, ENOENT, "resctrl is not mounted (mount -t resctrl resctrl %s)",
		       usual);
}

int rdt_root_open(struct err *e)
{
	int fd;

	if (open_if_resctrl(usual, &fd, e) < 0)
		return -1;
	if (fd >= 0)
		return fd;
	/* The kernel makes this directory wherever it and the processor can do it. */
	if (access(usual, F_OK) < 0)
		return err_set(
			e, ENOENT,
			"this host has no resctrl (no %s): its processor or kernel lacks RDT",
			usual);
	return find(e);
}
