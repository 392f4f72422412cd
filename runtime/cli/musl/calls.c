/*
 * System calls that musl wraps in others, as they are: the kernels that it means are older than any that this program runs on
 * (close-on-exec by a second call), and there are no other threads to bring together for a change of ids.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return openat(AT_FDCWD, path, flags, mode);
}

int setgroups(size_t n, const gid_t *groups)
{
	return (int) syscall(SYS_setgroups, n, groups);
}

int setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return (int) syscall(SYS_setresgid, real, effective, saved);
}

int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return (int) syscall(SYS_setresuid, real, effective, saved);
}

/* Once or twice in a process: finding the kernel's page for it, and mapping that, costs more than the call. */
int clock_gettime(clockid_t clock, struct timespec *out)
{
	return (int) syscall(SYS_clock_gettime, clock, out);
}

/* Asked before every walk through a container's paths, of an environment that may be long. */
char *getenv(const char *name)
{
	const size_t n = strlen(name);

	for (char **v = environ; n > 0 && v && *v; v++) {
		if (**v == *name && strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	}
	return NULL;
}
