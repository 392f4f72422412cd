#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/sock.h"
#include "runtime/mountapi.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum { PTMX_MAJOR = 5, PTMX_MINOR = 2, PTS_MAJOR_FIRST = 136, PTS_MAJOR_LAST = 143 };

static int on_devpts(int fd, const char *what, struct stat *st, struct err *e)
{
	struct statfs sfs;

	if (fstatfs(fd, &sfs) < 0 || fstat(fd, st) < 0)
		return err_sys(e, "%s: stat", what);
	if (sfs.f_type != DEVPTS_SUPER_MAGIC || !S_ISCHR(st->st_mode))
		return err_set(e, ENODEV, "%s is not a terminal device of a devpts", what);
	return 0;
}

/* Not /dev/ptmx: that may be a link, or the host's. Looked at before it is opened for good, because opening
 * an unknown device can have effects. */
static int open_ptmx(int root_fd, struct stat *st, struct err *e)
{
	auto_close int dir =
		path_open_in(root_fd, "/dev/pts", O_PATH | O_DIRECTORY, PATH_NO_SYMLINKS, e);
	auto_close int node =
		dir < 0 ? FD_NONE : path_open_in(dir, "ptmx", O_PATH, PATH_NO_SYMLINKS, e);

	if (node < 0) {
		(void) err_wrap(e, "/dev/pts/ptmx");
		return err_hint(e, "a terminal needs a devpts mounted at /dev/pts");
	}
	if (on_devpts(node, "/dev/pts/ptmx", st, e) < 0)
		return -1;
	if (st->st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR))
		return err_set(e, ENODEV, "/dev/pts/ptmx is not the multiplexer");

	const dev_t dev = st->st_dev;
	const ino_t ino = st->st_ino;
	auto_close int fd = path_open_in(dir, "ptmx", O_RDWR | O_NOCTTY, PATH_NO_SYMLINKS, e);
	if (fd < 0)
		return err_wrap(e, "/dev/pts/ptmx");
	if (fstat(fd, st) < 0 || st->st_dev != dev || st->st_ino != ino)
		return err_set(e, EAGAIN, "/dev/pts/ptmx changed while it was opened");
	return take_fd(&fd);
}

static int open_slave(int master, const struct stat *ptmx, struct err *e)
{
	int unlock = 0;
	struct stat st;

	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, "unlock the terminal");

	auto_close int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open the terminal's peer");
	if (on_devpts(fd, "the terminal's peer", &st, e) < 0)
		return -1;
	if (st.st_dev != ptmx->st_dev || major(st.st_rdev) < PTS_MAJOR_FIRST ||
	    major(st.st_rdev) > PTS_MAJOR_LAST)
		return err_set(e, ENODEV, "the terminal's peer is of another devpts");
	return take_fd(&fd);
}

static int configure(int slave, uint16_t rows, uint16_t cols, bool relayed, struct err *e)
{
	const struct winsize ws = { .ws_row = rows, .ws_col = cols };
	struct termios t;

	if (relayed) {
		if (tcgetattr(slave, &t) < 0)
			return err_sys(e, "terminal attributes");
		t.c_oflag &= ~(tcflag_t) ONLCR;
		if (tcsetattr(slave, TCSANOW, &t) < 0)
			return err_sys(e, "terminal attributes");
	}
	if ((rows || cols) && ioctl(slave, TIOCSWINSZ, &ws) < 0)
		return err_sys(e, "terminal size");
	return 0;
}

int console_open(int root_fd, uint16_t rows, uint16_t cols, bool relayed, int *master,
		 int *slave, struct err *e)
{
	struct stat ptmx;
	auto_close int m = open_ptmx(root_fd, &ptmx, e);
	auto_close int s = m < 0 ? FD_NONE : open_slave(m, &ptmx, e);

	if (m < 0 || s < 0 || configure(s, rows, cols, relayed, e) < 0)
		return err_wrap(e, "terminal");
	*master = take_fd(&m);
	*slave = take_fd(&s);
	return 0;
}

/* A link is not followed, not even inside the root: a terminal over some other file is nobody's wish. */
static int open_target(int root_fd, struct err *e)
{
	auto_close int dev =
		path_open_in(root_fd, "/dev", O_PATH | O_DIRECTORY, PATH_NO_SYMLINKS, e);
	if (dev < 0)
		return -1;

	auto_close int made =
		openat(dev, "console", O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (made < 0 && errno != EEXIST)
		return err_sys(e, "make it");

	auto_close int fd = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open it");
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(e, EINVAL,
			       "neither a file nor a device (a link, or a directory)");
	return take_fd(&fd);
}

int console_bind(int root_fd, int slave, struct err *e)
{
	auto_close int tree = mountapi_clone(slave, "", AT_EMPTY_PATH, e);
	auto_close int target = FD_NONE;

	if (tree < 0 || mountapi_setattr(tree, false, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0,
					 0, -1, e) < 0)
		return err_wrap(e, "/dev/console");
	target = open_target(root_fd, e);
	if (target < 0 || mountapi_attach(tree, target, e) < 0)
		return err_wrap(e, "/dev/console");
	return 0;
}

int console_send(int sock_fd, int master, struct err *e)
{
	static const char name[] = "/dev/ptmx";

	if (sock_send(sock_fd, name, sizeof(name) - 1, &master, 1, e) < 0)
		return err_wrap(e, "console socket");
	return 0;
}

int console_take(int slave, struct err *e)
{
	/* A process that leads a session already (exec made it one) keeps that. */
	if (setsid() < 0 && errno != EPERM)
		return err_sys(e, "setsid");
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_sys(e, "controlling terminal");
	return child_set_stdio(slave, slave, slave, e);
}
