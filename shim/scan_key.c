#include "shim/scan_key.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"

static int check(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077)
		return err_set(e, EACCES,
			       "others may read it; remove it, and a new one is made");
	if (st.st_size != SCAN_KEY)
		return err_set(
			e, EINVAL,
			"has %lld bytes, where %d belong; remove it, and a new one is made",
			(long long) st.st_size, SCAN_KEY);
	return 0;
}

/* Whole before it has its name, and never in the place of another. */
static int make(int dir, const char *name, struct err *e)
{
	uint8_t key[SCAN_KEY];
	char id[27], own[64];
	int r;

	random_bytes(key, sizeof(key));
	random_id(id);
	(void) snprintf(own, sizeof(own), ".policy.%s", id);
	r = fd_write_atomic(dir, own, key, sizeof(key), 0600, true, e);
	explicit_bzero(key, sizeof(key));
	if (r < 0)
		return -1;
	if (linkat(dir, own, dir, name, 0) < 0 && errno != EEXIST)
		r = err_sys(e, "link");
	(void) unlinkat(dir, own, 0); /* what stays of it is good for nothing */
	return r;
}

static int open_at(int dir, const char *name, struct err *e)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);

	if (fd < 0 && errno == ENOENT) {
		if (make(dir, name, e) < 0)
			return -1;
		fd = openat(dir, name, flags);
	}
	if (fd < 0)
		return err_sys(e, "open");
	if (check(fd, e) < 0)
		fd_close(&fd);
	return fd;
}

int scan_key_open(const char *path, struct err *e)
{
	auto_free char *for_dir = xstrdup(path), *for_name = xstrdup(path);
	auto_close int dir = open(dirname(for_dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? err_sys(e, "open its directory")
			 : open_at(dir, basename(for_name), e);

	return fd < 0 ? err_wrap(e, "%s", path) : fd;
}

int scan_key_read(int fd, uint8_t key[SCAN_KEY], struct err *e)
{
	ssize_t n = pread(fd, key, SCAN_KEY, 0);

	if (n < 0)
		return err_sys(e, "the fingerprints' key");
	return n == SCAN_KEY ? 0 : err_set(e, EINVAL, "the fingerprints' key is cut short");
}
