#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { WRITE_BEHIND = 8 << 20 };

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void) close(*fd); /* Linux frees the number even when it reports EINTR */
	*fd = FD_NONE;
	errno = saved;
}

void fd_close_ptr(int *fd)
{
	fd_close(fd);
}

int take_fd(int *fd)
{
	int r = *fd;

	*fd = FD_NONE;
	return r;
}

int fd_dup(int fd, struct err *e)
{
	int r = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (r < 0)
		return err_sys(e, "duplicate descriptor %d", fd);
	return r;
}

struct fd_path fd_path(int fd)
{
	struct fd_path p;

	(void) snprintf(p.s, sizeof(p.s), "/proc/self/fd/%d", fd);
	return p;
}

int fd_set_nonblock(int fd, bool on, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);
	int want = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

	if (flags < 0)
		return err_sys(e, "flags of descriptor %d", fd);
	if (want != flags && fcntl(fd, F_SETFL, want) < 0)
		return err_sys(e, "flags of descriptor %d", fd);
	return 0;
}

/* Descriptor names are decimal; everything else in /proc/self/fd is "." and "..". */
static int number_of(const char *name)
{
	int n = 0;

	for (; *name; name++) {
		if (*name < '0' || *name > '9' || n > 100000000)
			return -1;
		n = n * 10 + (*name - '0');
	}
	return n;
}

/*
 * For kernels without close_range's CLOSE_RANGE_CLOEXEC. Reads the directory with getdents64 into
 * the stack: this runs between fork and exec, where opendir's malloc is not allowed.
 */
static int cloexec_walk(int first, struct err *e)
{
	auto_close int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char names[4096];

	if (dir < 0)
		return err_sys(e, "/proc/self/fd");
	for (;;) {
		long n = syscall(SYS_getdents64, dir, names, sizeof(names));
		const struct dirent64 *d;

		if (n < 0)
			return err_sys(e, "/proc/self/fd");
		if (n == 0)
			return 0;
		for (long at = 0; at < n; at += d->d_reclen) {
			d = (const void *) (names + at);
			int fd = number_of(d->d_name);

			if (fd < first || fd == dir)
				continue;
			if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 && errno != EBADF)
				return err_sys(e, "close-on-exec of descriptor %d", fd);
		}
	}
}

int fd_cloexec_from(int first, struct err *e)
{
	if (syscall(SYS_close_range, (unsigned) first, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	/* EINVAL: Linux 5.9 and 5.10 know the call but not the flag; EPERM: old seccomp profiles. */
	if (errno != ENOSYS && errno != EINVAL && errno != EPERM)
		return err_sys(e, "close_range");
	return cloexec_walk(first, e);
}

int fd_write_all(int fd, const void *p, size_t n, struct err *e)
{
	const char *at = p;

	while (n > 0) {
		ssize_t r = write(fd, at, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "write");
		if (r == 0)
			return err_set(e, EIO, "write: nothing was taken");
		at += r;
		n -= (size_t) r;
	}
	return 0;
}

void fd_write_behind(int fd, uint64_t *begun, uint64_t end)
{
	if (end < *begun + WRITE_BEHIND)
		return;
	(void) sync_file_range(fd, (off_t) *begun, (off_t) (end - *begun),
			       SYNC_FILE_RANGE_WRITE);
	*begun = end;
}

static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t r;

	do
		r = read(fd, p, n);
	while (r < 0 && errno == EINTR);
	return r;
}

int fd_read_all(int fd, size_t limit, struct buf *out, struct err *e)
{
	size_t chunk = 4096;
	size_t left = MIN(limit, out->limit - buf_len(out));
	const size_t most = left;
	struct stat st;
	char beyond;
	ssize_t r;

	/* A file that knows its size is read at once, without growing the buffer on the way. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > (off_t) chunk)
		chunk = (size_t) MIN(st.st_size, (off_t) left) + 1;
	while (left > 0) {
		const size_t spare = out->cap - out->tail;
		size_t n = MIN(chunk, left);

		if (spare > 0)
			n = MIN(n, spare);
		if (buf_reserve(out, n, e) < 0)
			return -1;
		r = read_some(fd, out->data + out->tail, n);
		if (r < 0)
			return err_sys(e, "read");
		if (r == 0)
			return 0;
		out->tail += (size_t) r;
		left -= (size_t) r;
		if (chunk < 65536)
			chunk *= 2;
	}
	r = read_some(fd, &beyond, 1);
	if (r < 0)
		return err_sys(e, "read");
	if (r > 0)
		return err_set(e, EFBIG, "longer than %zu bytes", most);
	return 0;
}

int fd_read_file(int dirfd, const char *path, size_t limit, struct buf *out, struct err *e)
{
	auto_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fd_read_all(fd, limit, out, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

int fd_write_file(int dirfd, const char *path, const char *text, struct err *e)
{
	auto_close int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = strlen(text);
	ssize_t r;

	if (fd < 0)
		return err_sys(e, "%s", path);
	do
		r = write(fd, text, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "%s", path);
	if ((size_t) r != n)
		return err_set(e, EIO, "%s: only %zd of %zu bytes were taken", path, r, n);
	return 0;
}

static int write_new_file(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
			  bool durable, struct err *e)
{
	auto_close int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "%s", name);
	if (fd_write_all(fd, p, n, e) < 0)
		return -1;
	if (fchmod(fd, mode) < 0) /* after the open: the umask shall not decide */
		return err_sys(e, "mode");
	if (durable && fsync(fd) < 0)
		return err_sys(e, "fsync");
	return 0;
}

/* dirfd may be O_PATH or AT_FDCWD: fsync needs a real descriptor of the directory. */
static int sync_directory(int dirfd, struct err *e)
{
	auto_close int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open the directory");
	if (fsync(fd) < 0)
		return err_sys(e, "fsync of the directory");
	return 0;
}

int fd_write_atomic(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		    bool durable, struct err *e)
{
	uint8_t unique[8];
	char temporary[sizeof(".tmp.") + 2 * sizeof(unique)] = ".tmp.";

	if (!*name || strchr(name, '/'))
		return err_set(e, EINVAL, "\"%s\" is no file name", name);
	random_bytes(unique, sizeof(unique));
	str_hex(unique, sizeof(unique), temporary + strlen(temporary));

	if (write_new_file(dirfd, temporary, p, n, mode, durable, e) < 0)
		goto fail;
	if (renameat(dirfd, temporary, dirfd, name) < 0) {
		(void) err_sys(e, "rename");
		goto fail;
	}
	if (durable && sync_directory(dirfd, e) < 0)
		return err_wrap(e, "%s", name);
	return 0;
fail:
	(void) unlinkat(dirfd, temporary, 0); /* may not have come to exist */
	return err_wrap(e, "%s", name);
}

/* Linux before 5.8 tells the mount of a descriptor only here. */
static int mount_id_from_fdinfo(int fd, uint64_t *out, struct err *e)
{
	char path[48];
	auto_buf struct buf text = BUF_LIMIT(65536);
	const char *at;

	(void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (fd_read_file(AT_FDCWD, path, text.limit - 1, &text, e) < 0)
		return -1;
	at = strstr(buf_str(&text), "mnt_id:");
	if (!at || sscanf(at, "mnt_id: %lu", out) != 1)
		return err_set(e, ENOTSUP, "%s: no mnt_id", path);
	return 0;
}

int fd_mount_id(int fd, uint64_t *out, struct err *e)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) == 0) {
		if (sx.stx_mask & STATX_MNT_ID) {
			*out = sx.stx_mnt_id;
			return 0;
		}
	} else if (errno != ENOSYS && errno != EPERM) {
		return err_sys(e, "mount of descriptor %d", fd);
	}
	return mount_id_from_fdinfo(fd, out, e);
}
