#include "images/erofs_tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

enum {
	MEMORY = 48 << 20,
	MAX_LINKS = 40, /* symlinks on the way of one name, as in the kernel */
	FIRST_SLOTS = 1024,
};

struct erofs_dir *erofs_dir(const struct erofs_tree *t, int64_t node)
{
	return (struct erofs_dir *) (void *) t->dirs.data + erofs_node(t, node)->nid;
}

static int check_memory(const struct erofs_tree *t, struct err *e)
{
	const size_t used = buf_len(&t->nodes) + buf_len(&t->dirs) + buf_len(&t->names) +
			    t->n_slots * sizeof(*t->slots) + t->extra;

	return used <= MEMORY
		       ? 0
		       : err_set(e, ENOBUFS,
				 "more names than an EROFS image is made with (%d MiB of them); "
				 "import with --format dir",
				 MEMORY >> 20);
}

static uint64_t hash_of(int64_t parent, const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ ((uint64_t) parent * 0x9e3779b97f4a7c15ULL);

	for (; *name; name++)
		h = (h ^ (uint8_t) *name) * 0x100000001b3ULL;
	return h ^ (h >> 29);
}

/* The slot that has the name, or the empty one where it would be. */
static size_t slot_of(const struct erofs_tree *t, int64_t parent, const char *name)
{
	size_t i = hash_of(parent, name) & (t->n_slots - 1);

	while (t->slots[i]) {
		const struct erofs_node *n = erofs_node(t, t->slots[i] - 1);

		if (n->parent == parent && strcmp(erofs_name(t, n), name) == 0)
			break;
		i = (i + 1) & (t->n_slots - 1);
	}
	return i;
}

static int grow(struct erofs_tree *t, struct err *e)
{
	const struct erofs_tree old = *t;

	t->n_slots = old.n_slots ? 2 * old.n_slots : FIRST_SLOTS;
	t->slots = calloc(t->n_slots, sizeof(*t->slots));
	if (!t->slots) {
		*t = old;
		return err_set(e, ENOMEM, "no memory for names");
	}
	for (size_t i = 0; i < old.n_slots; i++) {
		const struct erofs_node *n;

		if (!old.slots[i])
			continue;
		n = erofs_node(t, old.slots[i] - 1);
		t->slots[slot_of(t, n->parent, erofs_name(t, n))] = old.slots[i];
	}
	free(old.slots);
	return check_memory(t, e);
}

int64_t erofs_find(const struct erofs_tree *t, int64_t parent, const char *name)
{
	return (int64_t) t->slots[slot_of(t, parent, name)] - 1;
}

static int add_dir(struct erofs_tree *t, uint32_t node, struct err *e)
{
	const struct erofs_dir d = { .node = node, .mode = 0755, .mtime = t->made };

	return buf_append(&t->dirs, &d, sizeof(d), e);
}

int64_t erofs_put(struct erofs_tree *t, int64_t parent, const char *name, enum node_kind kind,
		  const char *link, struct err *e)
{
	const uint32_t at = (uint32_t) erofs_nodes(t);
	const struct erofs_node n = { .parent = (uint32_t) parent,
				      .name = (uint32_t) buf_len(&t->names),
				      .nid = kind == NODE_DIR ? erofs_dirs(t) : 0,
				      .kind = kind };
	size_t slot;

	if ((t->used + 1) * 4 > t->n_slots * 3 && grow(t, e) < 0)
		return -1;
	slot = slot_of(t, parent, name);
	if (buf_append(&t->names, name, strlen(name) + 1, e) < 0 ||
	    (link && buf_append(&t->names, link, strlen(link) + 1, e) < 0) ||
	    buf_append(&t->nodes, &n, sizeof(n), e) < 0 ||
	    (kind == NODE_DIR && add_dir(t, at, e) < 0) || check_memory(t, e) < 0)
		return -1;
	if (t->slots[slot])
		erofs_node(t, t->slots[slot] - 1)->dead = 1;
	else
		t->used++;
	t->slots[slot] = at + 1;
	return at;
}

bool erofs_is_gone(const struct erofs_tree *t, int64_t node)
{
	while (node != EROFS_ROOT && !erofs_node(t, node)->dead)
		node = erofs_node(t, node)->parent;
	return node != EROFS_ROOT;
}

int erofs_tree_init(struct erofs_tree *t, struct err *e)
{
	*t = (struct erofs_tree){ .nodes = BUF_LIMIT(MEMORY),
				  .dirs = BUF_LIMIT(MEMORY),
				  .names = BUF_LIMIT(MEMORY) };
	return grow(t, e) < 0 || erofs_put(t, EROFS_ROOT, "", NODE_DIR, NULL, e) < 0 ? -1 : 0;
}

void erofs_tree_fini(struct erofs_tree *t)
{
	struct erofs_dir *d = (struct erofs_dir *) (void *) t->dirs.data;

	for (size_t i = 0; i < erofs_dirs(t); i++)
		free(d[i].xattrs);
	free(t->slots);
	buf_fini(&t->nodes);
	buf_fini(&t->dirs);
	buf_fini(&t->names);
	*t = (struct erofs_tree){ 0 };
}

int erofs_dir_xattrs(struct erofs_tree *t, int64_t node, uint8_t *p, uint32_t n, struct err *e)
{
	struct erofs_dir *d = erofs_dir(t, node);

	free(d->xattrs);
	t->extra += n;
	t->extra -= d->n_xattrs;
	d->xattrs = p;
	d->n_xattrs = n;
	return check_memory(t, e);
}

/* ---- names that lead somewhere ---- */

struct walk {
	struct erofs_tree *t;
	bool make;
	unsigned links;
	char todo[2 * PATH_MAX + 2];
};

/* What stands at a component, made a directory if it may be; EROFS_NOTHING: a symlink, now first in todo. */
static int64_t enter(struct walk *w, int64_t dir, const char *name, const char *rest,
		     struct err *e)
{
	int64_t at = erofs_find(w->t, dir, name);
	const struct erofs_node *n = at < 0 ? NULL : erofs_node(w->t, at);
	char next[sizeof(w->todo)];
	const char *target;

	if (!n && !w->make)
		return err_set(e, ENOENT, "%.200s: %s", name, strerror(ENOENT));
	if (!n)
		return erofs_put(w->t, dir, name, NODE_DIR, NULL, e);
	if (n->kind == NODE_DIR)
		return at;
	if (n->kind == NODE_WHITEOUT && w->make) {
		at = erofs_put(w->t, dir, name, NODE_DIR, NULL, e);
		if (at >= 0)
			erofs_dir(w->t, at)->opaque = erofs_dir(w->t, at)->described = true;
		return at;
	}
	if (n->kind != NODE_SYMLINK)
		return err_set(e, ENOTDIR, "%.200s: %s", name, strerror(ENOTDIR));
	target = erofs_name(w->t, n) + strlen(name) + 1;
	if (++w->links > MAX_LINKS)
		return err_set(e, ELOOP, "%.200s: %s", name, strerror(ELOOP));
	if (snprintf(next, sizeof(next), "%s/%s", target, rest) >= (int) sizeof(next))
		return err_set(e, ENAMETOOLONG, "%.200s: %s", name, strerror(ENAMETOOLONG));
	memcpy(w->todo, next, sizeof(next));
	return *w->todo == '/' ? EROFS_ROOT : dir;
}

/* All of todo, as directories. */
static int64_t walk(struct walk *w, struct err *e)
{
	int64_t dir = EROFS_ROOT;

	for (;;) {
		char name[NAME_MAX + 1], *p = w->todo + strspn(w->todo, "/");
		const size_t n = strcspn(p, "/");
		const unsigned links = w->links;

		if (n == 0)
			return dir;
		if (n > NAME_MAX)
			return err_set(e, ENAMETOOLONG, "%.40s...: %s", p,
				       strerror(ENAMETOOLONG));
		memcpy(name, p, n);
		name[n] = '\0';
		if (strcmp(name, "..") == 0)
			dir = erofs_node(w->t, dir)->parent;
		else if (strcmp(name, ".") != 0)
			dir = enter(w, dir, name, p + n, e);
		if (dir < 0)
			return -1;
		if (links == w->links)
			memmove(w->todo, p + n, strlen(p + n) + 1);
	}
}

int64_t erofs_parent(struct erofs_tree *t, const char *path, bool make, char name[NAME_MAX + 1],
		     struct err *e)
{
	const char *slash = strrchr(path, '/');
	struct walk w = { .t = t, .make = make };

	/* Names come from tar.c: clean, no component too long. */
	snprintf(name, NAME_MAX + 1, "%s", slash ? slash + 1 : path);
	if (slash)
		snprintf(w.todo, sizeof(w.todo), "%.*s", (int) (slash - path), path);
	return walk(&w, e);
}
