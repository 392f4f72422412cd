/*
 * The end of an image: who is still there, how often a file is named, the directories, the superblock.
 *
 * Directories refer to each other by number, so all of them get their places before the first one is written.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "images/erofs_internal.h"
#include "images/implied.h"

enum {
	ROOT_AT = EROFS_SUPER_AT + sizeof(struct erofs_super), /* the root's inode */
	ROOT_ROOM = EROFS_BLOCK - ROOT_AT,
	ENTRY = sizeof(struct erofs_dirent),
};

struct finish {
	struct erofs *w;
	uint32_t *order; /* live nodes without the root, by parent, then name */
	size_t n;
	uint8_t head[EROFS_BLOCK]; /* block 0 */
};

/* ---- who is there ---- */

/* A node's parent was made before it. */
static void bury(struct erofs_tree *t)
{
	for (size_t i = 1; i < erofs_nodes(t); i++) {
		struct erofs_node *n = erofs_node(t, (int64_t) i);

		n->dead = n->dead || erofs_node(t, n->parent)->dead;
	}
}

static int by_name(const void *a, const void *b, void *arg)
{
	const struct erofs_tree *t = arg;
	const struct erofs_node *x = erofs_node(t, *(const uint32_t *) a);
	const struct erofs_node *y = erofs_node(t, *(const uint32_t *) b);

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return strcmp(erofs_name(t, x), erofs_name(t, y));
}

static int by_nid(const void *a, const void *b, void *arg)
{
	const struct erofs_tree *t = arg;
	const uint64_t x = erofs_node(t, *(const uint32_t *) a)->nid;
	const uint64_t y = erofs_node(t, *(const uint32_t *) b)->nid;

	return x < y ? -1 : x > y;
}

static void collect(struct finish *f, bool links_only)
{
	struct erofs_tree *t = &f->w->tree;

	f->n = 0;
	for (size_t i = 1; i < erofs_nodes(t); i++) {
		const struct erofs_node *n = erofs_node(t, (int64_t) i);

		if (!n->dead && (n->linked || !links_only))
			f->order[f->n++] = (uint32_t) i;
	}
	qsort_r(f->order, f->n, sizeof(*f->order), links_only ? by_nid : by_name, t);
}

/* ---- files with several names ---- */

static int write_links(struct erofs *w, const struct erofs_node *n, uint64_t links,
		       struct err *e)
{
	const uint64_t at = n->nid * EROFS_SLOT;
	const uint32_t wide = htole32((uint32_t) links);
	const uint16_t narrow = htole16((uint16_t) links);

	if (n->extended)
		return erofs_out_write(&w->out, at + offsetof(struct erofs_extended, links),
				       &wide, sizeof(wide), e);
	if (links > UINT16_MAX)
		return err_set(e, EMLINK, "a file with more than 65535 names");
	return erofs_out_write(&w->out, at + offsetof(struct erofs_compact, links), &narrow,
			       sizeof(narrow), e);
}

static int count_links(struct finish *f, struct err *e)
{
	const struct erofs_tree *t = &f->w->tree;

	collect(f, true);
	for (size_t i = 0, j; i < f->n; i = j) {
		const struct erofs_node *n = erofs_node(t, f->order[i]);

		for (j = i + 1; j < f->n && erofs_node(t, f->order[j])->nid == n->nid; j++)
			;
		if (j - i > 1 && write_links(f->w, n, j - i, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- directories ---- */

/* The i-th of a directory's names in their order, in which "." and ".." have their place like any other. */
struct cursor {
	const struct finish *f;
	const struct erofs_dir *d;
	uint32_t next;
	unsigned dots;
};

static bool next_name(struct cursor *c, const char **name, const struct erofs_node **node)
{
	static const char *const dots[] = { ".", ".." };
	const struct erofs_tree *t = &c->f->w->tree;

	*node = c->next < c->d->n ? erofs_node(t, c->f->order[c->d->first + c->next]) : NULL;
	*name = *node ? erofs_name(t, *node) : NULL;
	if (c->dots < 2 && (!*name || strcmp(dots[c->dots], *name) < 0)) {
		*name = dots[c->dots++];
		*node = erofs_node(t, c->d->node);
		if (c->dots == 2)
			*node = erofs_node(t, (*node)->parent);
		return true;
	}
	c->next++;
	return *name != NULL;
}

static uint64_t size_of(const struct finish *f, const struct erofs_dir *d)
{
	struct cursor c = { .f = f, .d = d };
	const struct erofs_node *node;
	uint64_t blocks = 0;
	size_t used = 0;
	const char *name;

	while (next_name(&c, &name, &node)) {
		const size_t n = ENTRY + strlen(name);

		if (used + n > EROFS_BLOCK) {
			blocks++;
			used = 0;
		}
		used += n;
	}
	return blocks * EROFS_BLOCK + used;
}

static struct inode dir_inode(const struct finish *f, const struct erofs_dir *d)
{
	return (struct inode){ .mode = (uint16_t) (S_IFDIR | d->mode),
			       .uid = d->uid,
			       .gid = d->gid,
			       .links = 2 + d->subdirs,
			       .place = d->block,
			       .size = d->size,
			       .mtime = d->mtime,
			       .xattrs = d->xattrs,
			       .n_xattrs = d->n_xattrs,
			       .inlined = d->inlined };
}

/* Where the inode goes: the root into block 0, where its number is small enough for the superblock. */
static int place_inode(struct finish *f, struct erofs_dir *d, size_t n, struct err *e)
{
	uint8_t *p;
	uint32_t block;

	if (d->node == EROFS_ROOT) {
		d->nid = ROOT_AT / EROFS_SLOT;
		return 0;
	}
	if (n <= EROFS_BLOCK) {
		d->nid = inode_room(f->w, n, &p, e);
		return d->nid ? 0 : -1;
	}
	if (erofs_out_alloc(&f->w->out, (n + EROFS_BLOCK - 1) / EROFS_BLOCK, &block, e) < 0)
		return -1;
	d->nid = (uint64_t) block * (EROFS_BLOCK / EROFS_SLOT);
	return 0;
}

static int place_dir(struct finish *f, struct erofs_dir *d, struct err *e)
{
	const size_t room = d->node == EROFS_ROOT ? ROOT_ROOM : EROFS_BLOCK;
	struct inode i;
	uint64_t blocks;

	if (d->opaque && erofs_mark_opaque(&d->xattrs, &d->n_xattrs, e) < 0)
		return -1;
	d->size = size_of(f, d);
	d->inlined = d->size % EROFS_BLOCK != 0;
	i = dir_inode(f, d);
	if (inode_bytes(f->w, &i) > room)
		d->inlined = i.inlined = false;
	if (d->node == EROFS_ROOT && inode_bytes(f->w, &i) > room)
		return err_set(e, ENOBUFS,
			       "the root directory's extended attributes do not fit into an "
			       "EROFS image; import with --format dir");
	blocks = (d->size + EROFS_BLOCK - 1) / EROFS_BLOCK - d->inlined;
	if (blocks > 0 && erofs_out_alloc(&f->w->out, blocks, &d->block, e) < 0)
		return -1;
	f->w->inodes++;
	return place_inode(f, d, inode_bytes(f->w, &i), e);
}

static uint64_t nid_of(const struct finish *f, const struct erofs_node *n)
{
	const struct erofs_dir *dirs = (const void *) f->w->tree.dirs.data;

	return n->kind == NODE_DIR ? dirs[n->nid].nid : n->nid;
}

static const uint8_t types[] = {
	[NODE_DIR] = EROFS_DIR,	  [NODE_FILE] = EROFS_FILE,	[NODE_SYMLINK] = EROFS_SYMLINK,
	[NODE_FIFO] = EROFS_FIFO, [NODE_WHITEOUT] = EROFS_CHAR,
};

/* The next block's names, as many as fit; returns how many bytes it has. */
static size_t fill_block(struct cursor *c, uint8_t *block)
{
	struct cursor ahead = *c;
	const struct erofs_node *node;
	size_t n = 0, used = 0, names;
	const char *name;

	for (struct cursor save = ahead; next_name(&ahead, &name, &node); save = ahead) {
		if (used + ENTRY + strlen(name) > EROFS_BLOCK) {
			ahead = save;
			break;
		}
		used += ENTRY + strlen(name);
		n++;
	}
	names = n * ENTRY;
	for (size_t i = 0; i < n; i++) {
		struct erofs_dirent x = { 0 };

		(void) next_name(c, &name, &node);
		x.nid = htole64(nid_of(c->f, node));
		x.name_at = htole16((uint16_t) names);
		x.type = types[node->kind];
		memcpy(block + i * ENTRY, &x, sizeof(x));
		for (; *name; name++) /* without a NUL: the next one's place ends it */
			block[names++] = (uint8_t) *name;
	}
	return used;
}

static int write_at(struct finish *f, uint64_t at, const void *p, size_t n, struct err *e)
{
	if (at < EROFS_BLOCK) { /* the root's: with the superblock */
		memcpy(f->head + at, p, n);
		return 0;
	}
	return erofs_out_write(&f->w->out, at, p, n, e);
}

static int write_dir(struct finish *f, const struct erofs_dir *d, struct err *e)
{
	const struct inode i = dir_inode(f, d);
	const size_t whole = inode_bytes(f->w, &i);
	const size_t tail = d->inlined ? d->size % EROFS_BLOCK : 0;
	auto_free uint8_t *p = xalloc(whole);
	uint64_t at = (uint64_t) d->block * EROFS_BLOCK;
	struct cursor c = { .f = f, .d = d };

	for (uint64_t left = d->size - tail; left > 0;) {
		uint8_t block[EROFS_BLOCK] = { 0 };

		(void) fill_block(&c, block);
		if (write_at(f, at, block, sizeof(block), e) < 0)
			return -1;
		at += EROFS_BLOCK;
		left -= MIN(left, (uint64_t) EROFS_BLOCK);
	}
	inode_encode(f->w, &i, p);
	if (tail > 0) {
		uint8_t block[EROFS_BLOCK] = { 0 };

		(void) fill_block(&c, block);
		memcpy(p + whole - tail, block, tail);
	}
	return write_at(f, d->nid * EROFS_SLOT, p, whole, e);
}

/* Which of the order are a directory's, and how many of them are directories. */
static void share_out(struct finish *f)
{
	const struct erofs_tree *t = &f->w->tree;

	for (size_t i = 0; i < f->n; i++) {
		const struct erofs_node *n = erofs_node(t, f->order[i]);
		struct erofs_dir *d = erofs_dir(t, n->parent);

		if (d->n++ == 0)
			d->first = (uint32_t) i;
		d->subdirs += n->kind == NODE_DIR;
	}
}

static int for_dirs(struct finish *f,
		    int (*what)(struct finish *, struct erofs_dir *, struct err *),
		    struct err *e)
{
	const struct erofs_tree *t = &f->w->tree;

	for (size_t i = 0; i < erofs_dirs(t); i++) {
		struct erofs_dir *d = (struct erofs_dir *) (void *) t->dirs.data + i;

		if (!erofs_node(t, d->node)->dead && what(f, d, e) < 0)
			return -1;
	}
	return 0;
}

static int write_one(struct finish *f, struct erofs_dir *d, struct err *e)
{
	return write_dir(f, d, e);
}

static int mark_implied(struct finish *f, struct erofs_dir *d, struct err *e)
{
	if (d->described || d->node == EROFS_ROOT)
		return 0;
	d->mtime = IMPLIED_MTIME;
	f->w->stats.implied++;
	return 0;
}

/* ---- the superblock ---- */

/* CRC-32C as the kernel counts: not inverted at the end. */
static uint32_t checksum(const uint8_t *p, size_t n)
{
	uint32_t c = ~0U;

	while (n-- > 0) {
		c ^= *p++;
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0x82F63B78U : 0);
	}
	return c;
}

static int write_super(struct finish *f, struct err *e)
{
	struct erofs *w = f->w;
	struct erofs_super s = {
		.magic = htole32(EROFS_MAGIC),
		.feature_compat = htole32(EROFS_COMPAT_CHECKSUM | EROFS_COMPAT_MTIME),
		.block_bits = EROFS_BLOCK_BITS,
		.root_nid = htole16(ROOT_AT / EROFS_SLOT),
		.inodes = htole64(w->inodes),
		.build_time = htole64((uint64_t) w->tree.made.tv_sec),
		.build_time_ns = htole32((uint32_t) w->tree.made.tv_nsec),
		.blocks = htole32(w->out.next),
	};

	memcpy(f->head + EROFS_SUPER_AT, &s, sizeof(s));
	s.checksum = htole32(checksum(f->head + EROFS_SUPER_AT, EROFS_BLOCK - EROFS_SUPER_AT));
	memcpy(f->head + EROFS_SUPER_AT, &s, sizeof(s));
	if (erofs_out_flush(&w->out, e) < 0)
		return -1;
	if (ftruncate(w->out.fd, (off_t) w->out.next * EROFS_BLOCK) < 0)
		return err_sys(e, "the image's size");
	return erofs_out_write(&w->out, 0, f->head, sizeof(f->head), e);
}

static int finish(struct finish *f, struct err *e)
{
	struct erofs *w = f->w;

	if (inode_close_block(w, e) < 0)
		return -1;
	bury(&w->tree);
	if (count_links(f, e) < 0)
		return -1;
	collect(f, false);
	share_out(f);
	if (for_dirs(f, mark_implied, e) < 0 || for_dirs(f, place_dir, e) < 0)
		return -1;
	w->meta_block = 0; /* inodes of directories are written by place, not through it */
	if (for_dirs(f, write_one, e) < 0)
		return -1;
	return write_super(f, e);
}

int erofs_finish(struct erofs *w, struct extract_stats *out, struct err *e)
{
	struct finish f = { .w = w };
	int r;

	free(take_ptr(&w->tree.slots)); /* no name is looked up any more */
	f.order = malloc(erofs_nodes(&w->tree) * sizeof(*f.order));
	if (!f.order)
		return err_set(e, ENOMEM, "no memory for the order of names");
	r = finish(&f, e);
	free(f.order);
	*out = w->stats;
	return r;
}
