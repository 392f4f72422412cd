/*
 * What a container is handed from outside, opened with the runtime's rights before init is cloned: the seccomp agent, the
 * namespaces to join, the sources of mounts, the sockets of console, start and handshake.
 */
#include "runtime/startup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"

int startup_open_listener(struct startup *s, struct err *e)
{
	const char *path = s->spec->seccomp.listener_path;

	if (!path || !s->filter.notifies)
		return 0;
	s->init.seccomp_notify_fd = sock_connect_at(AT_FDCWD, path, SOCK_STREAM, e);
	if (s->init.seccomp_notify_fd < 0)
		return err_wrap(e, "failed to connect with seccomp agent specified in the "
				   "seccomp profile");
	return 0;
}

int startup_offer_notify(struct startup *s, struct err *e)
{
	const char *manager = s->env->notify_socket;
	struct err why = ERR_NONE;

	if (!manager)
		return 0;
	auto_free char *root = realpath(s->env->root, NULL);
	if (!root)
		return err_sys(e, "%s", s->env->root);
	auto_free char *path = xasprintf("%s/%s", root, s->args->id);
	if (notify_offer(s->c.dir_fd, path, s->spec, e) < 0)
		return -1;
	/* A container is no worse when nobody hears of it. */
	if (s->run && notify_offered(s->c.dir_fd) &&
	    notify_open(s->c.dir_fd, manager, &s->notify, &why) < 0)
		s->env->warn(why.msg);
	return 0;
}

int startup_open_sources(struct startup *s, struct err *e)
{
	const struct spec *spec = s->spec;
	const bool userns = ns_has(&spec->ns, NS_USER);
	const struct mount_origin from = {
		.bundle_fd = s->bundle_fd,
		.container_idmap = userns ? &spec->idmap : NULL,
		.container_userns = s->init.ns_fds[NS_USER],
		.keep_shared = spec->root.propagation & MS_SHARED,
	};

	for (size_t i = 0; i < spec->n_mounts; i++)
		mount_settle(&s->spec->mounts[i], s->bundle, s->rootfs);
	s->source_fds = xalloc((spec->n_mounts + 1) * sizeof(int));
	for (size_t i = 0; i < spec->n_mounts; i++)
		s->source_fds[i] = FD_NONE;
	s->init.source_fds = s->source_fds;
	for (size_t i = 0; i < spec->n_mounts; i++) {
		if (mount_open_source(&spec->mounts[i], &from, &s->source_fds[i], e) < 0)
			return err_wrap(e, "mounts[%zu]: %s", i, spec->mounts[i].target);
	}
	return 0;
}

int startup_open_namespaces(struct startup *s, struct err *e)
{
	return ns_open_paths(&s->spec->ns, s->init.ns_fds, e);
}

int startup_open_sockets(struct startup *s, struct err *e)
{
	const char *pidfd_socket =
		s->args->pidfd_socket ? s->args->pidfd_socket : s->spec->pidfd_receiver;

	if (pidfd_socket) {
		s->pidfd_sock_fd = container_connect_pidfd(pidfd_socket, e);
		if (s->pidfd_sock_fd < 0)
			return -1;
	}
	if (s->args->console_socket) {
		s->init.console_sock_fd =
			sock_connect_at(AT_FDCWD, s->args->console_socket, SOCK_STREAM, e);
		if (s->init.console_sock_fd < 0)
			return err_wrap(e, "console socket");
	} else if (s->spec->process.terminal) {
		int pair[2];

		if (sock_pair(SOCK_STREAM, pair, e) < 0)
			return -1;
		s->console_fd = pair[0];
		s->init.console_sock_fd = pair[1];
		s->init.console_relayed = true;
	}
	if (!s->run) {
		s->init.start_fd = sock_listen_at(s->c.dir_fd, STATE_START_SOCKET,
						  SOCK_SEQPACKET, 0600, e);
		if (s->init.start_fd < 0)
			return -1;
	}
	int pair[2];
	if (sock_pair(SOCK_SEQPACKET, pair, e) < 0)
		return -1;
	s->sync_fd = pair[0];
	s->init.sync_fd = pair[1];
	return 0;
}
