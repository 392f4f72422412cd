/*
 * What checkpoint and restore ask of CRIU alike: the directories of a checkpoint, its options, and what the
 * container has from outside (bind mounts, covers, devices, control groups).
 *
 * Whatever comes from outside is named at the dump by its place in the container and given at the restore by
 * config.json. The images say which name is mounted where, never what is behind it.
 */
#ifndef CARREL_RUNTIME_CRIU_REQUEST_H
#define CARREL_RUNTIME_CRIU_REQUEST_H

#include <stdbool.h>

#include "runtime/criu_wire.h"

struct cgroup;
struct criu_args;
struct err;
struct json;
struct spec;

/* Open while CRIU works: it reads them as descriptors of ours. */
struct criu_dirs {
	int image_fd, work_fd;	     /* the same when there is no work path */
	const char *image, *log_dir; /* for messages */
};
#define CRIU_DIRS_NONE ((struct criu_dirs){ .image_fd = -1, .work_fd = -1 })
/* make: the image directory too, with its parents; the work directory always. */
int criu_dirs_open(const struct criu_args *a, bool make, struct criu_dirs *out, struct err *e);
/* That nothing in the image directory, which somebody else may have made, leads elsewhere. */
int criu_dirs_check(const struct criu_dirs *d, struct err *e);
void criu_dirs_close(struct criu_dirs *d);
#define auto_criu_dirs auto_cleanup(criu_dirs_close)

/* Directories, log, flags, cgroup mode, the configuration file that the annotation org.criu.config names. */
int criu_put_common(struct wire *w, const struct criu_args *a, const struct criu_dirs *d,
		    const char *log, const struct json *annotations, struct err *e);

/* root_fd: the container's root as its own processes see it. */
int criu_put_outside_dump(struct wire *w, const struct spec *s, const struct cgroup *cg,
			  int root_fd, struct err *e);
int criu_put_outside_restore(struct wire *w, const struct spec *s, const struct cgroup *cg,
			     const char *bundle, struct err *e);

/* The standard streams of init that are pipes of the outside, kept beside the images: "pipe:[123]" each, or "". */
struct criu_streams {
	char name[3][32];
};
int criu_streams_save(int image_fd, pid_t pid, struct err *e);
/* What is not a pipe's name is left out, whatever it says. */
int criu_streams_load(int image_fd, struct criu_streams *out, struct err *e);

#endif
