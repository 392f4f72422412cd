/*
 * A sandbox's volume: claimed for this sandbox alone, at bundle/workspace in this process's own mount namespace, with
 * its owners shifted into the sandbox's range of ids. config.json binds it from there to where the sandbox sees it.
 */
#ifndef CARREL_SHIM_WORKSPACE_H
#define CARREL_SHIM_WORKSPACE_H

#include "base/volume.h"

struct err;
struct orders;

/* Without a volume in the orders there is nothing to do. The volume's root directory becomes the user's. Nothing stays mounted
 * after an error; ETXTBSY: another sandbox uses the volume. *out is held until the sandbox has ended. */
int workspace_mount(const struct orders *o, int bundle_fd, struct volume *out, struct err *e);

/* Takes the mount away again; success when there is none. */
int workspace_unmount(int bundle_fd, struct err *e);

#endif
