/*
 * The two unpacking children: how they are started, what they do, and what they say to their parent.
 */
#ifndef CARREL_IMAGES_UNPACK_CHILD_H
#define CARREL_IMAGES_UNPACK_CHILD_H

#include "base/err.h"
#include "images/extract.h"
#include "images/unpack.h"

struct child;
struct ring;

enum unpack_say {
	SAY_OPAQUE, /* with a directory's descriptor: mark it; answered by one byte */
	SAY_DONE,
	SAY_FOREIGN, /* not an archive of images */
	SAY_FAILED,
};

/* A message. The confinement itself fails with a bare struct err, told apart by its length. */
struct unpack_message {
	enum unpack_say say;
	struct err err;
	uint64_t entries;
	struct extract_stats stats;
};

/* All descriptors are borrowed. */
struct unpack_child {
	const struct unpack_spec *spec;
	int in_fd;		/* the inflating child's */
	int out_fd;		/* where an image is written */
	int ring_fd, ring_sock; /* its side of the ring to or from the parent */
};

/* *sock is where it speaks. The inflating child is carrel-inflate where that is installed. */
int unpack_child_start_inflate(struct unpack_child *c, struct child *out, int *sock,
			       struct err *e);
int unpack_child_start_tree(struct unpack_child *c, struct child *out, int *sock,
			    struct err *e);

/* The body of an inflating child. */
typedef int (*inflate_fn)(int in_fd, struct ring *to, struct err *e);
int unpack_child_inflate(inflate_fn inflate, int in_fd, int ring_fd, int ring_sock, int sock);

/* The same, where it was executed: see inflate_main.c. */
enum inflate_arg { ARG_NAME, ARG_IN, ARG_RING, ARG_RING_SOCK, ARG_SOCK, ARG_SECONDS, N_ARGS };

#endif
