/* peak PROGRAM [ARG...]: the largest resident size of it and what it waited for, in KiB, on stderr. Small itself: what a
 * process was before its exec counts as its peak. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int n, char **argv)
{
	struct rusage usage;
	int status;
	pid_t pid = n > 1 ? vfork() : -1;

	if (pid == 0) {
		(void) execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
		return 1;
	(void) fprintf(stderr, "rss %ld\n", usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
