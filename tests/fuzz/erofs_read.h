/*
 * A reader of EROFS images that believes nothing: the kernel's rules, each broken one ends the process. Written from the
 * format (images/erofs_format.h), not from the writer.
 */
#ifndef CARREL_TESTS_EROFS_READ_H
#define CARREL_TESTS_EROFS_READ_H

#include <endian.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "images/erofs_format.h"

struct erofs_image {
	const uint8_t *data;
	size_t n;
	struct erofs_super super; /* as on the disk */
};

struct erofs_inode {
	uint64_t nid, size;
	uint32_t mode, uid, gid, links, place;
	int64_t mtime;
	uint32_t mtime_ns;
	size_t xattrs, n_xattrs; /* where they are, and their bytes */
	size_t tail;		 /* where the inlined end of the content is; 0: none */
};

static inline _Noreturn void erofs_wrong(const char *what, uint64_t where)
{
	fprintf(stderr, "EROFS: %s (%llu)\n", what, (unsigned long long) where);
	abort();
}

static inline const uint8_t *erofs_at(const struct erofs_image *m, uint64_t at, uint64_t n)
{
	if (at > m->n || n > m->n - at)
		erofs_wrong("beyond the end of the image", at);
	return m->data + at;
}

static inline uint32_t erofs_crc32c(uint32_t c, const uint8_t *p, size_t n)
{
	while (n-- > 0) {
		c ^= *p++;
		for (int k = 0; k < 8; k++)
			c = (c >> 1) ^ (0x82F63B78U & (0U - (c & 1)));
	}
	return c;
}

static inline void erofs_read_super(struct erofs_image *m, const uint8_t *data, size_t n)
{
	uint8_t block[EROFS_BLOCK - EROFS_SUPER_AT];

	*m = (struct erofs_image){ .data = data, .n = n };
	memcpy(&m->super, erofs_at(m, EROFS_SUPER_AT, sizeof(m->super)), sizeof(m->super));
	memcpy(block, erofs_at(m, EROFS_SUPER_AT, sizeof(block)), sizeof(block));
	memset(block + offsetof(struct erofs_super, checksum), 0, 4);
	if (le32toh(m->super.magic) != EROFS_MAGIC || m->super.block_bits != EROFS_BLOCK_BITS ||
	    m->super.feature_incompat != 0)
		erofs_wrong("superblock", 0);
	if (erofs_crc32c(~0U, block, sizeof(block)) != le32toh(m->super.checksum))
		erofs_wrong("checksum", le32toh(m->super.checksum));
	if ((uint64_t) le32toh(m->super.blocks) * EROFS_BLOCK != n)
		erofs_wrong("size", n);
}

static inline void erofs_read_compact(const struct erofs_image *m, const uint8_t *p,
				      struct erofs_inode *out)
{
	struct erofs_compact c;

	memcpy(&c, p, sizeof(c));
	out->mode = le16toh(c.mode);
	out->links = le16toh(c.links);
	out->size = le32toh(c.size);
	out->place = le32toh(c.place);
	out->uid = le16toh(c.uid);
	out->gid = le16toh(c.gid);
	out->mtime = (int64_t) le64toh(m->super.build_time);
	out->mtime_ns = le32toh(m->super.build_time_ns);
}

static inline void erofs_read_extended(const uint8_t *p, struct erofs_inode *out)
{
	struct erofs_extended x;

	memcpy(&x, p, sizeof(x));
	out->mode = le16toh(x.mode);
	out->links = le32toh(x.links);
	out->size = le64toh(x.size);
	out->place = le32toh(x.place);
	out->uid = le32toh(x.uid);
	out->gid = le32toh(x.gid);
	out->mtime = (int64_t) le64toh(x.mtime);
	out->mtime_ns = le32toh(x.mtime_ns);
}

static inline struct erofs_inode erofs_read_inode(const struct erofs_image *m, uint64_t nid)
{
	const uint64_t at = nid * EROFS_SLOT;
	struct erofs_inode out = { .nid = nid };
	uint16_t format, count;
	size_t head;

	memcpy(&format, erofs_at(m, at, 4), 2);
	memcpy(&count, erofs_at(m, at, 4) + 2, 2);
	format = le16toh(format);
	count = le16toh(count);
	if ((format & ~EROFS_EXTENDED) != EROFS_PLAIN &&
	    (format & ~EROFS_EXTENDED) != EROFS_INLINE)
		erofs_wrong("layout", format);
	head = format & EROFS_EXTENDED ? sizeof(struct erofs_extended)
				       : sizeof(struct erofs_compact);
	if (format & EROFS_EXTENDED)
		erofs_read_extended(erofs_at(m, at, head), &out);
	else
		erofs_read_compact(m, erofs_at(m, at, head), &out);
	out.n_xattrs = count ? sizeof(struct erofs_xattr_head) + (count - 1U) * 4U : 0;
	out.xattrs = at + head;
	(void) erofs_at(m, out.xattrs, out.n_xattrs);
	if ((format & ~EROFS_EXTENDED) == EROFS_INLINE) {
		out.tail = out.xattrs + out.n_xattrs;
		if (out.size % EROFS_BLOCK == 0 ||
		    out.tail % EROFS_BLOCK + out.size % EROFS_BLOCK > EROFS_BLOCK)
			erofs_wrong("an inlined end in two blocks", nid);
	}
	return out;
}

/* All of an inode's content, malloc'ed. */
static inline uint8_t *erofs_content(const struct erofs_image *m, const struct erofs_inode *i)
{
	const uint64_t tail = i->tail ? i->size % EROFS_BLOCK : 0, whole = i->size - tail;
	const uint8_t *p = erofs_at(m, (uint64_t) i->place * EROFS_BLOCK, whole);
	uint8_t *out = malloc(i->size + 1);

	if (!out)
		abort();
	memcpy(out, p, whole);
	memcpy(out + whole, erofs_at(m, i->tail, tail), tail);
	out[i->size] = '\0';
	return out;
}

/* The next attribute of an inode; *at is 0 at first. Its name with the prefix. */
static inline bool erofs_next_xattr(const struct erofs_image *m, const struct erofs_inode *i,
				    size_t *at, char name[300], const uint8_t **value,
				    size_t *n)
{
	static const char *const prefixes[] = { [EROFS_XATTR_USER] = "user.",
						[EROFS_XATTR_ACL_ACCESS] =
							"system.posix_acl_access",
						[EROFS_XATTR_ACL_DEFAULT] =
							"system.posix_acl_default",
						[EROFS_XATTR_TRUSTED] = "trusted.",
						[EROFS_XATTR_SECURITY] = "security." };
	const size_t end = i->xattrs + i->n_xattrs;
	struct erofs_xattr x;

	if (*at == 0)
		*at = i->xattrs + sizeof(struct erofs_xattr_head);
	if (i->n_xattrs == 0 || *at >= end)
		return false;
	memcpy(&x, erofs_at(m, *at, sizeof(x)), sizeof(x));
	*n = le16toh(x.value_size);
	if (x.prefix >= sizeof(prefixes) / sizeof(*prefixes) || !prefixes[x.prefix] ||
	    *at + sizeof(x) + x.name_len + *n > end)
		erofs_wrong("attribute", i->nid);
	snprintf(name, 300, "%s%.*s", prefixes[x.prefix], x.name_len,
		 (const char *) erofs_at(m, *at + sizeof(x), x.name_len));
	*value = erofs_at(m, *at + sizeof(x) + x.name_len, *n);
	*at += (sizeof(x) + x.name_len + *n + 3) / 4 * 4;
	return true;
}

typedef void (*erofs_entry_fn)(void *arg, const char *name, uint64_t nid, uint8_t type);

/* A block's names, which are sorted over all of the directory: `last` is the one before. */
static inline void erofs_block_entries(const uint8_t *p, size_t n, char last[NAME_MAX + 1],
				       erofs_entry_fn each, void *arg)
{
	struct erofs_dirent first, d, after;

	memcpy(&first, p, sizeof(first));
	const size_t names = le16toh(first.name_at), count = names / sizeof(first);
	if (names == 0 || names % sizeof(first) || names > n)
		erofs_wrong("directory block", names);
	for (size_t i = 0; i < count; i++) {
		char name[NAME_MAX + 1];
		size_t from, to = n;

		memcpy(&d, p + i * sizeof(d), sizeof(d));
		from = le16toh(d.name_at);
		if (i + 1 < count) {
			memcpy(&after, p + (i + 1) * sizeof(d), sizeof(after));
			to = le16toh(after.name_at);
		}
		if (from < names || to < from || to > n)
			erofs_wrong("place of a name", from);
		to = from + strnlen((const char *) p + from, to - from);
		if (to == from || to - from > NAME_MAX)
			erofs_wrong("length of a name", to - from);
		memcpy(name, p + from, to - from);
		name[to - from] = '\0';
		if (strchr(name, '/') || strcmp(last, name) >= 0)
			erofs_wrong("order of names", i);
		strcpy(last, name);
		each(arg, name, le64toh(d.nid), d.type);
	}
}

static inline void erofs_entries(const struct erofs_image *m, const struct erofs_inode *dir,
				 erofs_entry_fn each, void *arg)
{
	char last[NAME_MAX + 1] = "";
	uint8_t *p = erofs_content(m, dir);

	if (dir->size == 0)
		erofs_wrong("an empty directory without a dot", dir->nid);
	for (uint64_t at = 0; at < dir->size; at += EROFS_BLOCK) {
		const uint64_t left = dir->size - at;

		erofs_block_entries(p + at, left < EROFS_BLOCK ? left : EROFS_BLOCK, last, each,
				    arg);
	}
	free(p);
}

#endif
