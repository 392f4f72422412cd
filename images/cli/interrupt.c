#include "images/cli/interrupt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "images/store.h"

static const char flag[] = "--interrupted";
static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

enum { CHILDREN_MAX = 1 << 20 };

/* What the handler needs, made before it can run. */
static struct {
	pid_t owner;
	char number[4];
	char *argv[6];
} again;

static void on_signal(int sig)
{
	/* A child made by fork has our handlers, and nothing to clear. */
	if (getpid() != again.owner)
		_exit(128 + sig);
	again.number[0] = (char) ('0' + sig / 10);
	again.number[1] = (char) ('0' + sig % 10);
	(void) execve("/proc/self/exe", again.argv, environ);
	_exit(128 + sig);
}

void interrupt_arm(const char *store, const char *file)
{
	/* A second one ends at once. */
	const struct sigaction ours = { .sa_handler = on_signal,
					.sa_flags = SA_NODEFER | (int) SA_RESETHAND };
	const char *const argv[] = { "carrel-image", flag, again.number, store, file, NULL };
	struct sigaction before;

	again.owner = getpid();
	memcpy(again.argv, argv, sizeof(argv));
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			(void) sigaction(signals[i], &ours, NULL);
	}
}

/* ---- after the exec ---- */

/* A shell that became us may have had children as well. */
static bool is_ours(pid_t pid)
{
	static const char *const names[] = { "/carrel-image", "/carrel-inflate",
					     "/carrel-registry" };
	auto_free char *path = xasprintf("/proc/%d/exe", (int) pid);
	char exe[PATH_MAX];
	ssize_t n = readlink(path, exe, sizeof(exe) - 1);

	if (n < 0)
		return false; /* it has ended */
	exe[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (str_has_suffix(exe, names[i]))
			return true;
	}
	return false;
}

/* Ends those that there are; returns how many. */
static size_t end_children(void)
{
	auto_free char *path = xasprintf("/proc/self/task/%d/children", (int) getpid());
	auto_buf struct buf text = BUF_LIMIT(CHILDREN_MAX);
	struct err none = ERR_NONE;
	size_t n = 0;
	char *at, *end;

	if (fd_read_file(AT_FDCWD, path, CHILDREN_MAX, &text, &none) < 0)
		return 0;
	for (at = (char *) buf_str(&text);; at = end) {
		const pid_t pid = (pid_t) strtol(at, &end, 10);

		if (end == at)
			return n;
		if (is_ours(pid) && kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid)
			n++;
	}
}

static _Noreturn void clear(int sig, const char *path, const char *file)
{
	auto_store struct store s = STORE_NONE;
	struct err none = ERR_NONE;

	/* What they have started becomes ours, and holds the same locks. */
	(void) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	while (end_children() > 0)
		;
	if (file)
		(void) unlink(file);
	/* Who waits for others' locks here has nothing to gain: their commands sweep as well. */
	(void) store_open(path, STORE_WORK, &s, &none);
	store_close(&s);
	(void) signal(sig, SIG_DFL);
	(void) raise(sig);
	_exit(128 + sig);
}

int interrupt_main(int argc, char **argv)
{
	if (argc < 4 || argc > 5 || strcmp(argv[1], flag) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (atoi(argv[2]) == signals[i])
			clear(signals[i], argv[3], argc > 4 ? argv[4] : NULL);
	}
	return 0;
}
