/*
 * An overlay's upper directory as a layer's tar: what was changed, added and removed above the layers below.
 *
 *   character device 0:0               .wh.NAME
 *   file with overlay.whiteout, empty  .wh.NAME (in a directory with overlay.opaque=x)
 *   directory with overlay.opaque=y    the directory, then .wh..wh..opq in it
 *
 * Who filled the directory is not trusted: nothing in it is followed or run, files are opened without
 * blocking, and names are bytes. What no layer can say is refused: a name that begins with .wh., a directory
 * that was renamed (overlay.redirect), a file whose content is below (overlay.metacopy), a mount.
 * The tar is made of what is there and nothing else, entries in the order of their names' bytes.
 */
#ifndef CARREL_IMAGES_UPPER_H
#define CARREL_IMAGES_UPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct tar_writer;

struct upper_options {
	/* Owners are host ids of a container's ids from 0 on, of which there are so many; 0: they are as they are. */
	uint32_t uid_base, uid_count;
	bool userxattr; /* the overlay was mounted so: marks are user.overlay.*, not trusted.overlay.* */
};

/* Names of an entry's extended attributes, each with its NUL and "" at the end (malloc'ed), and the value of its opaque
 * mark, 0 without one. */
struct upper_xattrs {
	char *names;
	char opaque;
};

/* Who may see trusted attributes, which the reader may not. path_fd is O_PATH. */
struct upper_source {
	int (*xattrs)(void *arg, int path_fd, bool userxattr, struct upper_xattrs *out,
		      struct err *e);
	void *arg;
};

struct upper_stats {
	uint64_t entries, bytes; /* of files, holes included */
	uint64_t whiteouts;	 /* opaque marks too */
	uint64_t skipped_sockets, skipped_devices;
	uint64_t dropped_xattrs;
};

/* dir_fd: the upper directory (borrowed). More than max_bytes of contents, holes included, are EFBIG. */
int upper_write(int dir_fd, const struct upper_source *source, const struct upper_options *o,
		uint64_t max_bytes, struct tar_writer *w, struct upper_stats *out,
		struct err *e);

#endif
