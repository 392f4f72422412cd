/*
 * storm NAMESPACE TASKS RUNS PROGRAM [ARG...]: enters a mount namespace (a descriptor's number), then runs PROGRAM in a control
 * group (its tasks file) RUNS times, one after the other. One worker of a storm: what it does between two runs costs
 * microseconds, so that as many run as the machine can run, and not as many as a script can start. Ends at the first run
 * that fails, with its status.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_once(int tasks, char **argv)
{
	int status = -1;
	const pid_t pid = vfork();

	if (pid == 0) {
		if (write(tasks, "0", 1) == 1)
			(void) execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

int main(int n, char **argv)
{
	int tasks, code = 0;

	if (n < 5)
		return 125;
	tasks = open(argv[2], O_WRONLY | O_CLOEXEC);
	if (tasks < 0 || setns(atoi(argv[1]), CLONE_NEWNS) < 0 ||
	    fcntl(atoi(argv[1]), F_SETFD, FD_CLOEXEC) < 0) {
		perror("storm");
		return 125;
	}
	for (int left = atoi(argv[3]); left > 0 && code == 0; left--)
		code = run_once(tasks, argv + 4);
	return code;
}
