/*
 * The handshake of a container's start: named messages over one SOCK_SEQPACKET pair, errors by value.
 *
 *   carrel-runtime create                           init (first process of the container)
 *   ---------------------                           -------------------------------------
 *   cgroup made, limits set, sources opened
 *   clone3(namespaces[, into cgroup]) ------------> joins its cgroup (v1), waits
 *   writes uid and gid maps
 *   SYNC_MAPPED ----------------------------------> becomes root of its namespace, mounts, devices
 *                                <---------------- SYNC_HOOKS (only when prestart/createRuntime hooks exist)
 *   runs those hooks
 *   SYNC_RESUME ----------------------------------> createContainer hooks, pivot, the table's rest
 *                                <---------------- SYNC_CREATED (console already sent to its socket)
 *   writes the state, prints nothing, exits         waits on the start socket
 *
 *   carrel-runtime start
 *   connects to the start socket, START ----------> startContainer hooks, user, capabilities, seccomp
 *                                <---------------- SYNC_FAILED with the error, or end of file by exec
 *   poststart hooks
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
/* Waits for exactly this message; the peer's SYNC_FAILED becomes *e. */
int sync_expect(int fd, enum sync_name n, struct err *e);
/* Waits for either; returns the one that came. */
int sync_expect_either(int fd, enum sync_name a, enum sync_name b, struct err *e);

#endif
