/*
 * The container's /etc/passwd and /etc/group: files of the image, read with bounds, without NSS.
 *
 * They are opened inside the root, must be regular files (a FIFO would make us wait, a device could do
 * anything), are read up to a limit in one small buffer, and every number in them is parsed strictly.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/process.h"

enum {
	FILE_MAX = 8 << 20,
	LINE_MAX_ = 32 << 10, /* a longer line is passed over */
	FIELDS_MAX = 7,
	GROUPS_MAX = 1024,
	HOME_MAX = 1024,
};

/* ---- lines ---- */

struct lines {
	int fd;
	size_t total, head, tail;
	bool skip; /* inside a line that is too long */
	char buf[LINE_MAX_];
};

static void lines_close(struct lines *l)
{
	fd_close(&l->fd);
}
#define auto_lines auto_cleanup(lines_close)

static int lines_open(struct lines *l, int root_fd, const char *path, struct err *e)
{
	auto_close int node = path_open_in(root_fd, path, O_PATH, 0, e);
	struct stat st, again;

	/* All but the buffer, which is large and mostly stays untouched. */
	l->fd = FD_NONE;
	l->total = l->head = l->tail = 0;
	l->skip = false;
	if (node < 0)
		return err_wrap(e, "%s", path);
	if (fstat(node, &st) < 0)
		return err_sys(e, "%s: stat", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "the container's %s is not a regular file", path);

	auto_close int fd = path_open_in(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);
	if (fd < 0)
		return err_wrap(e, "%s", path);
	if (fstat(fd, &again) < 0 || again.st_dev != st.st_dev || again.st_ino != st.st_ino)
		return err_set(e, EAGAIN, "the container's %s changed while it was opened",
			       path);
	l->fd = take_fd(&fd);
	return 0;
}

static int lines_fill(struct lines *l, struct err *e)
{
	memmove(l->buf, l->buf + l->head, l->tail - l->head);
	l->tail -= l->head;
	l->head = 0;
	if (l->tail == sizeof(l->buf)) {
		l->skip = true;
		l->tail = 0;
	}

	const ssize_t n = read(l->fd, l->buf + l->tail, sizeof(l->buf) - l->tail);
	if (n < 0)
		return err_sys(e, "read");
	l->total += (size_t) n;
	if (l->total > FILE_MAX)
		return err_set(e, EFBIG, "larger than %d bytes", FILE_MAX);
	l->tail += (size_t) n;
	return n > 0;
}

/* 1: *line is the next one (NUL-terminated, until the next call); 0: end. */
static int lines_next(struct lines *l, char **line, struct err *e)
{
	for (;;) {
		char *nl = memchr(l->buf + l->head, '\n', l->tail - l->head);

		if (nl) {
			char *start = l->buf + l->head;

			*nl = '\0';
			l->head = (size_t) (nl - l->buf) + 1;
			if (!l->skip) {
				*line = start;
				return 1;
			}
			l->skip = false;
			continue;
		}
		const int r = lines_fill(l, e);
		if (r < 0)
			return -1;
		if (r == 0 && (l->tail == l->head || l->skip))
			return 0;
		if (r == 0) { /* the last line has no end */
			if (l->tail == sizeof(l->buf))
				return 0;
			l->buf[l->tail++] = '\n';
		}
	}
}

/* Cuts at ':' in place; returns the number of fields. */
static size_t split(char *line, char *field[FIELDS_MAX])
{
	char *p = line;
	size_t n = 0;

	while (p && n < FIELDS_MAX) {
		field[n++] = p;
		p = strchr(p, ':');
		if (p && n < FIELDS_MAX)
			*p++ = '\0';
	}
	return n;
}

static bool parse_id(const char *s, uint32_t *out)
{
	struct err ignored = ERR_NONE;

	return str_to_id(s, "id", out, &ignored) == 0;
}

/* ---- passwd ---- */

struct account {
	uint32_t uid, gid;
	char name[256], home[HOME_MAX];
};

/* Matches by name when name is not NULL, else by uid. 1: found. */
static int find_account(int root_fd, const char *name, uint32_t uid, struct account *out,
			struct err *e)
{
	auto_lines struct lines l;
	char *line, *f[FIELDS_MAX];
	int r;

	if (lines_open(&l, root_fd, "/etc/passwd", e) < 0)
		return -1;
	while ((r = lines_next(&l, &line, e)) > 0) {
		struct account a = { 0 };

		if (split(line, f) < 6 || !parse_id(f[2], &a.uid) || !parse_id(f[3], &a.gid))
			continue;
		if (name ? strcmp(f[0], name) != 0 : a.uid != uid)
			continue;
		if (strlen(f[0]) >= sizeof(a.name) || strlen(f[5]) >= sizeof(a.home))
			continue;
		memcpy(a.name, f[0], strlen(f[0]) + 1);
		memcpy(a.home, f[5], strlen(f[5]) + 1);
		*out = a;
		return 1;
	}
	return r < 0 ? err_wrap(e, "the container's /etc/passwd") : 0;
}

int process_home(uint32_t uid, int root_fd, char **out, struct err *e)
{
	struct err ignored = ERR_NONE;
	struct account a = { 0 };

	/* An image without accounts, or with a file that cannot be read, has no homes. */
	if (find_account(root_fd, NULL, uid, &a, &ignored) <= 0 || a.home[0] != '/')
		*out = xstrdup("/");
	else
		*out = xstrdup(a.home);
	return 0;
}

/* ---- group ---- */

struct groups {
	const char *member; /* collect the groups of this user */
	uint32_t *gids;
	size_t n;
	const char *name; /* or find this group */
	uint32_t found;
};

static bool has_member(char *list, const char *name)
{
	char *save = NULL;

	for (char *m = strtok_r(list, ",", &save); m; m = strtok_r(NULL, ",", &save)) {
		if (strcmp(m, name) == 0)
			return true;
	}
	return false;
}

static int add_group(struct groups *g, uint32_t gid, struct err *e)
{
	if (g->n == GROUPS_MAX)
		return err_set(e, E2BIG, "user %s is in more than %d groups", g->member,
			       GROUPS_MAX);
	g->gids[g->n++] = gid;
	return 0;
}

/* 1: the group of that name was found. */
static int read_groups(int root_fd, struct groups *g, struct err *e)
{
	auto_lines struct lines l;
	char *line, *f[FIELDS_MAX];
	int r;

	if (lines_open(&l, root_fd, "/etc/group", e) < 0)
		return -1;
	while ((r = lines_next(&l, &line, e)) > 0) {
		const size_t n = split(line, f);
		uint32_t gid;

		if (n < 3 || !parse_id(f[2], &gid))
			continue;
		if (g->name && strcmp(f[0], g->name) == 0) {
			g->found = gid;
			return 1;
		}
		if (g->member && n > 3 && has_member(f[3], g->member) &&
		    add_group(g, gid, e) < 0)
			return -1;
	}
	return r < 0 ? err_wrap(e, "the container's /etc/group") : 0;
}

/* ---- the grammar ---- */

/* Digits only means a number, in range or not: an account that is named "0" or "4294967296" is never looked
 * for. */
static bool is_number(const char *s)
{
	return s[0] != '\0' && s[strspn(s, "0123456789")] == '\0';
}

/* A name never begins like a signed number. */
static int check_name(const char *what, const char *s, struct err *e)
{
	if (s[0] == '\0')
		return err_set(e, EINVAL, "%s is empty", what);
	if (s[0] == '-' || s[0] == '+')
		return err_set(e, EINVAL, "%s \"%s\" is neither a number nor a name", what, s);
	return 0;
}

static int parse_group(const char *s, int root_fd, uint32_t *out, struct err *e)
{
	struct groups g = { .name = s };

	if (is_number(s))
		return str_to_id(s, "group", out, e);
	if (check_name("group", s, e) < 0)
		return -1;

	const int r = read_groups(root_fd, &g, e);
	if (r < 0)
		return -1;
	if (r == 0)
		return err_set(e, ENOENT, "no group \"%s\" in the container's /etc/group", s);
	*out = g.found;
	return 0;
}

/* A name brings its account's group and all groups that list it. */
static int parse_account(const char *name, int root_fd, struct process_user *out, struct err *e)
{
	auto_free uint32_t *gids = xalloc(GROUPS_MAX * sizeof(*gids));
	struct groups g = { .member = name, .gids = gids };
	struct account a;
	const int r = find_account(root_fd, name, 0, &a, e);

	if (r < 0)
		return -1;
	if (r == 0)
		return err_set(e, ENOENT, "no user \"%s\" in the container's /etc/passwd",
			       name);
	if (read_groups(root_fd, &g, e) < 0) {
		if (e->code != ENOENT)
			return -1;
		*e = ERR_NONE;
	}
	out->uid = a.uid;
	out->gid = a.gid;
	out->n_groups = g.n;
	out->groups = take_ptr(&gids);
	return 0;
}

int process_user_parse(const char *s, int root_fd, struct process_user *out, struct err *e)
{
	auto_free char *user = xstrdup(s);
	struct process_user u = *out;
	char *group = strchr(user, ':');
	int r;

	if (group)
		*group++ = '\0';
	if (is_number(user)) {
		r = str_to_id(user, "user", &u.uid, e);
		u.groups = NULL;
		u.n_groups = 0;
	} else if (check_name("user", user, e) < 0) {
		r = -1;
	} else {
		r = parse_account(user, root_fd, &u, e);
	}
	if (r == 0 && group) {
		r = parse_group(group, root_fd, &u.gid, e);
		if (r < 0)
			free((void *) (u.groups != out->groups ? u.groups : NULL));
	}
	if (r < 0)
		return err_wrap(e, "user \"%s\"", s);
	*out = u;
	return 0;
}

void process_user_fini(struct process_user *u)
{
	free((void *) u->groups);
	u->groups = NULL;
	u->n_groups = 0;
}
