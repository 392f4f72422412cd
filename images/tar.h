/*
 * A tar stream as a sequence of plain entries; the only file that knows libarchive's reader.
 *
 * Formats: tar (v7, ustar, GNU, pax) without compression, nothing else is enabled. Names are bytes:
 * without setlocale libarchive leaves them alone, in a UTF-8 locale it would normalise them. Every
 * entry that leaves here has passed the limits, has no ".." in its name or hard link target and owners below 2^32-1.
 */
#ifndef CARREL_IMAGES_TAR_H
#define CARREL_IMAGES_TAR_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/util.h"

struct err;
struct image_limits;

enum tar_kind {
	TAR_FILE,
	TAR_DIR,
	TAR_SYMLINK,
	TAR_HARDLINK,
	TAR_FIFO,
	TAR_CHAR,
	TAR_BLOCK,
};

/* Strings live until the next tar_next. */
struct tar_entry {
	enum tar_kind kind;
	const char
		*path; /* relative: no leading "/" or "./", no trailing "/"; "" is the root */
	const char *link; /* symlink: as it is; hard link: cleaned like path */
	mode_t mode;	  /* permission bits with setuid, setgid, sticky */
	uint32_t uid, gid;
	uint64_t size; /* files */
	struct timespec mtime;
};

struct tar_stats {
	uint64_t entries;
	uint64_t bytes; /* of file contents, holes included */
};

/* The next bytes of the stream, which stay until it is called again; 0 at the end, -1 with *e. */
typedef ssize_t (*tar_read_fn)(void *arg, const void **p, struct err *e);

struct tar;
#define auto_tar auto_cleanup(tar_free_ptr)

int tar_open(tar_read_fn read, void *arg, const struct image_limits *limits, struct tar **out,
	     struct err *e);
void tar_free_ptr(struct tar **t);

/* 1 with the next entry, 0 at the end of the archive. */
int tar_next(struct tar *t, struct tar_entry *out, struct err *e);
/* The next stretch of the current file's content: 1, or 0 at its end. Between stretches lie holes. */
int tar_data(struct tar *t, const void **p, size_t *n, uint64_t *offset, struct err *e);
/* The current entry's extended attributes, one a call: 1, or 0 after the last. ACLs are among them as the kernel's, checked,
 * and the mode is what the access ACL says; one that cannot be kept goes by a name that nobody keeps (xattr_judge). */
int tar_xattr(struct tar *t, const char **name, const void **value, size_t *n, struct err *e);

struct tar_stats tar_stats(const struct tar *t);

#endif
