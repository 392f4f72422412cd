/*
 * The front of the control groups: which layout the host has and which path a container gets. What the files are called
 * is the back ends' business (cgroup_v1.c, cgroup_v2.c), the state text cgroup_text.c's.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_systemd.h"

const char *const cgroup_ctrl_names[CTRL_COUNT] = {
	[CTRL_CPUSET] = "cpuset",     [CTRL_DEVICES] = "devices",
	[CTRL_MEMORY] = "memory",     [CTRL_CPUACCT] = "cpuacct",
	[CTRL_PIDS] = "pids",	      [CTRL_BLKIO] = "blkio",
	[CTRL_HUGETLB] = "hugetlb",   [CTRL_NET_CLS] = "net_cls",
	[CTRL_NET_PRIO] = "net_prio", [CTRL_PERF_EVENT] = "perf_event",
	[CTRL_FREEZER] = "freezer",   [CTRL_RDMA] = "rdma",
	[CTRL_MISC] = "misc",	      [CTRL_SYSTEMD] = "systemd",
	[CTRL_UNIFIED] = "unified",   [CTRL_CPU] = "cpu",
};

static const char *const ctrl_fields[CTRL_COUNT] = {
	[CTRL_CPUSET] = "cpu.cpus",
	[CTRL_DEVICES] = "devices",
	[CTRL_MEMORY] = "memory",
	[CTRL_PIDS] = "pids",
	[CTRL_BLKIO] = "blockIO",
	[CTRL_HUGETLB] = "hugepageLimits",
	[CTRL_CPU] = "cpu",
	[CTRL_NET_CLS] = "network.classID",
	[CTRL_NET_PRIO] = "network.priorities",
	[CTRL_RDMA] = "rdma",
};

const char *cgroup_ctrl_field(enum cgroup_ctrl c)
{
	return ctrl_fields[c] ? ctrl_fields[c] : cgroup_ctrl_names[c];
}

struct cgroup_hier *cgroup_hier_of(const struct cgroup *cg, enum cgroup_ctrl c)
{
	for (size_t i = 0; i < cg->n; i++)
		if (cg->h[i].ctrls & (1u << c))
			return (struct cgroup_hier *) &cg->h[i];
	return NULL;
}

struct cgroup_hier *cgroup_main_hier(const struct cgroup *cg)
{
	struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_FREEZER);

	if (!h && cg->n)
		h = (struct cgroup_hier *) &cg->h[0];
	return h;
}

unsigned cgroup_needs(const struct cgroup_resources *r)
{
	const struct cgroup_memory *m = &r->memory;
	const struct cgroup_cpu *c = &r->cpu;
	const int64_t memory[] = { m->limit, m->swap, m->reservation, m->kernel_tcp,
				   m->swappiness };
	const int64_t cpu[] = { c->shares, c->quota,	  c->period,   c->burst,
				c->idle,   c->rt_runtime, c->rt_period };
	unsigned need = 0;

	/* 0 is what engines write for "not given", and what a controller that is absent does anyway. */
	for (size_t i = 0; i < ARRAY_SIZE(memory); i++)
		if (memory[i] != CGROUP_UNSET && memory[i] != 0)
			need |= 1u << CTRL_MEMORY;
	if (m->disable_oom_killer > 0 || m->swappiness == 0)
		need |= 1u << CTRL_MEMORY;
	for (size_t i = 0; i < ARRAY_SIZE(cpu); i++)
		if (cpu[i] != CGROUP_UNSET && cpu[i] != 0)
			need |= 1u << CTRL_CPU;
	if ((c->cpus && *c->cpus) || (c->mems && *c->mems))
		need |= 1u << CTRL_CPUSET;
	if (r->pids != CGROUP_UNSET)
		need |= 1u << CTRL_PIDS;
	if (r->n_hugetlb)
		need |= 1u << CTRL_HUGETLB;
	if (cgroup_blkio_given(&r->blkio))
		need |= 1u << CTRL_BLKIO;
	if (r->n_rdma)
		need |= 1u << CTRL_RDMA;
	if (r->network.class_id != CGROUP_UNSET && r->network.class_id != 0)
		need |= 1u << CTRL_NET_CLS;
	if (r->network.n_priorities)
		need |= 1u << CTRL_NET_PRIO;
	return need;
}

int cgroup_check_memory(const struct cgroup_memory *m, bool fresh, struct err *e)
{
	bool limited = m->limit != CGROUP_UNSET && m->limit != 0 && m->limit != -1;

	if (m->swap == CGROUP_UNSET || m->swap == 0 || m->swap == -1)
		return 0;
	if (m->swap < 0)
		return err_set(e, EINVAL, "linux.resources.memory.swap: %lld is no amount",
			       (long long) m->swap);
	if (!fresh && m->limit == CGROUP_UNSET)
		return 0;
	if (!limited)
		return err_set(e, EINVAL,
			       "linux.resources.memory.swap: unable to set swap limit without "
			       "memory limit (it counts memory + swap)");
	if (m->swap < m->limit)
		return err_set(e, EINVAL,
			       "linux.resources.memory.swap: memory+swap limit should be >= "
			       "memory limit (%lld < %lld)",
			       (long long) m->swap, (long long) m->limit);
	return 0;
}

int cgroup_check_usage(const struct cgroup_memory *m, int64_t usage, int64_t with_swap,
		       struct err *e)
{
	if (m->swap > 0 && m->swap <= with_swap)
		return err_set(e, EBUSY,
			       "linux.resources.memory.swap: rejecting memory+swap limit %lld: "
			       "%lld are in use",
			       (long long) m->swap, (long long) with_swap);
	if (m->limit > 0 && m->limit <= usage)
		return err_set(e, EBUSY,
			       "linux.resources.memory.limit: rejecting memory limit %lld: "
			       "%lld are in use",
			       (long long) m->limit, (long long) usage);
	return 0;
}

int cgroup_check_page_size(const char *s, struct err *e)
{
	size_t digits = strspn(s, "0123456789");

	/* It becomes a part of a file's name. */
	if (digits == 0 || digits > 12 || s[0] == '0' || !s[digits] ||
	    !strchr("KMG", s[digits]) || strcmp(s + digits + 1, "B") != 0)
		return err_set(
			e, EINVAL,
			"linux.resources.hugepageLimits: \"%s\" is no page size such as 2MB",
			s);
	return 0;
}

int cgroup_host_mode(enum cgroup_mode *out, struct err *e)
{
	struct statfs fs;

	if (statfs(CGROUP_ROOT, &fs) < 0)
		return err_sys(e, "statfs %s", CGROUP_ROOT);
	/* A hybrid host looks like v1 here: its unified mount lies below, and what it carries is ignored. */
	*out = (uint32_t) fs.f_type == CGROUP2_SUPER_MAGIC ? CGROUP_V2 : CGROUP_V1;
	return 0;
}

/* The directory relative to a hierarchy's root: cleaned as text, so that ".." stops at that root. */
static int choose_path(const struct cgroup_spec *s, struct unit_names *names, char **out,
		       struct err *e)
{
	if (s->driver == CGROUP_DRIVER_SYSTEMD)
		return cgroup_systemd_plan(s, names, out, e);

	auto_free char *raw = xasprintf("/%s", s->path && *s->path ? s->path : s->id);
	auto_free char *clean = path_clean(raw);

	if (!clean || !clean[0] || strcmp(clean, "/") == 0)
		return err_set(e, EINVAL,
			       "linux.cgroupsPath: \"%s\" must name a cgroup below the root",
			       s->path ? s->path : "");
	if (strpbrk(clean, "\n\t "))
		return err_set(e, EINVAL,
			       "linux.cgroupsPath: \"%s\" must not contain white space", clean);
	*out = xstrdup(clean + 1);
	return 0;
}

void cgroup_set_backend(struct cgroup *cg, enum cgroup_mode mode)
{
	static const struct cgroup_backend *const rows[] = {
		[CGROUP_V1] = &cgroup_v1,
		[CGROUP_V2] = &cgroup_v2,
		[CGROUP_DISABLED] = NULL,
	};

	cg->mode = mode;
	cg->be = rows[mode];
}

void cgroup_disable(struct cgroup *cg)
{
	cgroup_set_backend(cg, CGROUP_DISABLED);
}

struct cgroup *cgroup_new(enum cgroup_mode mode)
{
	struct cgroup *cg = xalloc(sizeof(*cg));

	cgroup_set_backend(cg, mode);
	for (size_t i = 0; i < CTRL_COUNT; i++)
		cg->h[i].dir_fd = cg->h[i].tasks_fd = FD_NONE;
	return cg;
}

void cgroup_drop(struct cgroup *cg, size_t i)
{
	struct cgroup_hier *h = &cg->h[i];

	free(h->name);
	free(h->path);
	fd_close(&h->dir_fd);
	fd_close(&h->tasks_fd);
	memmove(h, h + 1, (cg->n - i - 1) * sizeof(*h));
	cg->n--;
	cg->h[cg->n] = (struct cgroup_hier){ .dir_fd = FD_NONE, .tasks_fd = FD_NONE };
}

void cgroup_free(struct cgroup *cg)
{
	if (!cg)
		return;
	while (cg->n > 0)
		cgroup_drop(cg, cg->n - 1);
	cgroup_unit_free(cg->unit);
	free(cg->slice);
	free(cg->path);
	free(cg);
}

void cgroup_free_ptr(struct cgroup **cg)
{
	int saved = errno;

	cgroup_free(*cg);
	*cg = NULL;
	errno = saved;
}

/* A cgroup that was there before us must be empty and running: its processes would share our limits, and
 * a frozen one would stop our child before it could say why. */
static int check_reused(struct cgroup *cg, struct err *e)
{
	struct cgroup_hier *h = cgroup_main_hier(cg);
	auto_free pid_t *pids = NULL;
	bool frozen = false;
	size_t n = 0;

	if (!h || h->made)
		return 0;
	if (cgroup_pids(cg, &pids, &n, e) < 0)
		return -1;
	if (n > 0)
		return err_set(e, EBUSY,
			       "container's cgroup is not empty: %zu process(es) found in %s",
			       n, h->path);
	if (cgroup_is_frozen(cg, &frozen, e) < 0)
		return -1;
	if (frozen)
		return err_set(e, EBUSY, "container's cgroup unexpectedly frozen (%s)",
			       h->path);
	return 0;
}

/* Takes back what a failed create made; its error is on its way already. */
static void unmake(struct cgroup *cg)
{
	for (size_t i = cg->n; i-- > 0;)
		if (cg->h[i].made)
			(void) rmdir(cg->h[i].path);
}

/* A container in a user namespace looks into its groups, whatever the umask of the runtime's caller. */
static int open_readable(const struct cgroup_spec *s, struct cgroup *cg, struct err *e)
{
	const mode_t callers = umask(022);
	const int r = cg->be->open(s, cg, e);

	(void) umask(callers);
	return r;
}

static int fill(const struct cgroup_spec *s, struct cgroup *cg, struct err *e)
{
	if (open_readable(s, cg, e) < 0)
		return -1;
	if (cg->n == 0) {
		cgroup_disable(cg);
		return 0;
	}
	/* What is in a unit's place was looked at before the unit was started. */
	if (!cg->unit && check_reused(cg, e) < 0)
		return -1;
	return cg->be->set(cg, &s->res, true, e);
}

/* Before a unit is started: what is in its place would share its limits, or freeze the helper that enters it. A slice has
 * containers of its own. */
static int check_unit_place(struct cgroup *cg, struct err *e)
{
	if (str_has_suffix(cg->path, ".slice"))
		return 0;
	const int r = check_reused(cg, e);

	/* Those that the unit gets may be others. */
	for (size_t i = 0; i < cg->n; i++)
		fd_close(&cg->h[i].dir_fd);
	return r;
}

static int make(const struct cgroup_spec *s, struct cgroup *cg, struct err *e)
{
	struct cgroup_spec in_files = *s;

	if (cg->be->check(&s->res, e) < 0 || cgroup_check_memory(&s->res.memory, true, e) < 0)
		return -1;
	if (cg->unit &&
	    (check_unit_place(cg, e) < 0 || cgroup_systemd_start(s, cg, &in_files.res, e) < 0))
		return -1;
	if (fill(&in_files, cg, e) < 0) {
		unmake(cg);
		return -1;
	}
	return 0;
}

int cgroup_create(const struct cgroup_spec *s, struct cgroup **plan, struct cgroup **out,
		  struct err *e)
{
	struct cgroup *cg = *plan;

	if (!cg->be && (cgroup_needs(&s->res) || s->res.n_unified))
		return err_set(e, EINVAL,
			       "linux.resources: cannot set limits without cgroups (the cgroup "
			       "manager is \"disabled\")");
	if (cg->be && make(s, cg, e) < 0)
		return -1;
	*out = take_ptr(plan);
	return 0;
}

int cgroup_plan(const struct cgroup_spec *s, struct cgroup **out, struct err *e)
{
	auto_cleanup(cgroup_free_ptr) struct cgroup *cg = NULL;
	auto_cleanup(unit_names_fini) struct unit_names names = { 0 };
	auto_free char *path = NULL;
	enum cgroup_mode mode = CGROUP_DISABLED;

	if (s->driver == CGROUP_DRIVER_NONE) {
		*out = cgroup_new(CGROUP_DISABLED);
		return 0;
	}
	if (choose_path(s, &names, &path, e) < 0 || cgroup_host_mode(&mode, e) < 0)
		return -1;
	cg = cgroup_new(mode);
	cg->path = take_ptr(&path);
	if (names.unit) {
		cg->unit = cgroup_unit_new(names.unit, names.user);
		cg->slice = take_ptr(&names.slice);
	}
	if (cg->be->plan(cg, e) < 0)
		return -1;
	*out = take_ptr(&cg);
	return 0;
}

int cgroup_update(struct cgroup *cg, const struct cgroup_resources *r, struct err *e)
{
	if (!cg->be) {
		if (!cgroup_needs(r) && !r->n_unified)
			return 0;
		return err_set(e, EINVAL, "cannot set limits: the container has no cgroup");
	}
	if (cg->be->check(r, e) < 0 || cgroup_check_memory(&r->memory, false, e) < 0)
		return -1;
	if (!cg->unit)
		return cg->be->set(cg, r, false, e);
	struct cgroup_resources exact = *r;
	/* The files first: they refuse what cannot be, before anything is changed. And last. */
	if (cg->be->set(cg, r, false, e) < 0 || cgroup_systemd_update(cg, &exact, e) < 0)
		return -1;
	return cg->be->set(cg, &exact, false, e);
}

int cgroup_clone_fd(const struct cgroup *cg, int *fd, struct err *e)
{
	const struct cgroup_hier *h = NULL;
	struct err why = ERR_NONE;

	*fd = -1;

	if (cg && cg->mode == CGROUP_V2 && cg->n) {
		if (cg->unit && !cgroup_systemd_may_clone(cg))
			return 0;
		h = &cg->h[0];
	} else if (cg && cg->mode == CGROUP_V1) {
		h = cgroup_hier_of(cg, CTRL_UNIFIED);
	}
	if (!h)
		return 0;
	*fd = cgroup_dir(h, &why);
	/* Beside v1 it may be planned and never made, as for cgroup_join_self. */
	if (*fd >= 0 || (cg->mode == CGROUP_V1 && why.code == ENOENT))
		return 0;
	*e = why;
	return -1;
}

enum cgroup_mode cgroup_mode(const struct cgroup *cg)
{
	return cg->mode;
}
