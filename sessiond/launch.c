#include "sessiond/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "sessiond/exec_run.h"
#include "sessiond/launch_internal.h"

static const char *const reason_names[] = {
	[LAUNCH_EXITED] = "exited",	[LAUNCH_SIGNALLED] = "signalled",
	[LAUNCH_OOM] = "oom",		[LAUNCH_IDLE] = "idle",
	[LAUNCH_LIFETIME] = "lifetime", [LAUNCH_DELETED] = "deleted",
	[LAUNCH_ERROR] = "error",	[LAUNCH_DETACHED] = "detached",
	[LAUNCH_POLICY] = "policy",
};

const char *launch_reason_name(enum launch_reason r)
{
	return (size_t) r < ARRAY_SIZE(reason_names) ? reason_names[r] : "error";
}

int launch_reason_parse(const char *s, enum launch_reason *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(reason_names); i++) {
		if (strcmp(s, reason_names[i]) != 0)
			continue;
		*out = (enum launch_reason) i;
		return 0;
	}
	return err_set(e, EINVAL, "\"%s\" is no reason of an end", s);
}

static bool id_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return !first && (c == '_' || c == '.' || c == '-');
}

bool launch_id_valid(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > 64)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!id_char(id[i], i == 0))
			return false;
	return true;
}

/* DIR/NAME, 0700, and its descriptor. */
static int make_dir(const char *dir, const char *name, struct err *e)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	auto_close int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", path);
	fd = open(path, O_DIRECTORY | O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", path);
	if (st.st_uid != geteuid() || (st.st_mode & 0022))
		return err_set(
			e, EPERM,
			"%s: belongs to another user or is writable by others (mode %o); "
			"name a directory of your own with --run-dir",
			path, (unsigned) st.st_mode & 07777);
	return take_fd(&fd);
}

/* Ranges that end below 2^32 - 1 and never hold the host's root. */
static int check_uids(const struct launch_config *c, struct err *e)
{
	uint64_t end = c->uid_base + (uint64_t) c->uid_count * c->uid_slots;

	if (c->uid_base == 0 || c->uid_count == 0 || c->uid_slots == 0)
		return err_set(e, EINVAL, "uid ranges: base, count and slots are above 0");
	if (end > UINT32_MAX)
		return err_set(e, EINVAL,
			       "uid ranges: %u ranges of %u ids from %u on end above 2^32",
			       c->uid_slots, c->uid_count, c->uid_base);
	return 0;
}

static int check_program(const char *path, struct err *e)
{
	if (path && access(path, X_OK) < 0)
		return err_sys(e, "program %s", path);
	return 0;
}

static int check_programs(const struct launch_config *c, struct err *e)
{
	if (check_program(c->image, e) < 0 || check_program(c->shim, e) < 0 ||
	    check_program(c->runtime, e) < 0 || check_program(c->init, e) < 0)
		return -1;
	return 0;
}

const char *launch_shim(const struct launch *l)
{
	return l->config.shim;
}

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void copy_config(struct launch *l, const struct launch_config *c)
{
	l->config = *c;
	l->config.run_dir = xstrdup(c->run_dir);
	l->config.store = dup_or_null(c->store);
	l->config.tiers = dup_or_null(c->tiers);
	l->config.volumes = dup_or_null(c->volumes);
	l->config.image = xstrdup(c->image);
	l->config.shim = xstrdup(c->shim);
	l->config.runtime = xstrdup(c->runtime);
	l->config.init = dup_or_null(c->init);
	l->config.seccomp = dup_or_null(c->seccomp);
	l->config.cgroup = dup_or_null(c->cgroup);
	l->config.recordings = dup_or_null(c->recordings);
	l->config.scanner = dup_or_null(c->scanner);
	l->config.policy_key = dup_or_null(c->policy_key);
	if (!l->config.ready_ms)
		l->config.ready_ms = 15000;
	l->sandboxes = xasprintf("%s/sandboxes", c->run_dir);
	l->uids = xasprintf("%s/uids", c->run_dir);
	l->runtime_root = xasprintf("%s/runtime", c->run_dir);
}

static int open_dirs(struct launch *l, struct err *e)
{
	const char *run = l->config.run_dir;

	if (mkdir(run, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", run);
	l->sandboxes_fd = make_dir(run, "sandboxes", e);
	if (l->sandboxes_fd < 0)
		return -1;
	l->uids_fd = make_dir(run, "uids", e);
	if (l->uids_fd < 0)
		return -1;
	l->templates_fd = make_dir(run, "templates", e);
	if (l->templates_fd < 0)
		return -1;
	l->runtime_fd = make_dir(run, "runtime", e);
	return l->runtime_fd < 0 ? -1 : 0;
}

int launch_new(struct loop *loop, const struct launch_config *config, struct launch **out,
	       struct err *e)
{
	struct launch *l;

	if (check_programs(config, e) < 0 || check_uids(config, e) < 0)
		return -1;
	l = xalloc(sizeof(*l));
	l->loop = loop;
	l->sandboxes_fd = l->uids_fd = l->templates_fd = l->runtime_fd = FD_NONE;
	copy_config(l, config);
	if (open_dirs(l, e) < 0) {
		launch_free(l);
		return -1;
	}
	*out = l;
	return 0;
}

int launch_open_findings(const struct launch *l, const char *id)
{
	auto_close int dir =
		openat(l->sandboxes_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return dir < 0 ? -1 : openat(dir, "policy.jsonl", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

void launch_free(struct launch *l)
{
	const struct launch_config *c;

	if (!l)
		return;
	launch_starts_end(l);
	launch_collects_end(l);
	exec_runs_forget(l);
	shim_calls_end(l);
	launch_templates_end(l);
	launch_volumes_end(l);
	launch_children_end(l);
	fd_close(&l->sandboxes_fd);
	fd_close(&l->uids_fd);
	fd_close(&l->templates_fd);
	fd_close(&l->runtime_fd);
	c = &l->config;
	const char *strings[] = { c->run_dir,	   c->store,	  c->tiers,	c->image,
				  c->shim,	   c->runtime,	  c->init,	c->seccomp,
				  c->cgroup,	   c->recordings, l->sandboxes, l->uids,
				  l->runtime_root, c->volumes,	  c->scanner,	c->policy_key };
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free((char *) strings[i]);
	free(l);
}
