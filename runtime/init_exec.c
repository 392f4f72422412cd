/*
 * From a finished surrounding to the container's program: what init and exec have in common.
 *
 * The order is the point. Everything that must be read or opened happens first, then descriptors are limited,
 * then rights go away one after the other, and the last thing before execve is the filter that may forbid all
 * the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/util.h"
#include "runtime/caps.h"
#include "runtime/hooks.h"
#include "runtime/init.h"
#include "runtime/label.h"
#include "runtime/process.h"
#include "runtime/seccomp.h"

enum { FIRST_FD = 3 };

struct last {
	const struct init_exec *x;
	const struct process_spec *p;
	struct caps_spec caps;
	char **env;
	char *program;
	bool retry_cwd;
};

/* ---- descriptors ---- */

static int by_number(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static int close_between(unsigned first, unsigned last, struct err *e)
{
	if (first > last)
		return 0;
	if (syscall(SYS_close_range, first, last, 0) == 0)
		return 0;
	if (errno != ENOSYS)
		return err_sys(e, "close_range");
	/* Before Linux 5.9. What stays open until exec is named by nobody: names come from this process only. */
	return fd_cloexec_from((int) first, e);
}

int init_close_others(unsigned preserved, int *keep, size_t n, struct err *e)
{
	unsigned next = FIRST_FD + preserved;

	log_open(-1, LOG_TEXT, LOG_LV_ERROR); /* its descriptor goes as well */
	qsort(keep, n, sizeof(keep[0]), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int) next)
			continue;
		if (close_between(next, (unsigned) keep[i] - 1, e) < 0)
			return -1;
		if (fcntl(keep[i], F_SETFD, FD_CLOEXEC) < 0)
			return err_sys(e, "descriptor %d", keep[i]);
		next = (unsigned) keep[i] + 1;
	}
	return close_between(next, ~0U, e);
}

/* Nothing may be open that leads out of the root: not for cwd, not for args[0], not for the program. */
static int close_others(struct last *l, struct err *e)
{
	const unsigned preserved = l->x->preserve_fds;
	int keep[] = { l->x->report_fd, l->x->seccomp_notify_fd, l->x->proc_fd };

	for (unsigned fd = FIRST_FD; fd < FIRST_FD + preserved; fd++) {
		if (fcntl((int) fd, F_SETFD, 0) < 0)
			return err_sys(e, "--preserve-fds: descriptor %u", fd);
	}
	return init_close_others(preserved, keep, ARRAY_SIZE(keep), e);
}

/* ---- steps ---- */

static int reset_signals(struct last *l, struct err *e)
{
	return child_reset_signals(e);
}

static int build_environment(struct last *l, struct err *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, "open /");
	return process_environment(l->p, root, &l->env, e);
}

static int own_stdio(struct last *l, struct err *e)
{
	return process_own_stdio(l->p, e);
}

static int set_scheduler(struct last *l, struct err *e)
{
	return process_apply_scheduler(l->p, e);
}

static int set_limits(struct last *l, struct err *e)
{
	return process_apply_rlimits(l->p, e);
}

/* A directory that only the user may enter, or only root may reach. */
static int enter_cwd(struct last *l, struct err *e)
{
	if (process_enter_cwd(l->p, e) == 0)
		return 0;
	if (e->code != EACCES)
		return -1;
	*e = ERR_NONE;
	l->retry_cwd = true;
	return 0;
}

static int enter_cwd_again(struct last *l, struct err *e)
{
	return l->retry_cwd ? process_enter_cwd(l->p, e) : 0;
}

static int set_labels(struct last *l, struct err *e)
{
	int proc_fd = l->x->proc_fd;

	if (!init_wants_proc(l->p))
		return 0;
	if (proc_fd <= 0)
		return err_set(e, EINVAL, "no procfs to set the label through");
	if (label_set_exec(proc_fd, l->p->apparmor, l->p->selinux_label, e) < 0)
		return -1;
	fd_close(&proc_fd);
	return 0;
}

static int limit_bounding(struct last *l, struct err *e)
{
	return caps_apply_bounding(&l->caps, e);
}

static int send_listener(const struct last *l, int listener, struct err *e)
{
	int sock = l->x->seccomp_notify_fd;
	const char *state = l->x->notify_state ? l->x->notify_state : "{}";

	if (sock < 0)
		return err_set(
			e, EINVAL,
			"the filter notifies, but linux.seccomp.listenerPath is not set");
	if (sock_send(sock, state, strlen(state), &listener, 1, e) < 0)
		return err_wrap(e, "seccomp agent");
	fd_close(&sock);
	return 0;
}

static int load_filter(struct last *l, struct err *e)
{
	int listener = FD_NONE;

	if (!l->x->filter)
		return 0;
	if (filter_load(l->x->filter, &listener, e) < 0)
		return -1;

	auto_close int owned = listener;
	return owned >= 0 ? send_listener(l, owned, e) : 0;
}

/* Without no_new_privs loading is a privileged operation: it comes before the capabilities go. */
static int load_filter_early(struct last *l, struct err *e)
{
	return l->p->no_new_privileges ? 0 : load_filter(l, e);
}

static int change_user(struct last *l, struct err *e)
{
	return process_apply_user(l->p, e);
}

static int set_capabilities(struct last *l, struct err *e)
{
	return caps_apply(&l->caps, e);
}

static int find_program(struct last *l, struct err *e)
{
	return process_find_program(l->p, &l->program, e);
}

static int lock_privileges(struct last *l, struct err *e)
{
	if (l->p->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	return 0;
}

static int load_filter_late(struct last *l, struct err *e)
{
	return l->p->no_new_privileges ? load_filter(l, e) : 0;
}

/* They get what the program gets: its user, its capabilities, its filter, and its environment when they bring none. */
static int start_hooks(struct last *l, struct err *e)
{
	const struct hook_list *hooks = l->x->start_hooks;

	if (!hooks || hooks->n == 0)
		return 0;
	return hooks_run_in(hooks, HOOK_START_CONTAINER,
			    l->x->state_json ? l->x->state_json : "{}", l->env, e);
}

static int execute(struct last *l, struct err *e)
{
	(void) execve(l->program, (char *const *) l->p->args, l->env);
	switch (errno) {
	case ENOENT:
	case ENOTDIR: /* also: the interpreter of a script, the loader of a program */
		return err_set(e, errno, "exec %s: no such file or directory", l->program);
	case EACCES:
		return err_set(e, errno, "exec %s: permission denied", l->program);
	case ENOEXEC:
		return err_set(e, errno, "exec %s: exec format error", l->program);
	default:
		return err_sys(e, "exec %s", l->program);
	}
}

/* clang-format off */
static const struct {
	const char *name; /* before the error; NULL where the error says it all */
	int (*step)(struct last *l, struct err *e);
} steps[] = {
	{ NULL, close_others },          /* first: from here on nothing can be reached by a number */
	{ NULL, reset_signals },         /* handlers and masks are ours, not the program's */
	{ "environment", build_environment }, /* opens a file: before RLIMIT_NOFILE */
	{ "stdio", own_stdio },          /* while we may still change owners */
	{ NULL, set_scheduler },         /* needs CAP_SYS_NICE */
	{ NULL, set_limits },            /* needs CAP_SYS_RESOURCE to raise */
	{ NULL, enter_cwd },             /* with all rights first */
	{ NULL, set_labels },            /* before no_new_privs, which forbids some changes of profile */
	{ NULL, limit_bounding },        /* needs CAP_SETPCAP; also keeps permitted over the next steps */
	{ "seccomp", load_filter_early },/* needs CAP_SYS_ADMIN */
	{ NULL, change_user },
	{ NULL, set_capabilities },      /* after the user: setuid clears what is effective */
	{ NULL, enter_cwd_again },       /* with the user's own rights */
	{ NULL, find_program },          /* with the user's own rights, in his directory */
	{ NULL, lock_privileges },
	{ "seccomp", load_filter_late }, /* last: every step above may need a call that it forbids */
	{ NULL, start_hooks },           /* confined as the program will be */
	{ NULL, execute },
};
/* clang-format on */

bool init_wants_proc(const struct process_spec *p)
{
	return (p->apparmor && p->apparmor[0] != '\0') ||
	       (p->selinux_label && p->selinux_label[0] != '\0');
}

int init_exec(const struct init_exec *x, struct err *e)
{
	struct last l = { .x = x, .p = x->process, .caps = x->process->caps };

	if (!l.caps.set)
		l.caps = (struct caps_spec){ 0 };
	/* The runtime has said already what it could not give. */
	(void) caps_clip_to_own(&l.caps);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i].step(&l, e) == 0)
			continue;
		if (steps[i].name)
			(void) err_wrap(e, "%s", steps[i].name);
		break;
	}
	util_free_strv(&l.env);
	free(l.program);
	return -1;
}
