/* state and list: what the state directories say. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/container.h"

enum { PASSWD_MAX = 1 << 20, LIST_MAX = 16 << 20 };

/* The name in the host's /etc/passwd, or "#uid". No NSS: this is a static program. */
static char *user_name(uint32_t uid)
{
	auto_buf struct buf text = BUF_LIMIT(PASSWD_MAX);
	struct err ignored = ERR_NONE; /* a number is answer enough */

	if (fd_read_file(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &text, &ignored) == 0) {
		char *save, *all = (char *) buf_str(&text);

		for (char *l = strtok_r(all, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
			char name[64];
			unsigned id;

			if (sscanf(l, "%63[^:]:%*[^:]:%u:", name, &id) == 2 && id == uid)
				return xstrdup(name);
		}
	}
	return xasprintf("#%u", uid);
}

static int view(struct container *c, struct state_view *v, struct err *e)
{
	struct state *s = c->state;

	*v = (struct state_view){
		.oci_version = s->oci_version,
		.id = s->id,
		.bundle = s->bundle,
		.rootfs = s->rootfs,
		.created = s->created,
		.annotations = s->annotations,
		.extended = true,
	};
	if (container_status(c, &v->status, e) < 0)
		return -1;
	v->pid = v->status == STATE_STOPPED ? 0 : s->pid;
	return 0;
}

int container_state(const struct container_env *env, const char *id, struct buf *out,
		    struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;
	struct state_view v;

	if (container_open(env, id, STATE_UNLOCKED, &c, e) < 0)
		return -1;
	if (!c.state)
		return err_set(e, ENOENT,
			       "container %s was left half-made by a runtime that was "
			       "killed; `delete --force` removes it",
			       id);
	if (view(&c, &v, e) < 0)
		return -1;
	auto_free char *owner = user_name(c.state->owner);
	v.owner = owner;
	return state_render(&v, true, out, e);
}

/* ---- list ---- */

enum { COLUMNS = 6, COLUMN_MIN = 12, COLUMN_GAP = 3 };

struct listing {
	enum list_format format;
	struct buf *out;
	struct json_writer *w;
	char **cells; /* of the table, row by row, NULL-terminated */
	size_t n_cells;
};

static void add_cell(struct listing *l, char *text)
{
	l->cells = realloc(l->cells, (l->n_cells + 2) * sizeof(*l->cells));
	if (!l->cells)
		abort();
	l->cells[l->n_cells++] = text;
	l->cells[l->n_cells] = NULL;
}

static void add_row(struct listing *l, const struct state_view *v)
{
	struct err ignored = ERR_NONE; /* more than the limit is cut off */

	switch (l->format) {
	case LIST_IDS:
		(void) buf_printf(l->out, &ignored, "%s\n", v->id);
		break;
	case LIST_TABLE:
		add_cell(l, xstrdup(v->id));
		add_cell(l, xasprintf("%d", (int) v->pid));
		add_cell(l, xstrdup(state_status_name(v->status)));
		add_cell(l, xstrdup(v->bundle));
		add_cell(l, xstrdup(v->created));
		add_cell(l, xstrdup(v->owner));
		break;
	case LIST_JSON:
		jw_object(l->w, NULL);
		state_render_fields(v, l->w);
		jw_close(l->w);
		break;
	}
}

/* Every column is as wide as its widest cell. */
static int print_table(const struct listing *l, struct err *e)
{
	static const char *const heads[COLUMNS] = { "ID",     "PID",	 "STATUS",
						    "BUNDLE", "CREATED", "OWNER" };
	int width[COLUMNS];

	for (size_t i = 0; i < COLUMNS; i++)
		width[i] = MAX((int) strlen(heads[i]) + COLUMN_GAP, (int) COLUMN_MIN);
	for (size_t i = 0; i < l->n_cells; i++)
		width[i % COLUMNS] =
			MAX(width[i % COLUMNS], (int) strlen(l->cells[i]) + COLUMN_GAP);
	for (size_t i = 0; i < COLUMNS + l->n_cells; i++) {
		const char *cell = i < COLUMNS ? heads[i] : l->cells[i - COLUMNS];
		const bool last = i % COLUMNS == COLUMNS - 1;

		if (buf_printf(l->out, e, "%-*s%s", last ? 0 : width[i % COLUMNS], cell,
			       last ? "\n" : "") < 0)
			return -1;
	}
	return 0;
}

/* A container that is gone before we look is none; a half-made one has no facts to show. */
static void list_one(const struct container_env *env, int root_fd, const char *id,
		     struct listing *l)
{
	auto_container struct container c = CONTAINER_NONE;
	struct err why = ERR_NONE;
	struct state_view v;

	c.dir_fd = state_dir_open(root_fd, id, STATE_UNLOCKED, &why);
	if (c.dir_fd < 0)
		return;
	const int r = state_load(c.dir_fd, &c.state, &why);
	if (r == 1)
		return;
	if (r < 0 || view(&c, &v, &why) < 0) {
		(void) err_wrap(&why, "container %s", id);
		env->warn(why.msg);
		return;
	}
	auto_free char *owner = l->format == LIST_IDS ? NULL : user_name(c.state->owner);
	v.owner = owner;
	add_row(l, &v);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The containers' ids, sorted. */
static int read_ids(int root_fd, char ***out, size_t *n, struct err *e)
{
	auto_strv char **ids = NULL;
	struct err not_one = ERR_NONE;
	size_t cap = 0;

	*n = 0;
	const int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(e, "read the state directory");
	for (struct dirent *d; (d = readdir(dir));) {
		if ((d->d_type != DT_DIR && d->d_type != DT_UNKNOWN) ||
		    state_id_check(d->d_name, &not_one) < 0)
			continue;
		if (*n + 2 > cap) {
			cap = cap ? cap * 2 : 16;
			ids = realloc(ids, cap * sizeof(*ids));
			if (!ids)
				abort();
		}
		ids[(*n)++] = xstrdup(d->d_name);
		ids[*n] = NULL;
	}
	(void) closedir(dir);
	if (*n)
		qsort(ids, *n, sizeof(*ids), compare_names);
	*out = take_ptr(&ids);
	return 0;
}

static void listing_fini(struct listing *l)
{
	util_free_strv(&l->cells);
}

int container_list(const struct container_env *env, enum list_format f, struct buf *out,
		   struct err *e)
{
	auto_json_writer struct json_writer *w =
		f == LIST_JSON ? json_writer_new(out, false) : NULL;
	auto_cleanup(listing_fini) struct listing l = { .format = f, .out = out, .w = w };
	auto_strv char **ids = NULL;
	size_t n = 0;

	auto_close int root_fd = state_root_open(env->root, false, e);
	if (root_fd < 0 && (env->root_given || e->code != ENOENT))
		return -1;
	*e = ERR_NONE;
	if (root_fd >= 0 && read_ids(root_fd, &ids, &n, e) < 0)
		return -1;
	if (w)
		jw_array(w, NULL);
	for (size_t i = 0; i < n; i++)
		list_one(env, root_fd, ids[i], &l);
	if (f == LIST_TABLE)
		return print_table(&l, e);
	if (!w)
		return 0;
	jw_close(w);
	return json_writer_end(w, e);
}

/* ---- processes and the freezer ---- */

static int open_running(const struct container_env *env, const char *id, struct container *c,
			enum state_status *status, struct err *e)
{
	if (container_open(env, id, STATE_SHARED, c, e) < 0 ||
	    container_status(c, status, e) < 0)
		return -1;
	if (*status == STATE_STOPPED || *status == STATE_CREATING)
		return err_set(e, ESRCH, "container not running");
	return 0;
}

int container_pids(const struct container_env *env, const char *id, pid_t **out, size_t *n,
		   struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;

	/* Also of a stopped one: without a pid namespace there may be some left. */
	if (container_open(env, id, STATE_SHARED, &c, e) < 0)
		return -1;
	if (!c.state)
		return err_set(e, ESRCH, "container not running");
	return container_need_cgroup(&c, e) < 0 ? -1 : cgroup_pids(c.cgroup, out, n, e);
}

int container_freeze(const struct container_env *env, const char *id, bool frozen,
		     struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;
	enum state_status status;

	if (open_running(env, id, &c, &status, e) < 0)
		return -1;
	if (frozen && status == STATE_PAUSED)
		return err_set(e, EINVAL, "container already paused");
	if (!frozen && status != STATE_PAUSED)
		return err_set(e, EINVAL, "container not paused");
	return cgroup_freeze(c.cgroup, frozen, e);
}
