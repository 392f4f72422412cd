/* A container on its way back: what restore carries from step to step, and the part that prepares its tree. */
#ifndef CARREL_RUNTIME_RESTORE_H
#define CARREL_RUNTIME_RESTORE_H

#include "runtime/criu.h"
#include "runtime/criu_request.h"
#include "runtime/startup.h"

struct restore {
	const struct restore_args *a;
	struct startup s;
	struct criu_dirs dirs;
	struct criu_streams streams;
	char *criu; /* the program */
	unsigned version;
	char *root_path; /* of the rootfs, without symlinks */
	int console_fd;	 /* connected console socket, or -1 */
	int master_fd;	 /* the terminal's, in the foreground; or -1 */
	bool wrote_init;
	struct child init; /* pid from the first notification that has one */
};

/* In a mount namespace of its own, which it takes along at its end: makes the mount points that config.json needs,
 * as create does, those on bind mounts included. */
int restore_make_points(struct restore *r, struct err *e);
/* Where criu is started: a mount namespace in which the rootfs is a mount, as criu wants it, and from which
 * nothing is left on the host. The directories of the checkpoint are opened again there, because criu mounts in
 * them. Between the two calls the runtime itself is inside. */
struct restore_place {
	int host_ns_fd, cwd_fd;
};
#define RESTORE_PLACE_NONE ((struct restore_place){ -1, -1 })
int restore_enter_place(struct restore *r, struct restore_place *p, struct err *e);
int restore_leave_place(struct restore_place *p, struct err *e);

#endif
