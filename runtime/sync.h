/*
 * The handshake of a container's start: named messages over one SOCK_SEQPACKET pair, errors by value.
 *
 *   carrel-runtime create                           init (first process of the container)
 *   ---------------------                           -------------------------------------
 *   state written, cgroup made, limits set, sources opened
 *   clone3(namespaces[, into cgroup]) ------------> joins its cgroup (v1), unshares the cgroup namespace,
 *                                                   joins init_args.ns_fds, waits
 *   writes uid and gid maps
 *   SYNC_MAPPED ----------------------------------> becomes root of its namespace, mounts, devices
 *                                <---------------- SYNC_IDMAP   \  this pair for each bind of the container's own
 *   idmaps the tree                                              |  files that is to be idmapped in a new user
 *   SYNC_RESUME ----------------------------------> attaches it /   namespace: init has no rights to
 *                                <---------------- SYNC_HOOKS   \  this pair only when prestart or
 *   runs those hooks                                             |  createRuntime hooks exist
 *   SYNC_RESUME ----------------------------------> goes on     /
 *                                                   createContainer hooks, pivot, the table's rest
 *                                <---------------- SYNC_CREATED (console already sent to its socket)
 *   prints nothing, exits                           waits on the start socket
 *
 *   carrel-runtime start
 *   connects to the start socket, removes its name
 *   SYNC_START -----------------------------------> user, capabilities, seccomp, startContainer hooks
 *                                <---------------- SYNC_FAILED with the error, or end of file by exec
 *   poststart hooks
 *
 * SYNC_MAPPED is always sent; without a new user namespace it is queued before the clone, so that init never
 * waits for it. The cgroup namespace is never in the clone's flags: it would be rooted at the runtime's own cgroup.
 * A connection to the start socket that ends without SYNC_START means that `start` was killed after it removed
 * the name: nobody can start this container any more, and init exits. `run` has no start socket: init goes on
 * to exec after SYNC_CREATED, and the parent reads SYNC_FAILED or end of file from the same pair.
 *
 * Either side may send SYNC_FAILED instead at any point; end of file means that the peer died and is reported as
 * such with the name of the message that was awaited. Each message is logged at debug level on both sides.
 * init is killed by its parent on every early return (it is a `struct child`), and by PR_SET_PDEATHSIG until
 * SYNC_CREATED.
 */
#ifndef CARREL_RUNTIME_SYNC_H
#define CARREL_RUNTIME_SYNC_H

#include <stddef.h>

#include "base/err.h"

enum sync_name {
	SYNC_MAPPED,
	SYNC_IDMAP,
	SYNC_HOOKS,
	SYNC_RESUME,
	SYNC_CREATED,
	SYNC_START,
	SYNC_FAILED,
	SYNC_COUNT
};

struct sync_msg {
	enum sync_name name;
	struct err err; /* of SYNC_FAILED */
};

const char *sync_label(enum sync_name n);
int sync_send(int fd, enum sync_name n, struct err *e);
int sync_send_failed(int fd, const struct err *why, struct err *e);
/* With a descriptor: SYNC_IDMAP's tree (borrowed). */
int sync_send_fd(int fd, enum sync_name n, int sent, struct err *e);
/* Returns the descriptor that comes with it. */
int sync_expect_fd(int fd, enum sync_name n, struct err *e);
/* Waits for exactly this message; the peer's SYNC_FAILED becomes *e. */
int sync_expect(int fd, enum sync_name n, struct err *e);
/* Waits for either; returns the one that came. */
int sync_expect_either(int fd, enum sync_name a, enum sync_name b, struct err *e);

/* Waits for end of file, which exec causes; the peer's SYNC_FAILED becomes *e. */
/* Blocks until the peer has closed its end; what it sent before can be read then. For who would only go on waiting after
 * each of its messages. */
int sync_await_close(int fd, struct err *e);
int sync_expect_eof(int fd, struct err *e);

#endif
