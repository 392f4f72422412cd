#include "images/erofs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "images/erofs_internal.h"
#include "images/tar.h"
#include "images/whiteout.h"

int erofs_new(int fd, bool skip_devices, struct erofs **out, struct err *e)
{
	auto_erofs struct erofs *w = xalloc(sizeof(*w));

	w->skip_devices = skip_devices;
	w->parent = EROFS_NOTHING;
	w->out.fd = fd;
	w->out.next = 1; /* block 0: superblock and root */
	w->out.top = EROFS_BLOCK;
	if (erofs_tree_init(&w->tree, e) < 0)
		return -1;
	*out = take_ptr(&w);
	return 0;
}

void erofs_free_ptr(struct erofs **w)
{
	if (!*w)
		return;
	erofs_tree_fini(&(*w)->tree);
	free((*w)->parent_path);
	free(*w);
	*w = NULL;
}

static void forget_parent(struct erofs *w)
{
	free(take_ptr(&w->parent_path));
	w->parent = EROFS_NOTHING;
}

static int64_t find_parent(struct erofs *w, const char *path, char name[NAME_MAX + 1],
			   struct err *e)
{
	const char *slash = strrchr(path, '/');
	const size_t n = slash ? (size_t) (slash - path) : 0;

	if (w->parent_path && strlen(w->parent_path) == n &&
	    memcmp(w->parent_path, path, n) == 0) {
		snprintf(name, NAME_MAX + 1, "%s", slash ? slash + 1 : path);
		return w->parent;
	}
	forget_parent(w);
	w->parent = erofs_parent(&w->tree, path, true, name, e);
	if (w->parent >= 0)
		w->parent_path = xstrndup(path, n);
	return w->parent;
}

/* Under the entry's name, instead of what is there; then other names may lead elsewhere than before. */
static int64_t put(struct erofs *w, const char *path, enum node_kind kind, const char *link,
		   struct err *e)
{
	char name[NAME_MAX + 1];
	const int64_t parent = find_parent(w, path, name, e);
	int64_t old;

	if (parent < 0)
		return -1;
	old = erofs_find(&w->tree, parent, name);
	if (old >= 0 || kind == NODE_SYMLINK)
		forget_parent(w);
	return erofs_put(&w->tree, parent, name, kind, link, e);
}

static struct inode inode_of(const struct tar_entry *en, mode_t type)
{
	return (struct inode){ .mode = (uint16_t) (type | en->mode),
			       .uid = en->uid,
			       .gid = en->gid,
			       .links = 1,
			       .mtime = en->mtime };
}

static int set_node(struct erofs *w, int64_t node, uint64_t nid, const struct inode *i)
{
	struct erofs_node *n = erofs_node(&w->tree, node);

	n->nid = nid;
	n->extended = inode_extended(w, i);
	return nid ? 0 : -1;
}

/* ---- files ---- */

/* Whole blocks go to their place, the end behind the inode. Stretches come in any order; holes are not written. */
static int write_content(struct erofs *w, struct tar *t, const struct inode *i, uint8_t *tail,
			 struct err *e)
{
	const uint64_t whole = i->inlined ? i->size / EROFS_BLOCK * EROFS_BLOCK : i->size;
	const uint64_t start = (uint64_t) i->place * EROFS_BLOCK;
	uint64_t offset;
	const void *p;
	size_t n;
	int r;

	while ((r = tar_data(t, &p, &n, &offset, e)) == 1) {
		const size_t outside = offset < whole ? (size_t) MIN(n, whole - offset) : 0;

		if (outside > 0 && erofs_out_write(&w->out, start + offset, p, outside, e) < 0)
			return -1;
		if (outside < n && tail)
			memcpy(tail + (offset + outside - whole), (const uint8_t *) p + outside,
			       n - outside);
	}
	return r;
}

/* An inode with more attributes than go into a block has all of its content outside. */
static uint64_t add_file(struct erofs *w, struct tar *t, struct inode *i, struct err *e)
{
	uint64_t blocks = (i->size + EROFS_BLOCK - 1) / EROFS_BLOCK, nid;
	uint8_t *p;

	i->inlined = i->size % EROFS_BLOCK != 0;
	if (inode_bytes(w, i) > EROFS_BLOCK)
		i->inlined = false;
	else if (i->inlined)
		blocks--;
	if (blocks > 0 && erofs_out_alloc(&w->out, blocks, &i->place, e) < 0)
		return 0;
	if (inode_bytes(w, i) > EROFS_BLOCK)
		return write_content(w, t, i, NULL, e) < 0 ? 0 : inode_add(w, i, NULL, e);
	w->inodes++;
	nid = inode_room(w, inode_bytes(w, i), &p, e);
	if (!nid)
		return 0;
	inode_encode(w, i, p);
	if (write_content(w, t, i, p + inode_bytes(w, i) - i->size % EROFS_BLOCK, e) < 0)
		return 0;
	return nid;
}

static int make_file(struct erofs *w, struct tar *t, const struct tar_entry *en, struct err *e)
{
	struct inode i = inode_of(en, S_IFREG);
	auto_free uint8_t *xattrs = NULL;
	const int64_t node = put(w, en->path, NODE_FILE, NULL, e);

	if (node < 0)
		return -1;
	w->stats.files++;
	i.size = en->size;
	if (erofs_xattrs(w, t, EROFS_HAS_ALL, &xattrs, &i.n_xattrs, e) < 0)
		return -1;
	i.xattrs = xattrs;
	return set_node(w, node, add_file(w, t, &i, e), &i);
}

static int make_hardlink(struct erofs *w, struct tar *t, const struct tar_entry *en,
			 struct err *e)
{
	char name[NAME_MAX + 1];
	const int64_t from = erofs_parent(&w->tree, en->link, false, name, e);
	const int64_t source = from < 0 ? -1 : erofs_find(&w->tree, from, name);
	struct erofs_node was;
	int64_t parent, node;

	if (from < 0)
		return err_wrap(e, "hard link to %.200s", en->link);
	if (source < 0)
		return err_set(e, ENOENT, "hard link to %.200s: %s", en->link,
			       strerror(ENOENT));
	was = *erofs_node(&w->tree, source);
	if (was.kind != NODE_FILE)
		return err_set(e, EINVAL, "hard link to %.200s: that is no regular file",
			       en->link);
	parent = find_parent(w, en->path, name, e);
	if (parent < 0)
		return -1;
	node = erofs_find(&w->tree, parent, name);
	if (node >= 0 && erofs_node(&w->tree, node)->kind == NODE_FILE &&
	    erofs_node(&w->tree, node)->nid == was.nid)
		return 0; /* a link to itself */
	erofs_node(&w->tree, source)->linked = 1;
	node = put(w, en->path, NODE_FILE, NULL, e);
	if (node < 0)
		return -1;
	if (erofs_is_gone(&w->tree, source))
		return err_set(e, ENOENT,
			       "hard link to %.200s: it lies in what the link replaces",
			       en->link);
	w->stats.links++;
	erofs_node(&w->tree, node)->nid = was.nid;
	erofs_node(&w->tree, node)->extended = was.extended;
	erofs_node(&w->tree, node)->linked = 1;
	return 0;
}

/* ---- the others ---- */

static int make_symlink(struct erofs *w, struct tar *t, const struct tar_entry *en,
			struct err *e)
{
	struct inode i = inode_of(en, S_IFLNK);
	auto_free uint8_t *xattrs = NULL;
	const int64_t node = put(w, en->path, NODE_SYMLINK, en->link, e);

	if (node < 0)
		return -1;
	w->stats.links++;
	i.mode = S_IFLNK | 0777;
	i.size = strlen(en->link);
	if (erofs_xattrs(w, t, EROFS_HAS_NONE, &xattrs, &i.n_xattrs, e) < 0)
		return -1;
	return set_node(w, node, inode_add(w, &i, en->link, e), &i);
}

static int make_fifo(struct erofs *w, struct tar *t, const struct tar_entry *en, struct err *e)
{
	struct inode i = inode_of(en, S_IFIFO);
	auto_free uint8_t *xattrs = NULL;
	const int64_t node = put(w, en->path, NODE_FIFO, NULL, e);

	if (node < 0 || erofs_xattrs(w, t, EROFS_HAS_ACLS, &xattrs, &i.n_xattrs, e) < 0)
		return -1;
	i.xattrs = xattrs;
	return set_node(w, node, inode_add(w, &i, NULL, e), &i);
}

static int make_device(struct erofs *w, struct tar *t, const struct tar_entry *en,
		       struct err *e)
{
	if (!w->skip_devices)
		return err_set(e, EINVAL,
			       "a device node; images may not bring any (import with "
			       "--skip-devices to leave them out)");
	w->stats.skipped_devices++;
	return 0;
}

/* A whiteout of the same layer says that the lower directory's content is gone, which an opaque directory says as
 * well. */
static int64_t find_dir(struct erofs *w, const char *path, struct err *e)
{
	char name[NAME_MAX + 1];
	int64_t parent, old, node;
	bool opaque;

	if (!*path)
		return EROFS_ROOT;
	parent = find_parent(w, path, name, e);
	if (parent < 0)
		return -1;
	old = erofs_find(&w->tree, parent, name);
	if (old >= 0 && erofs_node(&w->tree, old)->kind == NODE_DIR)
		return old;
	opaque = old >= 0 && erofs_node(&w->tree, old)->kind == NODE_WHITEOUT;
	node = put(w, path, NODE_DIR, NULL, e);
	if (node >= 0)
		erofs_dir(&w->tree, node)->opaque = opaque;
	return node;
}

static int make_dir(struct erofs *w, struct tar *t, const struct tar_entry *en, struct err *e)
{
	const int64_t node = find_dir(w, en->path, e);
	uint8_t *xattrs = NULL;
	uint32_t n = 0;
	struct erofs_dir *d;

	if (node < 0 || erofs_xattrs(w, t, EROFS_HAS_ALL, &xattrs, &n, e) < 0)
		return -1;
	w->stats.dirs++;
	d = erofs_dir(&w->tree, node);
	d->described = true;
	d->mode = (uint16_t) en->mode;
	d->uid = en->uid;
	d->gid = en->gid;
	d->mtime = en->mtime;
	return erofs_dir_xattrs(&w->tree, node, xattrs, n, e);
}

static int (*const makers[])(struct erofs *, struct tar *, const struct tar_entry *,
			     struct err *) = {
	[TAR_FILE] = make_file,		[TAR_DIR] = make_dir,	[TAR_SYMLINK] = make_symlink,
	[TAR_HARDLINK] = make_hardlink, [TAR_FIFO] = make_fifo, [TAR_CHAR] = make_device,
	[TAR_BLOCK] = make_device,
};

/* ---- whiteouts ---- */

static int whiteout(struct erofs *w, const char *path, const char *gone, struct err *e)
{
	struct inode i = { .mode = S_IFCHR, .links = 1, .mtime = w->tree.made };
	char name[NAME_MAX + 1];
	const int64_t parent = find_parent(w, path, name, e);
	int64_t node;

	if (parent < 0)
		return -1;
	node = erofs_find(&w->tree, parent, gone);
	/* This layer's own file hides the lower one by itself; its own directory has to say so. */
	if (node >= 0 && erofs_node(&w->tree, node)->kind == NODE_DIR)
		erofs_dir(&w->tree, node)->opaque = true;
	if (node >= 0)
		return 0;
	node = erofs_put(&w->tree, parent, gone, NODE_WHITEOUT, NULL, e);
	return node < 0 ? -1 : set_node(w, node, inode_add(w, &i, NULL, e), &i);
}

static int apply_whiteout(struct erofs *w, const struct tar_entry *en, int kind,
			  const char *gone, struct err *e)
{
	char name[NAME_MAX + 1];
	int64_t dir;

	if (en->kind != TAR_FILE)
		return err_set(e, EINVAL, "a whiteout has to be a regular file");
	w->stats.whiteouts++;
	if (kind == WHITEOUT_FILE)
		return whiteout(w, en->path, gone, e);
	dir = find_parent(w, en->path, name, e);
	if (dir < 0)
		return -1;
	erofs_dir(&w->tree, dir)->opaque = true;
	return 0;
}

int erofs_entry(struct erofs *w, struct tar *t, const struct tar_entry *en, struct err *e)
{
	const char *gone = NULL;
	int kind = whiteout_classify(en->path, &gone, e), r;

	if (kind < 0)
		return -1;
	if (!w->begun) { /* what has this time needs less room */
		w->begun = true;
		if (en->mtime.tv_sec >= 0)
			w->tree.made = en->mtime;
		erofs_dir(&w->tree, EROFS_ROOT)->mtime = w->tree.made;
	}
	if (kind != WHITEOUT_NONE)
		r = apply_whiteout(w, en, kind, gone, e);
	else if (!*en->path && en->kind != TAR_DIR)
		r = err_set(e, EINVAL, "it would replace the root directory");
	else
		r = makers[en->kind](w, t, en, e);
	if (r < 0)
		return err_wrap(e, "entry %.200s", *en->path ? en->path : "/");
	return 0;
}
