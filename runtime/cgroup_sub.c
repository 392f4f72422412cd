/* exec in another cgroup than the container's own: below it by name, or where its init has gone. */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

enum { PROC_FILE_MAX = 65536 };

static bool leads_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2) {
		const bool starts = p == path || p[-1] == '/', ends = !p[2] || p[2] == '/';

		if (starts && ends)
			return true;
	}
	return false;
}

static void move_to(struct cgroup_hier *h, char *path)
{
	free(h->path);
	h->path = path;
	fd_close(&h->dir_fd);
	fd_close(&h->tasks_fd);
}

/* There it must be: a process of the container that is told to make one may have failed. */
static int move_below(struct cgroup_hier *h, const char *sub, struct err *e)
{
	auto_free char *joined = xasprintf("%s/%s", h->path, sub);

	move_to(h, path_clean(joined));
	if (cgroup_dir(h, e) < 0)
		return err_wrap(e, "adding pid of the new process to cgroups");
	return 0;
}

static bool hier_has(const struct cgroup_hier *h, const char *name, size_t n)
{
	for (const char *p = h->name; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

/* "cpu,cpuacct:PATH" */
static int select_controllers(struct cgroup *cg, const char *arg, const char *colon,
			      unsigned *taken, struct err *e)
{
	for (const char *name = arg; name <= colon; name += strcspn(name, ",:") + 1) {
		const size_t n = strcspn(name, ",:");
		size_t i = 0;

		while (i < cg->n && (cg->mode != CGROUP_V1 || !hier_has(&cg->h[i], name, n)))
			i++;
		if (n == 0 || i == cg->n)
			return err_set(e, EINVAL,
				       "unknown controller \"%.*s\": the container has none of "
				       "that name",
				       (int) MIN(n, 40u), name);
		/* Controllers that are mounted together may be named together. */
		if ((*taken & (1u << i)) && name > arg)
			continue;
		if (*taken & (1u << i))
			return err_set(e, EINVAL, "controller %.*s is given twice", (int) n,
				       name);
		*taken |= 1u << i;
		if (move_below(&cg->h[i], colon + 1, e) < 0)
			return -1;
	}
	return 0;
}

static int select_one(struct cgroup *cg, const char *arg, bool only, unsigned *taken,
		      struct err *e)
{
	const char *colon = strchr(arg, ':');
	const char *path = colon ? colon + 1 : arg;

	if (leads_up(path))
		return err_set(e, EINVAL, "bad sub cgroup path: it must not lead upwards");
	if (colon)
		return select_controllers(cg, arg, colon, taken, e);
	if (!only)
		return err_set(e, EINVAL,
			       "without a CONTROLLER: in front it must be the only --cgroup");
	for (size_t i = 0; i < cg->n; i++) {
		if (move_below(&cg->h[i], path, e) < 0)
			return -1;
	}
	return 0;
}

int cgroup_select(struct cgroup *cg, const char *const *args, struct err *e)
{
	const bool only = args[0] && !args[1];
	unsigned taken = 0;

	if (cg->n == 0)
		return err_set(e, EINVAL, "--cgroup %.200s: the container has no cgroup",
			       args[0]);
	for (; *args; args++) {
		if (select_one(cg, *args, only, &taken, e) < 0)
			return err_wrap(e, "--cgroup %.200s", *args);
	}
	return 0;
}

int cgroup_follow(struct cgroup *cg, pid_t pid, struct err *e)
{
	auto_free char *file = xasprintf("/proc/%d/cgroup", (int) pid);
	auto_buf struct buf text = BUF_LIMIT(PROC_FILE_MAX);
	char *save = NULL;

	if (cg->mode != CGROUP_V2 || cg->n != 1)
		return err_set(e, EINVAL, "only on cgroup v2 init decides where its cgroup is");
	if (fd_read_file(AT_FDCWD, file, PROC_FILE_MAX, &text, e) < 0)
		return -1;
	for (char *l = strtok_r((char *) buf_str(&text), "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save)) {
		if (!str_has_prefix(l, "0::/"))
			continue;
		if (leads_up(l + 3))
			return err_set(e, EXDEV,
				       "the container's init is in a cgroup outside of the "
				       "runtime's cgroup namespace");
		move_to(&cg->h[0], xasprintf("%s%s", CGROUP_ROOT, l + 3));
		return cgroup_dir(&cg->h[0], e) < 0 ? -1 : 0;
	}
	return err_set(e, ENOENT, "%s: no cgroup v2 line", file);
}
