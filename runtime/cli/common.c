/* What several commands share. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/cli/cli.h"
#include "runtime/sdbus.h"
#include "runtime/seal.h"

enum { PRESERVE_MAX = 4096 };

int cli_print(const struct cli *c, const char *command, struct buf *out)
{
	struct err e = ERR_NONE;

	if (fd_write_all(STDOUT_FILENO, buf_bytes(out), buf_len(out), &e) < 0)
		return cli_fail(c, command, &e, 1);
	return 0;
}

/* Descriptors that are asked for must be there: else one of our own would be in their place. */
static int check_preserved(uint64_t n, struct err *e)
{
	if (n > PRESERVE_MAX)
		return err_set(e, EINVAL, "--preserve-fds %llu: at most %d",
			       (unsigned long long) n, PRESERVE_MAX);
	for (int fd = 3; fd < 3 + (int) n; fd++) {
		const int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || (flags & FD_CLOEXEC))
			return err_set(e, EBADF,
				       "--preserve-fds %llu: descriptor %d is not open",
				       (unsigned long long) n, fd);
	}
	return 0;
}

unsigned cli_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	struct err ignored = ERR_NONE; /* then they are meant for somebody else */
	uint64_t value;

	if (!pid || !n || str_to_u64(pid, UINT32_MAX, "LISTEN_PID", &value, &ignored) < 0 ||
	    value != (uint64_t) getpid() ||
	    str_to_u64(n, PRESERVE_MAX, "LISTEN_FDS", &value, &ignored) < 0)
		return 0;
	return (unsigned) value;
}

static bool is_any_of(const char *word, const char *const *list)
{
	while (*list && strcmp(*list, word) != 0)
		list++;
	return *list;
}

bool cli_seal_early(char *const *argv)
{
	static const char *const commands[] = { "create", "run", "exec", NULL };
	struct err later = ERR_NONE;
	bool enters = false, may_ask_systemd = false;

	for (char *const *word = argv + 1; argv[0] && *word; word++) {
		enters |= is_any_of(*word, commands);
		/* The option, a value of the other option; of exec the container decides. */
		may_ask_systemd |= strstr(*word, "systemd") || strcmp(*word, "exec") == 0;
	}
	if (enters && may_ask_systemd)
		sdbus_remember_program();
	return enters && seal_self(argv, &later) == 0;
}

int cli_enter(struct cli *c, uint64_t preserve_fds, struct err *e)
{
	if (!c->sealed && seal_self(c->argv, e) < 0)
		return -1;
	return check_preserved(preserve_fds, e) < 0 ? -1 : cli_settle(c, e);
}
