/*
 * A volume: a directory tree with a hard limit of bytes and inodes that outlives who uses it.
 *
 *   NAME/                0700; its flock is held for moments: shared by who takes the volume into use, exclusive by who
 *                        changes, measures or removes it
 *   NAME/volume.json     what it is, see struct volume_info
 *   NAME/disk.img        kind loop: an ext4 file system in a file
 *   NAME/data/           kind quota: the tree itself, a project of its file system
 *   NAME/user            who used it last, one line; for error messages only
 *
 * Whoever uses it holds an exclusive flock on its content (disk.img, data/). With the kind loop the loop device holds the
 * very same open file, so the lock lasts as long as anything is mounted from it, whoever is killed: two kernels' views
 * of one file system would destroy it.
 *
 * The limit is what a user other than the host's root may store: `size` bytes in blocks of 4096, of which the file
 * system takes some for directories and for the maps of large or scattered files, and `inodes` files.
 *
 * carrel-image makes and removes volumes (images/volume.h), carrel-shim mounts them, carrel-sessiond reads what they are.
 */
#ifndef CARREL_BASE_VOLUME_H
#define CARREL_BASE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

enum { VOLUME_NAME_MAX = 64, VOLUME_BLOCK = 4096 };
#define VOLUME_SIZE_MIN (4ULL << 20)
#define VOLUME_SIZE_MAX (16ULL << 40)
#define VOLUME_DISK	"disk.img"
#define VOLUME_DATA	"data"

enum volume_kind { VOLUME_LOOP, VOLUME_QUOTA };
/* "loop", "quota"; never NULL. */
const char *volume_kind_name(enum volume_kind k);
/* -1 with *e when s is none of them. */
int volume_kind_parse(const char *s, enum volume_kind *out, struct err *e);

/* [a-zA-Z0-9][a-zA-Z0-9_.-]{0,63} */
bool volume_name_valid(const char *name);

struct volume_info {
	char name[VOLUME_NAME_MAX + 1];
	enum volume_kind kind;
	uint64_t size;	  /* bytes, a multiple of VOLUME_BLOCK */
	uint64_t inodes;  /* that can be made in it */
	uint32_t project; /* kind quota */
	bool growing; /* a resize was begun and not finished: not to be used before it is done again */
	char created[40]; /* RFC 3339 */
};

/* volume.json; dir_fd: the volume's directory. */
int volume_info_read(int dir_fd, struct volume_info *out, struct err *e);
int volume_info_parse(const char *text, size_t n, struct volume_info *out, struct err *e);
int volume_info_print(const struct volume_info *v, struct buf *out, struct err *e);

struct volume {
	struct volume_info info;
	int dir_fd; /* carries the directory's flock */
	int content_fd; /* disk.img or data/; carries the lock of its user. FD_NONE until volume_claim */
};
#define VOLUME_NONE ((struct volume){ .dir_fd = -1, .content_fd = -1 })
#define auto_volume auto_cleanup(volume_close)
void volume_close(struct volume *v);

enum volume_lock { VOLUME_TO_USE, VOLUME_TO_CHANGE };

/* Opens at_fd/name (at_fd may be AT_FDCWD and name a path of ours), waiting for whoever changes it. ENOENT: there is no such
 * volume. */
int volume_open(int at_fd, const char *name, enum volume_lock lock, struct volume *out,
		struct err *e);
/* Takes it into use. ETXTBSY: somebody uses it, whom the error names. user (NULL: not worth remembering) is written down. */
int volume_claim(struct volume *v, const char *user, struct err *e);
/* Others may change it again: closes dir_fd. What was claimed stays claimed. */
void volume_settle(struct volume *v);
/* Whether somebody uses it; for lists. Nothing is locked by it. */
bool volume_in_use(const struct volume *v);

/* Its content as a detached mount, nosuid and nodev, with the volume's own ids: of the claimed content_fd, so that the claim
 * lasts as long as the mount. Refused when the limit is not in force. */
int volume_mount(const struct volume *v, struct err *e);
/* The file system of a loop volume's image as a detached mount; the limit is not looked at. */
int volume_mount_image(int image_fd, struct err *e);
/* Blocks and inodes that users can have of a mounted loop volume, as far as they are free. */
int volume_room(int mount_fd, uint64_t *bytes, uint64_t *inodes, struct err *e);

#endif
