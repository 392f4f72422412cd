/*
 * What glibc's headers have and musl 1.2.3's lack; put in front of every source of the small build (room.mk), and
 * included by none.
 */
#ifndef CARREL_BASE_MUSL_COMPAT_H
#define CARREL_BASE_MUSL_COMPAT_H

#include <features.h>

#ifndef __GLIBC__

#include <sys/mount.h>

#include <linux/mount.h>
#include <linux/types.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* errors.c */
const char *musl_strerror(int code);
#define strerror(code) musl_strerror(code)

typedef int __rlimit_resource_t;

/* <linux/stat.h> would define again what <sys/stat.h> has. */
struct statx_timestamp {
	__s64 tv_sec;
	__u32 tv_nsec;
	__s32 reserved;
};
struct statx {
	__u32 stx_mask, stx_blksize;
	__u64 stx_attributes;
	__u32 stx_nlink, stx_uid, stx_gid;
	__u16 stx_mode, spare0;
	__u64 stx_ino, stx_size, stx_blocks, stx_attributes_mask;
	struct statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	__u32 stx_rdev_major, stx_rdev_minor, stx_dev_major, stx_dev_minor;
	__u64 stx_mnt_id, spare2, spare3[12];
};
_Static_assert(sizeof(struct statx) == 256, "as the kernel has it");
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

static inline int statx(int dirfd, const char *path, int flags, unsigned mask,
			struct statx *out)
{
	return (int) syscall(SYS_statx, dirfd, path, flags, mask, out);
}

#endif
#endif
