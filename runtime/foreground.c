#include "runtime/foreground.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "runtime/notify.h"
#include "runtime/relay.h"

/* What a user or a supervisor sends us and means for the container. Stops and faults stay ours. */
static const int forwarded[] = {
	SIGHUP,	 SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,
	SIGTERM, SIGCONT, SIGURG,  SIGIO,   SIGPWR,  SIGWINCH,
};

static void forwarded_set(sigset_t *set)
{
	(void) sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		(void) sigaddset(set, forwarded[i]);
}

int foreground_block_signals(struct err *e)
{
	sigset_t set;

	forwarded_set(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, "block signals");
	return 0;
}

int foreground_receive_console(int socket_fd, struct err *e)
{
	char name[128];
	int master = FD_NONE;
	size_t n_fds = 1;

	const ssize_t n = sock_recv(socket_fd, name, sizeof(name), &master, &n_fds, e);
	if (n < 0)
		return err_wrap(e, "receive the terminal");
	if (n_fds != 1)
		return err_set(e, EPROTO, "receive the terminal: no descriptor came");
	return master;
}

/* One signal at a time: the poll comes back for more. */
static int handle_signal(int signal_fd, const struct child *c, struct relay *relay,
			 struct err *e)
{
	struct signalfd_siginfo si;
	const ssize_t n = read(signal_fd, &si, sizeof(si));

	if (n != sizeof(si))
		return n < 0 && errno == EAGAIN ? 0 : err_sys(e, "read signals");
	if (si.ssi_signo == SIGWINCH && relay) {
		relay_resize(relay);
		return 0;
	}
	return child_kill(c, (int) si.ssi_signo, e);
}

/* The service manager watches this process, as long as it is there. */
static void pass_on(struct notify *n)
{
	struct err why = ERR_NONE;

	if (notify_take(n, getpid(), &why) < 0)
		log_debug("%s", why.msg);
}

static int wait_loop(struct child *c, int signal_fd, struct relay *relay, struct notify *n,
		     struct err *e)
{
	enum { OWN = 3 };

	for (;;) {
		struct pollfd p[OWN + RELAY_POLLS] = {
			{ .fd = signal_fd, .events = POLLIN },
			{ .fd = c->pidfd, .events = POLLIN },
			{ .fd = n ? n->socket_fd : -1, .events = POLLIN },
		};

		if (relay)
			relay_poll_fill(relay, p + OWN);
		const int r = poll(p, relay ? ARRAY_SIZE(p) : OWN,
				   relay ? relay_timeout_ms(relay) : -1);
		if (r < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (r == 0)
			relay_tick(relay);
		if (r <= 0)
			continue;
		if (relay)
			relay_poll_handle(relay, p + OWN);
		if (p[2].revents)
			pass_on(n);
		if (p[0].revents && handle_signal(signal_fd, c, relay, e) < 0)
			return -1;
		if (p[1].revents)
			return 0;
	}
}

int foreground_wait(struct child *c, int master_fd, struct notify *n, int *code, struct err *e)
{
	struct relay relay = { 0 };
	struct child_status status;
	sigset_t set;

	forwarded_set(&set);
	auto_close int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return err_sys(e, "signalfd");
	if (master_fd >= 0 && relay_begin(&relay, master_fd, e) < 0)
		return -1;
	const int r = wait_loop(c, signal_fd, master_fd >= 0 ? &relay : NULL, n, e);
	if (r == 0 && master_fd >= 0)
		relay_drain(&relay);
	relay_end(&relay);
	if (r < 0 || child_wait(c, &status, e) < 0)
		return -1;
	*code = status.signalled ? 128 + status.code : status.code;
	return 0;
}
