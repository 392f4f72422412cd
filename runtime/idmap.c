#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

enum {
	ROWS_MAX = 340,	   /* the kernel's UID_GID_MAP_MAX_EXTENTS */
	ROW_TEXT_MAX = 40, /* three numbers of ten digits */
	HELPER_TIMEOUT_MS = 10000,
};

static bool overlap(uint32_t a, uint32_t b, uint32_t n_a, uint32_t n_b)
{
	return (uint64_t) a < (uint64_t) b + n_b && (uint64_t) b < (uint64_t) a + n_a;
}

static int check_row(const struct idmap *m, size_t i, const char *what, struct err *e)
{
	const struct idmap_row *r = &m->rows[i];

	if (r->count == 0)
		return err_set(e, EINVAL, "%s[%zu]: size is 0", what, i);
	/* 4294967295 is "no id" and never mapped. */
	if ((uint64_t) r->inside + r->count > UINT32_MAX ||
	    (uint64_t) r->outside + r->count > UINT32_MAX)
		return err_set(e, ERANGE, "%s[%zu]: %u:%u size %u goes beyond the last id",
			       what, i, r->inside, r->outside, r->count);
	for (size_t k = 0; k < i; k++) {
		const struct idmap_row *o = &m->rows[k];

		if (overlap(r->inside, o->inside, r->count, o->count) ||
		    overlap(r->outside, o->outside, r->count, o->count))
			return err_set(e, EINVAL, "%s[%zu]: overlaps row %zu", what, i, k);
	}
	return 0;
}

int idmap_check(const struct idmap *m, const char *what, struct err *e)
{
	if (m->n > ROWS_MAX)
		return err_set(e, E2BIG, "%s: %zu rows, the kernel takes %d", what, m->n,
			       ROWS_MAX);
	for (size_t i = 0; i < m->n; i++) {
		if (check_row(m, i, what, e) < 0)
			return -1;
	}
	return 0;
}

int idmap_to_outside(const struct idmap *m, uint32_t inside, uint32_t *out)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_row *r = &m->rows[i];

		if (inside >= r->inside && inside - r->inside < r->count) {
			*out = r->outside + (inside - r->inside);
			return 0;
		}
	}
	*out = (uint32_t) -1;
	return 1;
}

static int render(const struct idmap *m, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_row *r = &m->rows[i];

		if (buf_printf(out, e, "%u %u %u\n", r->inside, r->outside, r->count) < 0)
			return -1;
	}
	return 0;
}

/* The whole map in one write, as the kernel wants it. */
static int write_map(int proc_fd, const char *file, const struct idmap *m, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(ROWS_MAX * ROW_TEXT_MAX);

	if (render(m, &text, e) < 0 || fd_write_file(proc_fd, file, buf_str(&text), e) < 0)
		return err_wrap(e, "write %s", file);
	return 0;
}

/* newuidmap PID INSIDE OUTSIDE COUNT ...: the setuid helper that knows /etc/subuid. */
static int run_helper(const char *name, pid_t pid, const struct idmap *m, struct err *e)
{
	auto_strv char **argv = xalloc((m->n * 3 + 3) * sizeof(*argv));
	auto_free char *path = xasprintf("/usr/bin/%s", name);
	auto_buf struct buf output = BUF_LIMIT(4096);
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child_status status;
	size_t n = 0;

	argv[n++] = xstrdup(name);
	argv[n++] = xasprintf("%d", (int) pid);
	for (size_t i = 0; i < m->n; i++) {
		argv[n++] = xasprintf("%u", m->rows[i].inside);
		argv[n++] = xasprintf("%u", m->rows[i].outside);
		argv[n++] = xasprintf("%u", m->rows[i].count);
	}
	spec.path = path;
	spec.argv = argv;
	if (child_run(&spec, NULL, 0, NULL, &output, HELPER_TIMEOUT_MS, &status, e) < 0)
		return err_wrap(e, "%s (needed for more than one id; package uidmap)", name);
	if (status.signalled || status.code != 0)
		return err_set(e, EPERM, "%s: %s", name, buf_str(&output));
	return 0;
}

/* What the kernel lets anybody do: map the own id, one row of one id. */
static bool maps_only(const struct idmap *m, uint32_t own)
{
	return m->n == 1 && m->rows[0].count == 1 && m->rows[0].outside == own;
}

int idmap_write(pid_t pid, const struct idmap_spec *s, struct err *e)
{
	auto_free char *dir = xasprintf("/proc/%d", (int) pid);
	auto_close int proc_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const bool root = geteuid() == 0;

	if (proc_fd < 0)
		return err_sys(e, "open %s", dir);
	if (idmap_check(&s->uid, "uidMappings", e) < 0 ||
	    idmap_check(&s->gid, "gidMappings", e) < 0)
		return -1;

	if (root || maps_only(&s->uid, geteuid())) {
		if (write_map(proc_fd, "uid_map", &s->uid, e) < 0)
			return -1;
	} else if (run_helper("newuidmap", pid, &s->uid, e) < 0) {
		return -1;
	}
	if (!root && maps_only(&s->gid, getegid())) {
		/* Without it a process could drop a group that a file denies access to. */
		if (fd_write_file(proc_fd, "setgroups", "deny", e) < 0)
			return err_wrap(e, "write setgroups");
		return write_map(proc_fd, "gid_map", &s->gid, e);
	}
	if (!root)
		return run_helper("newgidmap", pid, &s->gid, e);
	return write_map(proc_fd, "gid_map", &s->gid, e);
}

int idmap_userns_fd(const struct idmap_spec *s, struct err *e)
{
	struct child holder = CHILD_NONE;
	char path[64];
	int fd = FD_NONE;
	const pid_t parent = getpid();
	const int r = child_clone(CLONE_NEWUSER, -1, &holder, e);

	if (r < 0)
		return err_wrap(e, "user namespace of an idmapped mount");
	if (r == 0) {
		/* It exists only to carry the namespace until our descriptor does, and not for longer than we. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			_exit(1);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	if (idmap_write(holder.pid, s, e) == 0) {
		(void) snprintf(path, sizeof(path), "/proc/%d/ns/user", (int) holder.pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			(void) err_sys(e, "open %s", path);
	}
	child_end(&holder);
	return fd;
}
