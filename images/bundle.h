/*
 * An OCI bundle for an image: config.json for the runtime, rootfs.json for whoever mounts the root.
 */
#ifndef CARREL_IMAGES_BUNDLE_H
#define CARREL_IMAGES_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "images/tier.h"

struct err;
struct store;

struct bundle_options {
	struct tier tier;
	uint32_t uid_base, uid_count;
	const char *cgroup; /* NULL: none is named */
	const char *hostname;
	const char *init;	/* host path of the init program; NULL: none */
	const char *seccomp;	/* host path of the profile */
	const char *id;		/* NULL: no annotation */
	const char *user, *cwd; /* NULL: the image's */
	const char *address,
		*gateway; /* where the tier has a network: "10.209.0.2/16", "10.209.0.1" */
	const char *const *env;	 /* NULL-terminated; may be NULL */
	const char *const *args; /* NULL-terminated; NULL: the image's */
	bool terminal;
};

/* Writes dir/config.json and dir/rootfs.json; makes dir (0700) when it is not there. */
int bundle_write(const struct store *s, const char *image, const char *dir,
		 const struct bundle_options *o, struct err *e);

#endif
