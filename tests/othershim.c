/*
 * A carrel-shim that fails, or stops, at one step of taking over a running one's sandbox; at all others it becomes the real one.
 *
 * What it does is in the file beside it, NAME.mode: the real program's path, then STEP ACTION. STEP: version, check, resume. ACTION:
 *   exit     ends with 7, and says why           die      is killed
 *   stop     stops itself; goes on as the real one when it is continued
 *   old      (version) says that it reads another format
 *   junk     (version) says what is no answer
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int act(const char *action)
{
	if (strcmp(action, "stop") == 0)
		return raise(SIGSTOP);
	if (strcmp(action, "die") == 0)
		return raise(SIGKILL);
	if (strcmp(action, "old") == 0)
		puts("{\"program\":\"carrel-shim\",\"version\":\"9\",\"build\":\"x\","
		     "\"reads_from\":90,\"reads_to\":91}");
	else if (strcmp(action, "junk") == 0)
		puts("carrel-shim");
	else {
		fputs("it is told to fail\n", stderr);
		_exit(7);
	}
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	static const char *const steps[][2] = { { "version", "--handover-version" },
						{ "check", "--check-resume" },
						{ "resume", "--resume" } };
	char path[PATH_MAX + 8], real[PATH_MAX], step[16], action[16];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	FILE *f;

	if (n <= 0)
		return 99;
	strcpy(path + n, ".mode");
	f = fopen(path, "re");
	if (!f || fscanf(f, "%4095s %15s %15s", real, step, action) != 3)
		return 98;
	fclose(f);
	for (int i = 1; i < argc; i++)
		for (int k = 0; k < 3; k++)
			if (strcmp(argv[i], steps[k][1]) == 0 && strcmp(step, steps[k][0]) == 0)
				act(action);
	execv(real, argv);
	return 97;
}
