#include "runtime/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"

enum { IOPRIO_WHO_PROCESS_ = 1, IOPRIO_CLASS_SHIFT_ = 13, UMASK_DEFAULT = 022 };
enum { DEADLINE = 6, SYS_NICE = 23 }; /* SCHED_DEADLINE, CAP_SYS_NICE */
enum { CPUS_MAX = 8192, CPU_WORDS = CPUS_MAX / 8 / sizeof(unsigned long) };

static const struct {
	const char *name;
	int resource;
} rlimit_names[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
};

int process_rlimit_parse(const char *name, int *resource, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++) {
		if (strcmp(rlimit_names[i].name, name) == 0) {
			*resource = rlimit_names[i].resource;
			return 0;
		}
	}
	return err_set(e, EINVAL, "unknown resource limit \"%s\"", name);
}

static const char *rlimit_name(const struct process_rlimit *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(rlimit_names); i++) {
		if (rlimit_names[i].resource == r->resource)
			return rlimit_names[i].name;
	}
	return "resource limit";
}

static int limit_error(const struct process_rlimit *r, rlim_t hard, struct err *e)
{
	(void) err_sys(e, "setrlimit %s to %" PRIu64 ":%" PRIu64, rlimit_name(r),
		       (uint64_t) r->lim.rlim_cur, (uint64_t) r->lim.rlim_max);
	if (e->code == EPERM)
		return err_hint(e,
				"raising the hard limit (now %" PRIu64
				") needs CAP_SYS_RESOURCE",
				(uint64_t) hard);
	return -1;
}

/* The soft limit stays: it would bind init's own work. */
static int raise_hard(const struct process_rlimit *r, pid_t pid, struct err *e)
{
	struct rlimit now;

	if (prlimit(pid, (__rlimit_resource_t) r->resource, NULL, &now) < 0)
		return err_sys(e, "%s", rlimit_name(r));
	if (r->lim.rlim_max <= now.rlim_max)
		return 0;

	const struct rlimit up = { now.rlim_cur, r->lim.rlim_max };
	if (prlimit(pid, (__rlimit_resource_t) r->resource, &up, NULL) < 0)
		return limit_error(r, now.rlim_max, e);
	return 0;
}

static int set_oom_score(const struct process_spec *p, pid_t pid, struct err *e)
{
	char path[64], text[16];

	if (pid > 0)
		(void) snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int) pid);
	else
		(void) snprintf(path, sizeof(path), "/proc/self/oom_score_adj");
	(void) snprintf(text, sizeof(text), "%d", p->oom_score_adj);
	if (fd_write_file(AT_FDCWD, path, text, e) < 0) {
		(void) err_wrap(e, "oomScoreAdj %d", p->oom_score_adj);
		if (e->code == EACCES || e->code == EPERM)
			return err_hint(e, "lowering it needs CAP_SYS_RESOURCE");
		return -1;
	}
	return 0;
}

int process_prepare(const struct process_spec *p, pid_t pid, struct err *e)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		if (raise_hard(&p->rlimits[i], pid, e) < 0)
			return -1;
	}
	return p->has_oom_score_adj ? set_oom_score(p, pid, e) : 0;
}

int process_apply_rlimits(const struct process_spec *p, struct err *e)
{
	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct process_rlimit *r = &p->rlimits[i];
		struct rlimit now = { 0, 0 };

		(void) getrlimit((__rlimit_resource_t) r->resource, &now);
		if (setrlimit((__rlimit_resource_t) r->resource, &r->lim) < 0)
			return limit_error(r, now.rlim_max, e);
	}
	return 0;
}

/* ---- scheduling ---- */

/* The kernel's struct sched_attr, first version: its own header cannot stand beside libc's <sched.h>. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int scheduler_error(const struct process_scheduler *s, struct err *e)
{
	(void) err_sys(e, "scheduler");
	if (e->code == EPERM && s->policy == DEADLINE && caps_holds(SYS_NICE))
		return err_hint(
			e, "process scheduler can't be used together with AllowedCPUs "
			   "(linux.resources.cpu.cpus): SCHED_DEADLINE needs all processors");
	if (e->code == EPERM)
		return err_hint(e, "it needs CAP_SYS_NICE");
	if (e->code == EBUSY)
		return err_hint(e, "the processors have no bandwidth left for this deadline");
	return -1;
}

static int set_scheduler(const struct process_scheduler *s, struct err *e)
{
	struct scheduling a = {
		.size = sizeof(a),
		.policy = s->policy,
		.flags = s->flags,
		.nice = s->nice,
		.priority = (uint32_t) s->priority,
		.runtime = s->runtime,
		.deadline = s->deadline,
		.period = s->period,
	};

	return syscall(SYS_sched_setattr, 0, &a, 0) < 0 ? scheduler_error(s, e) : 0;
}

int process_apply_scheduler(const struct process_spec *p, struct err *e)
{
	if (p->scheduler.set && set_scheduler(&p->scheduler, e) < 0)
		return -1;
	if (p->has_ioprio &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS_, 0,
		    p->ioprio_class << IOPRIO_CLASS_SHIFT_ | p->ioprio_priority) < 0)
		return err_sys(e, "ioPriority");
	if (p->has_personality && personality(p->personality) < 0)
		return err_sys(e, "personality");
	return mempolicy_apply(&p->mempolicy, e);
}

/* ---- processors ---- */

int process_check_cpus(const char *list, struct err *e)
{
	unsigned long bits[CPU_WORDS] = { 0 };

	return str_to_bits(list, "processors", bits, CPUS_MAX, e);
}

static int set_cpus(const char *list, const char *what, struct err *e)
{
	unsigned long bits[CPU_WORDS] = { 0 };

	if (str_to_bits(list, what, bits, CPUS_MAX, e) < 0)
		return -1;
	if (syscall(SYS_sched_setaffinity, 0, sizeof(bits), bits) == 0)
		return 0;
	(void) err_sys(e, "process.execCPUAffinity.%s %s", what, list);
	if (e->code == EINVAL)
		return err_hint(
			e,
			"none of these processors is online and in the cgroup's cpuset.cpus");
	return -1;
}

int process_enter_cpus(const struct process_spec *p, struct err *e)
{
	unsigned long first = 0;

	if (!p->cpus_initial)
		return 0;
	if (set_cpus(p->cpus_initial, "initial", e) < 0)
		return -1;
	(void) syscall(SYS_sched_getaffinity, 0, sizeof(first), &first);
	log_debug("nsexec: affinity: 0x%lx", first);
	return 0;
}

int process_settle_cpus(const struct process_spec *p, struct err *e)
{
	unsigned long all[CPU_WORDS];

	if (p->cpus_final)
		return set_cpus(p->cpus_final, "final", e);
	if (p->cpus_initial)
		return 0;
	memset(all, 0xff, sizeof(all));
	/* Where it is refused the process has what its caller has. */
	if (syscall(SYS_sched_setaffinity, 0, sizeof(all), all) < 0)
		log_debug("the processors are those of the caller: %s", strerror(errno));
	return 0;
}

/* ---- user ---- */

static int id_error(const char *what, uint32_t id, struct err *e)
{
	if (errno == EINVAL)
		return err_set(e, EINVAL,
			       "%s %u is not mapped in the container's user namespace", what,
			       id);
	return err_sys(e, "%s %u", what, id);
}

static int set_groups(const struct process_user *u, struct err *e)
{
	if (u->keep_groups || setgroups(u->n_groups, u->groups) == 0)
		return 0;
	/* A user namespace of an ordinary user denies the call; nothing was to be added there. */
	if (errno == EPERM && u->n_groups == 0)
		return 0;
	return err_sys(e, "set %zu additional groups", u->n_groups);
}

int process_apply_user(const struct process_spec *p, struct err *e)
{
	const struct process_user *u = &p->user;

	if (set_groups(u, e) < 0)
		return -1;
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return id_error("gid", u->gid, e);
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return id_error("uid", u->uid, e);
	(void) umask(u->has_umask ? u->umask : UMASK_DEFAULT);
	return 0;
}

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* Looked at before it is opened for good: in an image it may be anything. */
static int open_own_null(struct stat *st)
{
	const int flags = O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	auto_close int look = open("/dev/null", O_PATH | flags);

	if (look < 0 || fstat(look, st) < 0 || !is_null(st))
		return FD_NONE;
	auto_close int fd = open("/dev/null", O_RDWR | flags);
	if (fd < 0 || fstat(fd, st) < 0 || !is_null(st))
		return FD_NONE;
	return take_fd(&fd);
}

/* The container's null device in place of the host's, whose mount is not in its tree: criu could not save it. Where it
 * has none the host's stays. */
static int exchange_null(const struct stat st[3], struct err *e)
{
	struct stat own;
	auto_close int null = open_own_null(&own);
	int fds[3];

	if (null < 0)
		return 0;
	for (int i = 0; i < 3; i++) {
		const bool same = st[i].st_dev == own.st_dev && st[i].st_ino == own.st_ino;

		fds[i] = is_null(&st[i]) && !same ? null : i;
	}
	return child_set_stdio(fds[0], fds[1], fds[2], e);
}

int process_own_stdio(const struct process_spec *p, struct err *e)
{
	struct stat st[3];
	bool any_null = false;

	for (int fd = 0; fd <= 2; fd++) {
		if (fstat(fd, &st[fd]) < 0)
			return err_sys(e, "descriptor %d", fd);
		if (is_null(&st[fd]))
			any_null = true;
		if (st[fd].st_uid == p->user.uid || is_null(&st[fd]))
			continue;
		/* EINVAL, EPERM: owned by an id that is not mapped, or not ours to give. EROFS: read-only. */
		if (fchown(fd, p->user.uid, (gid_t) -1) < 0 && errno != EINVAL &&
		    errno != EPERM && errno != EROFS)
			return err_sys(e, "owner of descriptor %d", fd);
	}
	return any_null ? exchange_null(st, e) : 0;
}

/* ---- working directory ---- */

int process_enter_cwd(const struct process_spec *p, struct err *e)
{
	char now[PATH_MAX];
	const char *cwd = p->cwd && p->cwd[0] != '\0' ? p->cwd : "/";

	if (chdir(cwd) < 0)
		return err_sys(e, "chdir to cwd (\"%s\") set in config.json", cwd);
	/* The kernel's own answer; the library's getcwd would search its way up from outside the root. */
	const long n = syscall(SYS_getcwd, now, sizeof(now));
	if (n < 0 && errno == ENOENT)
		return err_set(e, ENOENT,
			       "current working directory %s does not exist any more", cwd);
	if (n < 0)
		return err_sys(e, "current working directory");
	if (now[0] != '/')
		return err_set(
			e, EPERM,
			"current working directory %s is outside of the container's root", cwd);
	return 0;
}
