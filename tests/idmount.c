/*
 * idmount SOURCE TARGET FIRST COUNT: an idmapped bind of a directory, ids 0.. of its files shown as FIRST.. on the
 * host, as somebody who prepares a container's root would make it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "idmount: %s: %s\n", what, strerror(errno));
	return 1;
}

static int write_text(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	const int r = fd < 0 ? -1 : (int) write(fd, text, strlen(text));

	if (fd >= 0)
		(void) close(fd);
	return r < 0 ? -1 : 0;
}

static int userns(const char *first, const char *count)
{
	char path[64], text[64];
	const pid_t pid =
		(pid_t) syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0) {
		for (;;)
			pause();
	}
	(void) snprintf(text, sizeof(text), "0 %s %s", first, count);
	(void) snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	int r = write_text(path, text);
	(void) snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	r |= write_text(path, text);
	(void) snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	const int fd = r < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	(void) kill(pid, SIGKILL);
	(void) waitpid(pid, NULL, 0);
	return fd;
}

int main(int argc, char **argv)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP };

	if (argc != 5) {
		fprintf(stderr, "usage: idmount SOURCE TARGET FIRST COUNT\n");
		return 2;
	}
	const int tree = (int) syscall(SYS_open_tree, AT_FDCWD, argv[1],
				       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	const int ns = userns(argv[3], argv[4]);
	if (tree < 0 || ns < 0)
		return fail("open");
	a.userns_fd = (unsigned) ns;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0)
		return fail("mount_setattr");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, argv[2], MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail("move_mount");
	return 0;
}
