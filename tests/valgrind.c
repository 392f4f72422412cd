/*
 * Two calls that valgrind (3.27) does not know, put into older words that it knows: linked in place of syscall(2) into what is
 * built for it (build-valgrind). As a program, with -DPROBE: prints the names of the calls that are answered with ENOSYS, so
 * that its output under valgrind tells what that valgrind lacks.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef PROBE

static const struct {
	const char *name;
	long number;
} calls[] = {
	{ "openat2", SYS_openat2 },
	{ "open_tree", SYS_open_tree },
	{ "move_mount", SYS_move_mount },
	{ "fsopen", SYS_fsopen },
	{ "fsconfig", SYS_fsconfig },
	{ "fsmount", SYS_fsmount },
	{ "mount_setattr", SYS_mount_setattr },
	{ "pidfd_open", SYS_pidfd_open },
	{ "pidfd_send_signal", SYS_pidfd_send_signal },
	{ "pidfd_getfd", SYS_pidfd_getfd },
	{ "clone3", SYS_clone3 },
	{ "close_range", SYS_close_range },
	{ "execveat", SYS_execveat },
	{ "memfd_create", SYS_memfd_create },
	{ "seccomp", SYS_seccomp },
	{ "statx", SYS_statx },
	{ "faccessat2", SYS_faccessat2 },
	{ "bpf", SYS_bpf },
};

int main(void)
{
	/* No descriptor, no pointer, no length and no flag of any of them is right: nothing is done. */
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (syscall(calls[i].number, -1L, -1L, -1L, -1L, -1L) < 0 && errno == ENOSYS)
			puts(calls[i].name);
	}
	return 0;
}

#else

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* The process is the caller's child or held by its descriptor, so that the number is still its own. */
static pid_t pid_of(long fd)
{
	char path[64], line[128];
	pid_t pid = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%ld", fd);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Pid: %d", &pid) != 1)
		continue;
	if (f)
		(void) fclose(f);
	return pid;
}

static long send_signal(long fd, int sig)
{
	const pid_t pid = pid_of(fd);

	if (pid > 0)
		return kill(pid, sig);
	errno = ESRCH;
	return -1;
}

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_pidfd_send_signal)
		return send_signal(a[0], (int) a[1]);
	/* Without these flags a filter forbids the same. */
	if (number == SYS_seccomp && a[0] == SECCOMP_SET_MODE_FILTER &&
	    (a[1] & ~(long) (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW)) == 0)
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, a[2], 0, 0);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#endif
