/*
 * A container's network, on its way in and out: between the state, the spec and the leaves that do it.
 *
 * In: after the clone, while init waits for SYNC_MAPPED; so nothing of the container runs before its network is
 * complete. Out: by undo after a failure, or by delete; both do whatever the state says, however much of it was made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/startup.h"

bool startup_wants_network(const struct startup *s)
{
	return s->spec->network || s->spec->n_netdevs > 0;
}

static int open_namespace(const struct startup *s, struct err *e)
{
	char path[48];

	if (s->init.ns_fds[NS_NET] >= 0)
		return fd_dup(s->init.ns_fds[NS_NET], e);
	/* Our own child, not reaped: the number is still its. */
	(void) snprintf(path, sizeof(path), "/proc/%d/ns/net", s->child.pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "the container's network namespace") : fd;
}

int startup_network(struct startup *s, struct err *e)
{
	const struct spec *spec = s->spec;

	if (!startup_wants_network(s))
		return 0;
	auto_close int ns = open_namespace(s, e);
	if (ns < 0)
		return -1;
	if (spec->network && network_connect(spec->network, s->port, s->args->id, ns, e) < 0)
		return err_wrap(e, "annotations.%s", NETWORK_ANNOTATION);
	if (spec->n_netdevs == 0)
		return 0;
	s->gave_devices = true;
	if (ns_is_new(&spec->ns, NS_NET) && netdev_pin(ns, s->c.dir_fd, e) < 0)
		return err_wrap(e, "linux.netDevices");
	if (netdev_give(spec->netdevs, spec->n_netdevs, ns, e) < 0)
		return err_wrap(e, "linux.netDevices");
	return 0;
}

/* ---- out ---- */

static int bring_back(int dir_fd, const struct spec *spec, struct err *e)
{
	auto_close int ns = netdev_pinned(dir_fd, e);

	if (ns < 0 && e->code)
		return -1;
	if (ns >= 0 && netdev_return(spec->netdevs, spec->n_netdevs, ns, e) < 0)
		return err_wrap(e, "linux.netDevices");
	netdev_unpin(dir_fd);
	return 0;
}

int startup_network_end(struct startup *s, struct err *e)
{
	const struct spec *spec = s->spec;

	if (s->gave_devices && ns_is_new(&spec->ns, NS_NET) &&
	    bring_back(s->c.dir_fd, spec, e) < 0)
		return -1;
	return s->port[0] ? network_remove(spec->network, s->port, e) : 0;
}

void startup_network_undo(struct startup *s)
{
	const int joined = s->init.ns_fds[NS_NET];
	struct err ignored = ERR_NONE; /* the failure that led here is the one to report */

	/* In a namespace of somebody else's they stay after a success only. */
	if (s->gave_devices && joined >= 0)
		(void) netdev_return(s->spec->netdevs, s->spec->n_netdevs, joined, &ignored);
	(void) startup_network_end(s, &ignored);
}

static int bring_back_by_state(struct container *c, struct err *e)
{
	auto_spec struct spec *spec = NULL;
	struct json_doc *doc = json_doc_new();

	if (spec_from_netdevs(doc, c->state->net_devices, &spec, e) < 0) {
		json_doc_free(doc);
		return -1;
	}
	return bring_back(c->dir_fd, spec, e);
}

static int disconnect(const struct state *s, struct err *e)
{
	const char *text = json_str_or(s->annotations, NETWORK_ANNOTATION, "");
	struct network_spec n;

	if (network_parse(text, strlen(text), &n, e) != 0)
		return e->code ? err_wrap(e, "state: annotations.%s", NETWORK_ANNOTATION) : 0;
	return network_remove(&n, s->port, e);
}

int container_remove_network(struct container *c, struct err *e)
{
	if (!c->state)
		return 0;
	if (c->state->net_devices && bring_back_by_state(c, e) < 0)
		return -1;
	return c->state->port ? disconnect(c->state, e) : 0;
}
