#include "runtime/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"

enum { SCHEMATA_MAX = 64 << 10, STATUS_MAX = 1024 };

static const char groups[] = "mon_groups";

/* ---- what may be asked for ---- */

/* Names that resctrl has itself in its root. */
static const char *const reserved[] = {
	".",	 "..",	 "info",      "mon_groups", "mon_data", "schemata",
	"tasks", "cpus", "cpus_list", "mode",	    "size",
};

static int check_class(const char *name, const char *what, struct err *e)
{
	if (!name[0] || strpbrk(name, "/\n") || strlen(name) > NAME_MAX)
		return err_set(e, EINVAL, "%s \"%.64s\" is not the name of a directory", what,
			       name);
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		if (strcmp(reserved[i], name) == 0)
			return err_set(e, EINVAL, "%s \"%s\" is a name of resctrl's own", what,
				       name);
	}
	return 0;
}

/* A second line would set what nobody looked at. */
static int check_line(const char *line, const char *what, struct err *e)
{
	if (!line[0] || line[strcspn(line, "\n\r")] != '\0')
		return err_set(e, EINVAL, "%s must be one line", what);
	return 0;
}

int rdt_check(const struct rdt_spec *s, struct err *e)
{
	if (s->clos_id && check_class(s->clos_id, "closID", e) < 0)
		return -1;
	if (s->l3_cache && check_line(s->l3_cache, "l3CacheSchema", e) < 0)
		return -1;
	if (s->mem_bw && check_line(s->mem_bw, "memBwSchema", e) < 0)
		return -1;
	if (s->mem_bw && strncmp(s->mem_bw, "MB:", 3) != 0)
		return err_set(e, EINVAL,
			       "memBwSchema \"%.64s\" does not begin with MB:", s->mem_bw);
	for (const char *const *l = s->schemata; l && *l; l++) {
		if (check_line(*l, "schemata: each element", e) < 0)
			return -1;
	}
	return 0;
}

/* ---- files ---- */

/* The kernel says in one file what it did not like about the last request. */
static int rdt_error(int root_fd, struct err *e)
{
	auto_buf struct buf status = BUF_LIMIT(STATUS_MAX + 1);
	struct err ignored = ERR_NONE;
	const int code = e->code;

	if (fd_read_file(root_fd, "info/last_cmd_status", STATUS_MAX, &status, &ignored) == 0 &&
	    buf_len(&status) > 0) {
		auto_free char *text = buf_take_str(&status);

		text[strcspn(text, "\n")] = '\0';
		if (text[0] != '\0' && strcmp(text, "ok") != 0)
			(void) err_hint(e, "resctrl says: %s", text);
	}
	if (code == EINVAL)
		return err_hint(e, "info/ of resctrl shows what this host can do");
	return -1;
}

static int open_class(int root_fd, const char *clos, struct err *e)
{
	const int fd = openat(root_fd, clos, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "intelRdt: class %s", clos) : fd;
}

static int write_schemata(int root_fd, int class_fd, const char *text, struct err *e)
{
	if (fd_write_file(class_fd, "schemata", text, e) == 0)
		return 0;
	(void) err_wrap(e, "intelRdt: schemata");
	return rdt_error(root_fd, e);
}

/* The deprecated fields first: where both speak of one resource the newer one has the last word. */
static int apply_schemata(const struct rdt_spec *s, int root_fd, int class_fd, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(SCHEMATA_MAX);

	if ((s->l3_cache && buf_printf(&text, e, "%s\n", s->l3_cache) < 0) ||
	    (s->mem_bw && buf_printf(&text, e, "%s\n", s->mem_bw) < 0))
		return -1;
	for (const char *const *l = s->schemata; l && *l; l++) {
		if (buf_printf(&text, e, "%s\n", *l) < 0)
			return -1;
	}
	return buf_len(&text) == 0 ? 0 : write_schemata(root_fd, class_fd, buf_str(&text), e);
}

/* ---- a container's place ---- */

static bool wants_schemata(const struct rdt_spec *s)
{
	return s->l3_cache || s->mem_bw || (s->schemata && s->schemata[0]);
}

int rdt_plan(const struct rdt_spec *s, const char *id, struct rdt_place *out, struct err *e)
{
	const char *clos = s->clos_id ? s->clos_id : id;
	auto_close int root_fd = rdt_root_open(e);

	if (root_fd < 0)
		return err_wrap(e, "linux.intelRdt");
	if (check_class(clos, "the container's id", e) < 0)
		return err_wrap(e, "linux.intelRdt");

	const bool there = faccessat(root_fd, clos, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && !s->clos_id)
		return err_set(e, EEXIST,
			       "linux.intelRdt: there is a class \"%s\" already; name it by "
			       "closID to share it",
			       clos);
	if (!there && s->clos_id && !wants_schemata(s))
		return err_set(
			e, ENOENT,
			"linux.intelRdt.closID: no class \"%s\", and no schemata to make "
			"it from",
			clos);
	*out = (struct rdt_place){
		.set = true,
		.clos = clos,
		.id = id,
		.own = !s->clos_id,
		.monitoring = s->monitoring,
	};
	return 0;
}

/* *mine: it may not be there yet; cleared when it could not be made. */
static int make_dir(int root_fd, int dir_fd, const char *name, bool *mine, struct err *e)
{
	if (mkdirat(dir_fd, name, 0755) == 0 || (errno == EEXIST && !*mine))
		return 0;
	*mine = false;
	(void) err_sys(e, "intelRdt: make %s", name);
	if (e->code == ENOSPC)
		return err_hint(e, "all classes or monitors of this host are in use");
	return rdt_error(root_fd, e);
}

int rdt_make(const struct rdt_spec *s, struct rdt_place *p, int tasks[RDT_TASKS], struct err *e)
{
	auto_close int root_fd = rdt_root_open(e);

	tasks[0] = tasks[1] = FD_NONE;
	if (root_fd < 0)
		return err_wrap(e, "linux.intelRdt");
	if (make_dir(root_fd, root_fd, p->clos, &p->own, e) < 0)
		return -1;

	auto_close int class_fd = open_class(root_fd, p->clos, e);
	if (class_fd < 0 || apply_schemata(s, root_fd, class_fd, e) < 0)
		return -1;
	if (p->monitoring) {
		auto_close int groups_fd =
			openat(class_fd, groups, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (groups_fd < 0) {
			p->monitoring = false;
			(void) err_sys(e, "intelRdt: enableMonitoring: %s", groups);
			return err_hint(e, "this host cannot monitor");
		}
		if (make_dir(root_fd, groups_fd, p->id, &p->monitoring, e) < 0)
			return -1;
	}
	return rdt_open_tasks(p, tasks, e);
}

int rdt_open_tasks(const struct rdt_place *p, int tasks[RDT_TASKS], struct err *e)
{
	tasks[0] = tasks[1] = FD_NONE;
	if (!p->set)
		return 0;

	auto_close int root_fd = rdt_root_open(e);
	if (root_fd < 0)
		return err_wrap(e, "intelRdt");

	auto_close int class_fd = open_class(root_fd, p->clos, e);
	auto_free char *mon = xasprintf("%s/%s/tasks", groups, p->id);
	if (class_fd < 0)
		return -1;
	auto_close int own = openat(class_fd, "tasks", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (own < 0)
		return err_sys(e, "intelRdt: tasks of class %s", p->clos);
	if (p->monitoring) {
		tasks[1] = openat(class_fd, mon, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
		if (tasks[1] < 0)
			return err_sys(e, "intelRdt: %s of class %s", mon, p->clos);
	}
	tasks[0] = take_fd(&own);
	return 0;
}

int rdt_join_self(int tasks[RDT_TASKS], struct err *e)
{
	/* The class first: to leave it is to leave its groups. 0 is the writer itself. */
	for (int i = 0; i < RDT_TASKS; i++) {
		if (tasks[i] < 0)
			continue;
		if (write(tasks[i], "0", 1) != 1)
			return err_sys(e, "intelRdt: join the class");
		fd_close(&tasks[i]);
	}
	return 0;
}

int rdt_update(const struct rdt_place *p, const char *l3_cache, const char *mem_bw,
	       struct err *e)
{
	const struct rdt_spec s = { .l3_cache = l3_cache, .mem_bw = mem_bw };

	if (!wants_schemata(&s))
		return 0;
	if (rdt_check(&s, e) < 0)
		return -1;
	if (!p->set)
		return err_set(e, EINVAL,
			       "the container has no class of resctrl: it was made without "
			       "linux.intelRdt");

	auto_close int root_fd = rdt_root_open(e);
	if (root_fd < 0)
		return err_wrap(e, "intelRdt");
	auto_close int class_fd = open_class(root_fd, p->clos, e);
	return class_fd < 0 ? -1 : apply_schemata(&s, root_fd, class_fd, e);
}

static int remove_dir(int fd, const char *name, struct err *e)
{
	if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "intelRdt: remove %s", name);
}

int rdt_remove(const struct rdt_place *p, struct err *e)
{
	if (!p->set || (!p->own && !p->monitoring))
		return 0;

	struct err why = ERR_NONE;
	auto_close int root_fd = rdt_root_open(&why);
	/* Unmounted meanwhile: all classes went with it. */
	if (root_fd < 0 && why.code == ENOENT)
		return 0;
	if (root_fd < 0) {
		*e = why;
		return err_wrap(e, "remove the container's class of resctrl");
	}
	/* With the class go its monitoring groups. */
	auto_free char *mon = xasprintf("%s/%s/%s", p->clos, groups, p->id);
	return remove_dir(root_fd, p->own ? p->clos : mon, e);
}
