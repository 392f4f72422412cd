#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "images/erofs_internal.h"

bool inode_extended(const struct erofs *w, const struct inode *i)
{
	return i->uid > UINT16_MAX || i->gid > UINT16_MAX || i->links > UINT16_MAX ||
	       i->size > UINT32_MAX || i->mtime.tv_sec != w->tree.made.tv_sec ||
	       i->mtime.tv_nsec != w->tree.made.tv_nsec;
}

static size_t head_bytes(const struct erofs *w, const struct inode *i)
{
	return (inode_extended(w, i) ? sizeof(struct erofs_extended)
				     : sizeof(struct erofs_compact)) +
	       i->n_xattrs;
}

size_t inode_bytes(const struct erofs *w, const struct inode *i)
{
	return head_bytes(w, i) + (i->inlined ? i->size % EROFS_BLOCK : 0);
}

static uint16_t xattr_count(const struct inode *i)
{
	const uint32_t head = sizeof(struct erofs_xattr_head);

	return i->n_xattrs ? (uint16_t) ((i->n_xattrs - head) / 4 + 1) : 0;
}

void inode_encode(const struct erofs *w, const struct inode *i, uint8_t *p)
{
	const uint16_t layout = i->inlined ? EROFS_INLINE : EROFS_PLAIN;
	const struct erofs_extended x = {
		.format = htole16(layout | EROFS_EXTENDED),
		.xattr_count = htole16(xattr_count(i)),
		.mode = htole16(i->mode),
		.size = htole64(i->size),
		.place = htole32(i->place),
		.ino = htole32((uint32_t) w->inodes),
		.uid = htole32(i->uid),
		.gid = htole32(i->gid),
		.mtime = htole64((uint64_t) i->mtime.tv_sec),
		.mtime_ns = htole32((uint32_t) i->mtime.tv_nsec),
		.links = htole32(i->links),
	};
	const struct erofs_compact c = {
		.format = htole16(layout),
		.xattr_count = x.xattr_count,
		.mode = x.mode,
		.links = htole16((uint16_t) i->links),
		.size = htole32((uint32_t) i->size),
		.place = x.place,
		.ino = x.ino,
		.uid = htole16((uint16_t) i->uid),
		.gid = htole16((uint16_t) i->gid),
	};
	const size_t n = head_bytes(w, i) - i->n_xattrs;

	if (n == sizeof(x))
		memcpy(p, &x, sizeof(x));
	else
		memcpy(p, &c, sizeof(c));
	if (i->n_xattrs)
		memcpy(p + n, i->xattrs, i->n_xattrs);
}

int inode_close_block(struct erofs *w, struct err *e)
{
	const uint64_t at = (uint64_t) w->meta_block * EROFS_BLOCK;

	if (!w->meta_block)
		return 0;
	w->meta_block = 0;
	return erofs_out_write(&w->out, at, w->meta, sizeof(w->meta), e);
}

uint64_t inode_room(struct erofs *w, size_t n, uint8_t **p, struct err *e)
{
	uint64_t nid;

	if (w->meta_block && w->meta_used + n > EROFS_BLOCK && inode_close_block(w, e) < 0)
		return 0;
	if (!w->meta_block) {
		if (erofs_out_alloc(&w->out, 1, &w->meta_block, e) < 0)
			return 0;
		memset(w->meta, 0, sizeof(w->meta));
		w->meta_used = 0;
	}
	*p = w->meta + w->meta_used;
	nid = ((uint64_t) w->meta_block * EROFS_BLOCK + w->meta_used) / EROFS_SLOT;
	w->meta_used += (n + EROFS_SLOT - 1) / EROFS_SLOT * EROFS_SLOT;
	return nid;
}

/* More attributes than a block holds: blocks of its own. */
static uint64_t add_large(struct erofs *w, struct inode *i, struct err *e)
{
	const size_t n = inode_bytes(w, i);
	auto_free uint8_t *p = xalloc(n); /* at most 4 MiB: see tar.c */
	uint32_t block;

	inode_encode(w, i, p);
	if (erofs_out_alloc(&w->out, (n + EROFS_BLOCK - 1) / EROFS_BLOCK, &block, e) < 0 ||
	    erofs_out_write(&w->out, (uint64_t) block * EROFS_BLOCK, p, n, e) < 0)
		return 0;
	return (uint64_t) block * (EROFS_BLOCK / EROFS_SLOT);
}

uint64_t inode_add(struct erofs *w, struct inode *i, const void *content, struct err *e)
{
	uint8_t *p;
	uint64_t nid;

	w->inodes++;
	i->inlined = content && i->size > 0 && i->size < EROFS_BLOCK;
	if (inode_bytes(w, i) > EROFS_BLOCK)
		i->inlined = false;
	if (content && !i->inlined && i->size > 0 &&
	    (erofs_out_alloc(&w->out, (i->size + EROFS_BLOCK - 1) / EROFS_BLOCK, &i->place, e) <
		     0 ||
	     erofs_out_write(&w->out, (uint64_t) i->place * EROFS_BLOCK, content, i->size, e) <
		     0))
		return 0;
	if (inode_bytes(w, i) > EROFS_BLOCK)
		return add_large(w, i, e);
	nid = inode_room(w, inode_bytes(w, i), &p, e);
	if (!nid)
		return 0;
	inode_encode(w, i, p);
	if (i->inlined)
		memcpy(p + head_bytes(w, i), content, i->size);
	return nid;
}
