/*
 * A directory in a stack of layers: where it is described, and what shows.
 */
#ifndef CARREL_IMAGES_PARENTS_LOOK_H
#define CARREL_IMAGES_PARENTS_LOOK_H

#include <stddef.h>

struct err;

/* roots: bottom first, as in images/view.h. Descriptors of the result are the caller's. */
struct parents_seen {
	int shown; /* of the uppermost layer that has it */
	int meant; /* of the uppermost one that describes it, when that is another; else -1 */
};
#define PARENTS_SEEN_NONE ((struct parents_seen){ .shown = -1, .meant = -1 })

/* 1; 0 when what shows under this name is no directory. */
int parents_look(const int *roots, size_t n, const char *path, struct parents_seen *out,
		 struct err *e);
void parents_seen_fini(struct parents_seen *s);

/* 1 when mode, owner, time or attributes differ. */
int parents_differ(const struct parents_seen *s, struct err *e);
/* Mode, owner, attributes that a layer may have, and time last. */
int parents_copy(int from_fd, int to_fd, struct err *e);

#endif
