/*
 * What the extractor's two files share: the state (extract.c owns it) and the makers (extract_make.c).
 */
#ifndef CARREL_IMAGES_EXTRACT_INTERNAL_H
#define CARREL_IMAGES_EXTRACT_INTERNAL_H

#include <limits.h>
#include <sys/types.h>

#include "base/buf.h"
#include "images/acl.h"
#include "images/extract.h"

struct extract {
	int root_fd;
	struct extract_policy policy;
	struct extract_stats stats;
	/* The last entry's parent: most entries have the same one as the entry before. */
	char *parent_path;
	int parent_fd;
	struct buf late; /* directories to finish: see extract_finish.c */
	bool acls;	 /* one of them has an ACL */
	bool implied;	 /* one was made that no entry had described */
};

enum { EXTRACT_LATE_LIMIT = 48 << 20 };

/* A directory's ACLs, access and default: values as the kernel has them, n 0 for none. */
struct dir_acl {
	size_t n;
	uint8_t value[ACL_BYTES_MAX];
};
enum { DIR_ACLS = 2 };

/* Where an entry goes: a directory and a plain name in it. */
struct place {
	int dir_fd; /* borrowed from the cache */
	char name[NAME_MAX + 1];
};

/* Whatever was resolved may have changed: called when something is removed or a symlink is made. */
void extract_forget_parent(struct extract *x);
int extract_find_place(struct extract *x, const char *path, struct place *out, struct err *e);

int extract_make_file(struct extract *x, struct tar *t, const struct tar_entry *en,
		      struct err *e);
int extract_make_dir(struct extract *x, struct tar *t, const struct tar_entry *en,
		     struct err *e);
int extract_make_symlink(struct extract *x, struct tar *t, const struct tar_entry *en,
			 struct err *e);
int extract_make_hardlink(struct extract *x, struct tar *t, const struct tar_entry *en,
			  struct err *e);
int extract_make_fifo(struct extract *x, struct tar *t, const struct tar_entry *en,
		      struct err *e);
int extract_make_device(struct extract *x, struct tar *t, const struct tar_entry *en,
			struct err *e);

/* name: the entry that is gone, a component of path's directory. */
int extract_whiteout(struct extract *x, const char *path, const char *name, struct err *e);
int extract_opaque(struct extract *x, const char *path, struct err *e);
/* A whiteout that stands where path needs a directory becomes an opaque directory. Returns 1 when there
 * was one. */
int extract_open_whiteouts(struct extract *x, const char *path, struct err *e);

/* Notes a directory's final mode, time and ACLs: what is made in it until then would inherit the default one. fd is
 * borrowed. */
int extract_finish_later(struct extract *x, const struct tar_entry *en, int fd,
			 const struct dir_acl acls[DIR_ACLS], struct err *e);
/* Notes a directory that takes the place of what is below: it is as it was made, and implied by nothing. */
int extract_made_anew(struct extract *x, int fd, struct err *e);

#endif
