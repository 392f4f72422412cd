#include "runtime/cgroup_systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_impl.h"
#include "runtime/sdbus.h"

enum { TEXT_MAX = 120 * 1024, ROOM = 4 };

/* ---- requests ---- */

static int begin(const char *op, bool user, const char *unit, uint64_t ms, struct buf *out,
		 struct err *e)
{
	return buf_printf(out, e, "%s\t%s\t%llu\t%s\n", op, user ? "user" : "system",
			  (unsigned long long) ms, unit);
}

static int ask(struct sdbus *bus, struct buf *text, uint64_t ms, struct buf *answer,
	       struct err *e)
{
	if (sdbus_ask(bus, buf_str(text), ms, answer, e) < 0)
		return err_wrap(e, "systemd cgroup driver");
	return 0;
}

/* A request of one line, by a helper of its own. */
static int ask_once(const char *op, bool user, const char *unit, struct buf *answer,
		    struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);
	struct sdbus bus = SDBUS_NONE;
	uint64_t ms;

	if (sdbus_timeout_ms(&ms, e) < 0 || begin(op, user, unit, ms, &text, e) < 0)
		return -1;
	const int r = ask(&bus, &text, ms, answer, e);
	sdbus_end(&bus);
	return r;
}

/* ---- making it ---- */

/* Root of a user namespace is an ordinary user to systemd. */
static bool in_user_namespace(void)
{
	auto_buf struct buf map = BUF_LIMIT(4096);
	struct err ignored = ERR_NONE;
	unsigned long inside, outside, count;
	char *end;

	if (fd_read_file(AT_FDCWD, "/proc/self/uid_map", 4096, &map, &ignored) < 0)
		return false;
	inside = strtoul(buf_str(&map), &end, 10);
	outside = strtoul(end, &end, 10);
	count = strtoul(end, &end, 10);
	return inside != 0 || outside != 0 || count != 4294967295UL;
}

int cgroup_systemd_plan(const struct cgroup_spec *s, struct unit_names *out, char **path,
			struct err *e)
{
	struct cgroup_spec as = *s;
	auto_buf struct buf where = BUF_LIMIT(PATH_MAX);
	struct unit_names names = { 0 };

	as.rootless = s->rootless || geteuid() != 0 || in_user_namespace();
	if (unit_names_choose(&as, &names, e) < 0)
		return -1;
	if (names.user && ask_once("where", true, "-", &where, e) < 0) {
		unit_names_fini(&names);
		return -1;
	}
	const char *top = buf_str(&where);
	top += strspn(top, "/");
	*path = *top ? xasprintf("%s/%s", top, names.path) : xstrdup(names.path);
	*out = names;
	return 0;
}

/* Whether the helper could take the container's place: beside the two there may be one more on the way there. */
static bool is_tight(const struct cgroup_resources *r)
{
	if (r->pids != CGROUP_UNSET && r->pids >= 0 && r->pids < ROOM)
		return true;
	for (size_t i = 0; i < r->n_unified; i++)
		if (strcmp(r->unified[i].key, "pids.max") == 0 &&
		    strtoull(r->unified[i].value, NULL, 10) < ROOM &&
		    !str_has_prefix(r->unified[i].value, "max"))
			return true;
	return false;
}

static int put_start(const struct cgroup_spec *s, const struct cgroup *cg, struct buf *out,
		     struct err *e)
{
	const bool slice = str_has_suffix(cg->unit->name, ".slice");
	const bool v2 = cg->mode == CGROUP_V2;
	bool dependencies;

	if (buf_printf(out, e, "p\ts\tDescription\tcarrel container %s\n", s->id) < 0 ||
	    unit_put_annotations(s->annotations, s->n_annotations, out, &dependencies, e) < 0)
		return -1;
	const int r = slice ? buf_printf(out, e, "p\tas\tWants\t%s\n", cg->slice)
			    : buf_printf(out, e, "p\ts\tSlice\t%s\np\tb\tDelegate\ttrue\n",
					 cg->slice);
	if (r < 0 || buf_printf(out, e,
				"p\tb\tCPUAccounting\ttrue\np\tb\tMemoryAccounting\ttrue\n"
				"p\tb\tTasksAccounting\ttrue\np\tb\t%sAccounting\ttrue\n",
				v2 ? "IO" : "BlockIO") < 0)
		return -1;
	if (!dependencies && buf_puts(out, "p\tb\tDefaultDependencies\tfalse\n", e) < 0)
		return -1;
	if (!cg->unit->user && unit_put_devices(&s->res, out, e) < 0)
		return -1;
	return unit_put_limits(&s->res, v2,
			       slice || !is_tight(&s->res) ? UNIT_ALL : UNIT_ALL_BUT_TASKS, out,
			       e);
}

/* The state names the directories already: systemd must mean the same ones. */
static int check_place(const char *told, const char *path, struct err *e)
{
	told += strspn(told, "/");
	if (strcmp(told, path) == 0)
		return 0;
	return err_set(e, EPROTO,
		       "systemd cgroup driver: the unit's control group is /%s, not /%s", told,
		       path);
}

/* A limit of processes that has to wait is moved from *res to the unit. */
static void set_tasks_aside(struct cgroup_unit *u, struct cgroup_resources *res)
{
	struct cgroup_pair *kept = xalloc((res->n_unified + 1) * sizeof(*kept));
	size_t n = 0;

	u->tasks = res->pids;
	res->pids = CGROUP_UNSET;
	for (size_t i = 0; i < res->n_unified; i++)
		if (strcmp(res->unified[i].key, "pids.max") == 0)
			u->pids_max = res->unified[i].value;
		else
			kept[n++] = res->unified[i];
	res->unified = kept;
	res->n_unified = n;
	u->kept = kept;
	u->others = *res;
}

int cgroup_systemd_start(const struct cgroup_spec *s, struct cgroup *cg,
			 struct cgroup_resources *res, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX), told = BUF_LIMIT(PATH_MAX);
	struct cgroup_unit *u = cg->unit;
	uint64_t ms;

	if (sdbus_timeout_ms(&ms, e) < 0 ||
	    begin("start", u->user, u->name, ms, &text, e) < 0 ||
	    put_start(s, cg, &text, e) < 0 || ask(&u->bus, &text, ms, &told, e) < 0)
		return -1;
	if (check_place(buf_str(&told), cg->path, e) < 0)
		return -1;
	cgroup_systemd_round(res);
	if (!str_has_suffix(u->name, ".slice") && is_tight(res))
		set_tasks_aside(u, res);
	return 0;
}

/* ---- putting the container's process inside ---- */

/* Whether this process may move children of its own there: it must be able to write in the group that is above
 * both (cgroups(7)). */
static bool may_move(const char *path)
{
	auto_buf struct buf own = BUF_LIMIT(PATH_MAX + 64);
	struct err ignored = ERR_NONE;
	const char *here, *target = path + strlen(CGROUP_ROOT);
	size_t common = 0;

	if (fd_read_file(AT_FDCWD, "/proc/self/cgroup", PATH_MAX, &own, &ignored) < 0 ||
	    !(here = strstr(buf_str(&own), "0::/")))
		return false;
	here += strlen("0::");
	for (size_t i = 0;; i++) {
		const bool end_here = !here[i] || here[i] == '\n';

		if ((end_here || here[i] == '/') && (!target[i] || target[i] == '/'))
			common = i;
		if (end_here || !target[i] || here[i] != target[i])
			break;
	}
	auto_free char *file =
		xasprintf("%s%.*s/cgroup.procs", CGROUP_ROOT, (int) common, target);
	return faccessat(AT_FDCWD, file, W_OK, AT_EACCESS) == 0;
}

bool cgroup_systemd_may_clone(const struct cgroup *cg)
{
	return cg->mode == CGROUP_V2 && may_move(cg->h[0].path);
}

static int attach(struct cgroup *cg, pid_t pid, uint64_t ms, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);

	if (cg->mode == CGROUP_V1) {
		for (size_t i = 0; i < cg->n; i++)
			if (cgroup_write_int(&cg->h[i], NULL, "cgroup.procs", pid, e) < 0)
				return -1;
		return 0;
	}
	if (cgroup_systemd_may_clone(cg))
		return 0; /* it was born there */
	/* An exec may be told a group below. */
	const char *below = strstr(cg->h[0].path, cg->unit->name);
	below = below ? below + strlen(cg->unit->name) : "";
	if (begin("attach", cg->unit->user, cg->unit->name, ms, &text, e) < 0 ||
	    buf_printf(&text, e, "pid\t%d\t%s\n", (int) pid, *below ? below : "/") < 0)
		return -1;
	return ask(&cg->unit->bus, &text, ms, NULL, e);
}

/* What set_tasks_aside kept back. */
static struct cgroup_resources tasks_of(const struct cgroup_unit *u, struct cgroup_pair *pair)
{
	struct cgroup_resources r = CGROUP_RESOURCES_UNSET;

	r.pids = u->tasks;
	if (u->pids_max) {
		*pair = (struct cgroup_pair){ "pids.max", u->pids_max };
		r.unified = pair;
		r.n_unified = 1;
	}
	return r;
}

static int set_tasks(struct cgroup *cg, uint64_t ms, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);
	struct cgroup_pair pair;
	const struct cgroup_resources r = tasks_of(cg->unit, &pair);
	const bool v2 = cg->mode == CGROUP_V2;

	if (r.pids == CGROUP_UNSET && r.n_unified == 0)
		return 0;
	if (begin("set", cg->unit->user, cg->unit->name, ms, &text, e) < 0 ||
	    unit_put_limits(&r, v2, UNIT_TASKS, &text, e) < 0 ||
	    ask(&cg->unit->bus, &text, ms, NULL, e) < 0)
		return -1;
	/* systemd wrote all of its files anew, some less exactly than we do. */
	if (cg->be->set(cg, &cg->unit->others, false, e) < 0)
		return -1;
	return cg->be->set(cg, &r, false, e);
}

bool cgroup_settles(const struct cgroup *cg)
{
	return cg && cg->unit &&
	       (cg->unit->bus.fd >= 0 ||
		(cg->mode == CGROUP_V2 && !cgroup_systemd_may_clone(cg)));
}

int cgroup_settle(struct cgroup *cg, pid_t pid, struct err *e)
{
	uint64_t ms;

	if (!cgroup_settles(cg))
		return 0;
	if (sdbus_timeout_ms(&ms, e) < 0 || attach(cg, pid, ms, e) < 0 ||
	    set_tasks(cg, ms, e) < 0)
		return -1;
	sdbus_end(&cg->unit->bus);
	return 0;
}

/* ---- later ---- */

/* The files say what is now: a period alone keeps the quota and the other way round, but systemd's quota is per second. */
static void complete_quota(const struct cgroup *cg, struct cgroup_cpu *c)
{
	struct err ignored = ERR_NONE;
	const struct cgroup_hier *h = cgroup_hier_of(cg, CTRL_CPU);
	char line[64], *end;

	if (c->period == CGROUP_UNSET && c->quota == CGROUP_UNSET)
		return;
	if (cg->mode == CGROUP_V2) {
		if (cgroup_read_line(&cg->h[0], "cpu.max", line, sizeof(line), &ignored) < 0)
			return;
		c->quota = -1;
		end = line + strcspn(line, " ");
		if (str_has_prefix(line, "max") == false)
			c->quota = strtoll(line, &end, 10);
		c->period = strtoll(end, NULL, 10);
		return;
	}
	if (!h || cgroup_read_int(h, "cpu.cfs_quota_us", &c->quota, &ignored) < 0)
		return;
	(void) cgroup_read_int(h, "cpu.cfs_period_us", &c->period, &ignored);
}

/* Swap is counted with memory by OCI and apart by systemd: a new amount of it alone needs the limit that holds. */
static void complete_swap(const struct cgroup *cg, struct cgroup_memory *m)
{
	struct err ignored = ERR_NONE;
	char line[64];

	if (cg->mode != CGROUP_V2 || m->swap <= 0 || m->limit != CGROUP_UNSET)
		return;
	if (cgroup_read_line(&cg->h[0], "memory.max", line, sizeof(line), &ignored) == 0 &&
	    strcmp(line, "max") != 0)
		m->limit = strtoll(line, NULL, 10);
}

static bool says_not_idle(const struct cgroup_resources *r)
{
	bool no = r->cpu.idle == 0;

	for (size_t i = 0; i < r->n_unified; i++) {
		if (strcmp(r->unified[i].key, "cpu.weight") == 0)
			return false;
		if (strcmp(r->unified[i].key, "cpu.idle") == 0)
			no = strcmp(r->unified[i].value, "1") != 0;
	}
	return no && r->cpu.shares <= 0;
}

/* systemd has one property for idle and weight. A group that is told to be no longer idle, without a word of its weight,
 * has the one of its file, which was written before. */
static int put_weight(const struct cgroup *cg, const struct cgroup_resources *r,
		      struct buf *text, struct err *e)
{
	struct err ignored = ERR_NONE;
	int64_t weight;

	if (cg->mode != CGROUP_V2 || !says_not_idle(r) ||
	    cgroup_read_int(&cg->h[0], "cpu.weight", &weight, &ignored) < 0)
		return 0;
	return buf_printf(text, e, "p\tt\tCPUWeight\t%" PRId64 "\n", weight);
}

int cgroup_systemd_update(struct cgroup *cg, struct cgroup_resources *r, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);
	size_t head;
	uint64_t ms;

	complete_quota(cg, &r->cpu);
	cgroup_systemd_round(r);
	struct cgroup_resources now = *r;
	complete_swap(cg, &now.memory);
	if (sdbus_timeout_ms(&ms, e) < 0 ||
	    begin("set", cg->unit->user, cg->unit->name, ms, &text, e) < 0)
		return -1;
	head = buf_len(&text);
	if (unit_put_limits(&now, cg->mode == CGROUP_V2, UNIT_ALL, &text, e) < 0 ||
	    put_weight(cg, &now, &text, e) < 0)
		return -1;
	if (buf_len(&text) == head)
		return 0;
	const int r2 = ask(&cg->unit->bus, &text, ms, NULL, e);
	sdbus_end(&cg->unit->bus);
	return r2;
}

int cgroup_systemd_stop(struct cgroup *cg, struct err *e)
{
	sdbus_end(&cg->unit->bus);
	return ask_once("stop", cg->unit->user, cg->unit->name, NULL, e);
}

struct cgroup_unit *cgroup_unit_new(const char *name, bool user)
{
	struct cgroup_unit *u = xalloc(sizeof(*u));

	*u = (struct cgroup_unit){
		.name = xstrdup(name), .user = user, .tasks = CGROUP_UNSET, .bus = SDBUS_NONE
	};
	return u;
}

void cgroup_unit_free(struct cgroup_unit *u)
{
	if (!u)
		return;
	sdbus_end(&u->bus);
	free(u->kept);
	free(u->name);
	free(u);
}

/* "unit user NAME" of the state text. */
int cgroup_unit_load(const char *line, struct cgroup_unit **out, struct err *e)
{
	const char *name = strrchr(line, ' ');
	const bool user = str_has_prefix(line, "unit user ");

	if ((!user && !str_has_prefix(line, "unit system ")) || !name ||
	    !unit_name_is_valid(name + 1))
		return err_set(e, EINVAL, "cgroup state: \"%s\" is no unit", line);
	*out = cgroup_unit_new(name + 1, user);
	return 0;
}
