#include "runtime/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "runtime/mountapi.h"
#include "runtime/netlink.h"
#include "runtime/rtnl.h"

enum { ADDRESSES_MAX = 128 };

static const char pin[] = "netns";

static const char *inside(const struct netdev_spec *d)
{
	return d->as ? d->as : d->name;
}

int netdev_check(const struct netdev_spec *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!rtnl_name_ok(v[i].name))
			return err_set(e, EINVAL, "invalid network device name \"%.40s\"",
				       v[i].name);
		if (!rtnl_name_ok(inside(&v[i])) || strcmp(inside(&v[i]), "lo") == 0)
			return err_set(e, EINVAL, "%s: invalid network device name \"%.40s\"",
				       v[i].name, inside(&v[i]));
		for (size_t k = 0; k < i; k++) {
			if (strcmp(inside(&v[k]), inside(&v[i])) == 0)
				return err_set(e, EINVAL, "%s and %s would both be %s inside",
					       v[k].name, v[i].name, inside(&v[i]));
		}
	}
	return 0;
}

/* The two sides of a move: sockets, and where it goes. */
struct way {
	int from, to, to_ns;
};

/* The kernel takes a device down and its addresses away when it moves. */
static int arrive(const struct way *w, const char *as, const struct netaddr *a, size_t n,
		  bool up, struct err *e)
{
	auto_nl struct nl_batch b = NL_BATCH;
	struct rtnl_link l;
	const int r = rtnl_find(w->to, as, &l, e);

	if (r != 0)
		return r < 0 ? -1 : err_set(e, ENODEV, "%s did not arrive", as);
	for (size_t i = 0; i < n; i++) {
		nl_label(&b, "give it its address back");
		rtnl_put_address(&b, l.index, &a[i], RTNL_NO_DAD);
	}
	if (up) {
		nl_label(&b, "bring it up");
		rtnl_put_flags(&b, l.index, NULL, true);
	}
	if (b.count == 0)
		return 0;
	nl_ack(&b);
	return nl_talk(w->to, &b, NULL, NULL, e);
}

/* Returns 1 when there is no such device. */
static int move(const struct way *w, const char *name, const char *as, bool always_up,
		struct err *e)
{
	struct netaddr addresses[ADDRESSES_MAX];
	auto_nl struct nl_batch b = NL_BATCH;
	struct rtnl_link l;
	const int r = rtnl_find(w->from, name, &l, e);

	if (r != 0)
		return r;
	const int n = rtnl_addresses(w->from, l.index, addresses, ADDRESSES_MAX, e);
	if (n < 0)
		return -1;
	nl_label(&b, "move it");
	rtnl_put_move(&b, l.index, as, w->to_ns);
	nl_ack(&b);
	if (nl_talk(w->from, &b, NULL, NULL, e) < 0)
		return -1;
	return arrive(w, as, addresses, (size_t) n, always_up || l.flags & IFF_UP, e);
}

static int say_missing(struct err *e, int code)
{
	if (code == EPERM)
		return err_hint(e, "it needs CAP_NET_ADMIN over the host's network namespace");
	return -1;
}

int netdev_give(const struct netdev_spec *v, size_t n, int ns_fd, struct err *e)
{
	auto_close int from = nl_open(NETLINK_ROUTE, e);
	auto_close int to = from < 0 ? FD_NONE : nl_open_in(ns_fd, NETLINK_ROUTE, e);
	const struct way w = { from, to, ns_fd };

	if (from < 0 || to < 0)
		return say_missing(e, e->code);
	for (size_t i = 0; i < n; i++) {
		const int r = move(&w, v[i].name, inside(&v[i]), true, e);

		if (r > 0)
			(void) err_set(e, ENODEV, "there is no such device");
		if (r != 0) {
			(void) err_wrap(e, "%s", v[i].name);
			return say_missing(e, e->code);
		}
	}
	return 0;
}

int netdev_return(const struct netdev_spec *v, size_t n, int ns_fd, struct err *e)
{
	auto_close int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return err_sys(e, "/proc/self/ns/net");
	auto_close int to = nl_open(NETLINK_ROUTE, e);
	auto_close int from = to < 0 ? FD_NONE : nl_open_in(ns_fd, NETLINK_ROUTE, e);
	const struct way w = { from, to, own };
	int result = 0;

	if (from < 0 || to < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_NONE;

		if (move(&w, inside(&v[i]), v[i].name, false, &why) >= 0 || result < 0)
			continue;
		*e = why;
		result = err_wrap(e, "bring %s back as %s", inside(&v[i]), v[i].name);
	}
	return result;
}

/* ---- the pin ---- */

int netdev_pin(int ns_fd, int dir_fd, struct err *e)
{
	auto_close int file =
		openat(dir_fd, pin, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (file < 0)
		return err_sys(e, "make the file that keeps the network namespace");
	auto_close int tree = mountapi_clone(ns_fd, "", AT_EMPTY_PATH, e);
	if (tree < 0 || mountapi_attach(tree, file, e) < 0)
		return err_wrap(e, "keep the network namespace");
	return 0;
}

int netdev_pinned(int dir_fd, struct err *e)
{
	auto_close int fd = openat(dir_fd, pin, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? FD_NONE
				       : err_sys(e, "open the network namespace that is kept");
	/* A runtime that was killed before the mount left the file alone. */
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET ? take_fd(&fd) : FD_NONE;
}

void netdev_unpin(int dir_fd)
{
	auto_free char *path = xasprintf("%s/%s", fd_path(dir_fd).s, pin);

	(void) umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	(void) unlinkat(dir_fd, pin, 0);
}
