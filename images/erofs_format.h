/*
 * EROFS on the disk, as far as images without compression need it (Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h
 * of Linux): readable by every kernel from 5.4 on. All numbers are little-endian.
 *
 *   byte 0       nothing
 *   byte 1024    the superblock
 *   then         inodes, each at a multiple of 32 that is its number, with attributes and perhaps the end of its content
 *                behind it; and whole blocks of content
 */
#ifndef CARREL_IMAGES_EROFS_FORMAT_H
#define CARREL_IMAGES_EROFS_FORMAT_H

#include <stdint.h>

enum {
	EROFS_BLOCK_BITS = 12,
	EROFS_BLOCK = 1 << EROFS_BLOCK_BITS,
	EROFS_SUPER_AT = 1024,
	EROFS_SLOT = 32, /* inode numbers count these */
};

#define EROFS_MAGIC 0xE0F5E1E2U

enum { EROFS_COMPAT_CHECKSUM = 1 << 0, EROFS_COMPAT_MTIME = 1 << 1 };

struct erofs_super {
	uint32_t magic, checksum, feature_compat;
	uint8_t block_bits, ext_slots;
	uint16_t root_nid;
	uint64_t inodes, build_time;
	uint32_t build_time_ns, blocks, meta_block, xattr_block;
	uint8_t uuid[16], volume_name[16];
	uint32_t feature_incompat;
	uint8_t unused[44];
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_super) == 128, "superblock");

/* i_format */
enum { EROFS_EXTENDED = 1, EROFS_PLAIN = 0 << 1, EROFS_INLINE = 2 << 1 };

/* Has no time: the superblock's is its own. */
struct erofs_compact {
	uint16_t format, xattr_count, mode, links;
	uint32_t size, reserved, place, ino;
	uint16_t uid, gid;
	uint32_t reserved2;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_compact) == 32, "compact inode");

struct erofs_extended {
	uint16_t format, xattr_count, mode, reserved;
	uint64_t size;
	uint32_t place; /* the first block of the content, or a device's number */
	uint32_t ino, uid, gid;
	uint64_t mtime;
	uint32_t mtime_ns, links;
	uint8_t reserved2[16];
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_extended) == 64, "extended inode");

/* Before an inode's attributes; xattr_count counts four bytes each behind it, plus 1. */
struct erofs_xattr_head {
	uint32_t filter;
	uint8_t shared, reserved[7];
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_xattr_head) == 12, "attributes' head");

/* The name without its prefix and the value follow, padded to four bytes. */
struct erofs_xattr {
	uint8_t name_len, prefix;
	uint16_t value_size;
} __attribute__((packed));

enum {
	EROFS_XATTR_USER = 1,
	EROFS_XATTR_ACL_ACCESS, /* these two have no name behind the prefix */
	EROFS_XATTR_ACL_DEFAULT,
	EROFS_XATTR_TRUSTED,
	EROFS_XATTR_SECURITY = 6,
};

/* A block of a directory: these, sorted by name, then the names. */
struct erofs_dirent {
	uint64_t nid;
	uint16_t name_at;
	uint8_t type, reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "directory entry");

enum erofs_type {
	EROFS_FILE = 1,
	EROFS_DIR,
	EROFS_CHAR,
	EROFS_BLOCK_DEV,
	EROFS_FIFO,
	EROFS_SOCKET,
	EROFS_SYMLINK,
};

#endif
