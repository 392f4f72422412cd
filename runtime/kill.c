/* kill: a signal to init, or to all of the container's processes. Takes no lock: it must work while another call hangs. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "runtime/container.h"
#include "runtime/ns.h"

static const struct {
	const char *name;
	int sig;
} signals[] = {
	{ "HUP", SIGHUP },	 { "INT", SIGINT },	  { "QUIT", SIGQUIT },
	{ "ILL", SIGILL },	 { "TRAP", SIGTRAP },	  { "ABRT", SIGABRT },
	{ "IOT", SIGIOT },	 { "BUS", SIGBUS },	  { "FPE", SIGFPE },
	{ "KILL", SIGKILL },	 { "USR1", SIGUSR1 },	  { "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },	 { "PIPE", SIGPIPE },	  { "ALRM", SIGALRM },
	{ "TERM", SIGTERM },	 { "STKFLT", SIGSTKFLT }, { "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },	 { "CONT", SIGCONT },	  { "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP },	 { "TTIN", SIGTTIN },	  { "TTOU", SIGTTOU },
	{ "URG", SIGURG },	 { "XCPU", SIGXCPU },	  { "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM }, { "PROF", SIGPROF },	  { "WINCH", SIGWINCH },
	{ "IO", SIGIO },	 { "POLL", SIGPOLL },	  { "PWR", SIGPWR },
	{ "SYS", SIGSYS },
};

/* As every program but the C library's own threads counts them. */
enum { RT_FIRST = 34, RT_LAST = 64 };

/* "RTMIN", "RTMIN+3", "RTMAX-1". */
static int parse_realtime(const char *name, int *sig)
{
	const bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
	const char sign = from_max ? '-' : '+';
	struct err why = ERR_NONE;
	uint64_t n = 0;

	if (!from_max && strncasecmp(name, "RTMIN", 5) != 0)
		return -1;
	if (name[5] && (name[5] != sign ||
			str_to_u64(name + 6, RT_LAST - RT_FIRST, "signal", &n, &why) < 0))
		return -1;
	*sig = from_max ? RT_LAST - (int) n : RT_FIRST + (int) n;
	return 0;
}

int container_signal_parse(const char *s, int *sig, struct err *e)
{
	const char *name = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
	struct err why = ERR_NONE;
	uint64_t n;

	if (s[0] >= '0' && s[0] <= '9') {
		if (str_to_u64(s, 64, "signal", &n, &why) == 0) {
			*sig = (int) n;
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (strcasecmp(signals[i].name, name) == 0) {
			*sig = signals[i].sig;
			return 0;
		}
	}
	if (parse_realtime(name, sig) == 0)
		return 0;
	return err_set(e, EINVAL, "unknown signal \"%.40s\"", s);
}

/* Without a pid namespace of its own, init's end does not end the others. */
static bool has_own_pids(const struct state *s)
{
	return s->namespaces & (1u << NS_PID);
}

static int kill_all(struct container *c, int sig, struct err *e)
{
	if (container_need_cgroup(c, e) < 0)
		return -1;
	return cgroup_kill(c->cgroup, sig, e);
}

static int kill_init(struct container *c, int sig, struct err *e)
{
	struct err why = ERR_NONE;
	auto_close int init = state_open_init(c->state, &why);

	if (init < 0) {
		if (!why.code)
			return err_set(e, ESRCH, "container not running");
		*e = why;
		return -1;
	}
	if (syscall(SYS_pidfd_send_signal, init, sig, NULL, 0) < 0)
		return errno == ESRCH ? err_set(e, ESRCH, "container not running")
				      : err_sys(e, "signal %d to pid %d", sig, c->state->pid);
	if (sig != SIGKILL)
		return 0;
	/* On cgroup v1 a frozen process takes SIGKILL only once it is thawed. */
	struct err ignored = ERR_NONE;
	if (container_need_cgroup(c, &ignored) == 0 && cgroup_mode(c->cgroup) == CGROUP_V1)
		(void) cgroup_freeze(c->cgroup, false, &ignored);
	return 0;
}

int container_kill(const struct container_env *env, const char *id, int sig, bool all,
		   struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;

	if (container_open(env, id, STATE_UNLOCKED, &c, e) < 0)
		return -1;
	if (!c.state || c.state->pid <= 0)
		return err_set(e, ESRCH, "container not running");
	if (all || (sig == SIGKILL && !has_own_pids(c.state)))
		return kill_all(&c, sig, e);
	return kill_init(&c, sig, e);
}
