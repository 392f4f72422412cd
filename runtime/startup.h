/* A container on its way into being: what create and run carry from step to step. */
#ifndef CARREL_RUNTIME_STARTUP_H
#define CARREL_RUNTIME_STARTUP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/child.h"
#include "runtime/container.h"
#include "runtime/init.h"
#include "runtime/notify.h"
#include "runtime/seccomp.h"
#include "runtime/spec.h"

struct startup {
	const struct container_env *env;
	const struct create_args *args;
	bool run; /* no start socket: init executes its program at once */

	char *bundle, *rootfs, *config; /* absolute; config: NULL for the bundle's */
	int bundle_fd, rootfs_fd;
	struct spec *spec;
	struct container c; /* state stays NULL: it was written, not read */
	struct filter_program filter;
	struct rdt_place rdt;
	int rdt_tasks[RDT_TASKS];
	int *source_fds;
	struct cgroup *planned; /* until it is made: then it is the container's */
	struct buf cgroup_text; /* what the state says of it */
	struct buf state_text, notify_text;
	struct init_args init;

	int sync_fd; /* to init */
	int console_fd; /* run with a terminal in the foreground: the master comes over this socket */
	int pidfd_sock_fd;
	struct notify
		notify; /* run, when a service manager waits to hear that the program is ready */
	char port[RTNL_NAME]; /* of its network; "": it has none */
	struct child child;
	bool made_state, wrote_pid_file, gave_devices;
};

void startup_init(struct startup *s, const struct container_env *env,
		  const struct create_args *a);
/* What restore shares: the bundle, config.json and the root are opened; then the state is written, the cgroup made and
 * the filter compiled. */
int startup_load(struct startup *s, struct err *e);
int startup_make(struct startup *s, struct err *e);
/* Both, and all the rest up to SYNC_CREATED. */
int startup_create(struct startup *s, struct err *e);
/* After a failure: ends init, removes what was made. */
void startup_undo(struct startup *s);
void startup_fini(struct startup *s);

/* startup_open.c: steps of startup_create that open what init is handed. The agent comes after the filter, the sources
 * after the namespaces, whose user namespace they may be mapped by. */
int startup_open_listener(struct startup *s, struct err *e);
int startup_open_namespaces(struct startup *s, struct err *e);
int startup_open_sources(struct startup *s, struct err *e);
int startup_open_sockets(struct startup *s, struct err *e);
/* Before the sources: one of them is the directory of the socket for the program's word that it is ready. */
int startup_offer_notify(struct startup *s, struct err *e);

/* startup_net.c: the network that the annotation asks for, and devices of the host, into the namespace of the child. */
bool startup_wants_network(const struct startup *s);
int startup_network(struct startup *s, struct err *e);
/* When its processes are gone; and the same after a failure. */
int startup_network_end(struct startup *s, struct err *e);
void startup_network_undo(struct startup *s);

/* What goes to a seccomp agent with the listener (OCI's container process state). pid 0: init fills it in. */
int container_notify_state(const char *oci_version, const char *metadata, pid_t pid,
			   const char *state_json, struct buf *out, struct err *e);

#endif
