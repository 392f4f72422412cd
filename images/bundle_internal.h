/*
 * What stands in a bundle, decided (bundle.c) before any of it is written (bundle_json.c).
 */
#ifndef CARREL_IMAGES_BUNDLE_INTERNAL_H
#define CARREL_IMAGES_BUNDLE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "images/bundle.h"
#include "images/image.h"
#include "images/user.h"

struct buf;
struct json;

/* A writable place: a tmpfs that takes `share` sixteenths of the tier's disk. */
struct bundle_place {
	const char *path;
	unsigned share;
	uint64_t size;	     /* bytes; 0: by its share */
	const char *options; /* besides size, inodes and owner */
	bool owned; /* by the user; else by the container's root, open to all by its mode */
};

enum { BUNDLE_PLACES = 5, BUNDLE_SHARES = 16 };

struct bundle {
	const struct bundle_options *options;
	const struct image *image;
	struct user user;
	const char *home; /* what HOME says */
	const char *cwd;
	struct bundle_place places[BUNDLE_PLACES]; /* in the order in which they are mounted */
	size_t n_places;
	char **env;  /* owned */
	char **args; /* owned */
	const struct json *seccomp;
};

/* Where the init program is found inside: /dev is a tmpfs in every container, whatever the image holds. */
#define BUNDLE_INIT_PATH "/dev/carrel-init"

int bundle_print_config(const struct bundle *b, struct buf *out, struct err *e);
/* layers: absolute paths, bottom first. */
int bundle_print_rootfs(const struct bundle *b, char *const *layers, struct buf *out,
			struct err *e);

#endif
