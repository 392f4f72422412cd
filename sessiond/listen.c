#include "sessiond/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/sock.h"
#include "base/str.h"

enum { BACKLOG = 1024 };

static int wrong(const char *s, struct err *e)
{
	return err_set(e, EINVAL,
		       "listen \"%.120s\": neither ADDRESS:PORT, [ADDRESS]:PORT nor "
		       "unix:/PATH[,group=NAME]",
		       s);
}

static int parse_unix(const char *s, struct listen_addr *out, struct err *e)
{
	static const char option[] = ",group=";
	const char *comma = strstr(s, option);
	size_t n = comma ? (size_t) (comma - s) : strlen(s);

	out->is_unix = true;
	out->loopback = true;
	if (s[5] != '/' || s[n - 1] == '/' || n - 5 >= sizeof(out->path) ||
	    (comma && !comma[sizeof(option) - 1]))
		return wrong(s, e);
	memcpy(out->path, s + 5, n - 5);
	return comma ? str_copy(out->group, sizeof(out->group), comma + sizeof(option) - 1,
				"listen: group", e)
		     : 0;
}

static int parse_address(const char *host, struct listen_addr *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *) &out->sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &out->sa;

	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t) out->port);
		out->n_sa = sizeof(*v4);
		out->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
		out->wildcard = v4->sin_addr.s_addr == 0;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t) out->port);
		out->n_sa = sizeof(*v6);
		out->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
		out->wildcard = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
		return 0;
	}
	return -1;
}

int listen_parse(const char *s, struct listen_addr *out, struct err *e)
{
	const char *colon = strrchr(s, ':');
	struct err why = ERR_NONE;
	uint64_t port;
	char host[64];
	size_t n;

	*out = (struct listen_addr){ 0 };
	if (str_has_prefix(s, "unix:"))
		return parse_unix(s, out, e);
	n = colon ? (size_t) (colon - s) : 0;
	if (n == 0 || n >= sizeof(host) ||
	    str_to_u64(colon + 1, 65535, "port", &port, &why) < 0)
		return wrong(s, e);
	out->port = (unsigned) port;
	memcpy(out->host, s, n);
	memcpy(host, s, n);
	host[n] = 0;
	if (host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = 0;
		if (!strchr(host, ':'))
			return wrong(s, e);
	} else if (strchr(host, ':')) {
		return wrong(s, e);
	}
	return parse_address(host, out) < 0 ? wrong(s, e) : 0;
}

/* The socket is 0600 until it is the group's; who has connected by then may have been its owner only. */
static int give_to_group(int dir_fd, const char *name, const struct listen_addr *a,
			 struct err *e)
{
	const struct group *g;

	errno = 0;
	g = getgrnam(a->group);
	if (!g)
		return err_set(e, ENOENT, "listen unix:%s: there is no group %s", a->path,
			       a->group);
	if (fchownat(dir_fd, name, (uid_t) -1, g->gr_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir_fd, name, 0660, 0) < 0)
		return err_sys(e, "listen unix:%s: give it to group %s", a->path, a->group);
	return 0;
}

static int open_unix(const struct listen_addr *a, struct err *e)
{
	auto_free char *dir = xstrdup(a->path);
	char *slash = strrchr(dir, '/');
	auto_close int dir_fd = -1, fd = -1;

	*slash = 0;
	dir_fd = open(*dir ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_sys(e, "listen unix:%s: its directory", a->path);
	fd = sock_listen_at(dir_fd, slash + 1, SOCK_STREAM, 0600, e);
	if (fd < 0)
		return -1;
	if (a->group[0] && give_to_group(dir_fd, slash + 1, a, e) < 0) {
		(void) unlinkat(dir_fd, slash + 1, 0);
		return -1;
	}
	return take_fd(&fd);
}

int listen_open(struct listen_addr *a, struct err *e)
{
	auto_close int fd = -1;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} got = { 0 };
	socklen_t n = sizeof(got);
	int on = 1;

	if (a->is_unix)
		return open_unix(a, e);
	fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->sa.ss_family == AF_INET6)
		(void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *) &a->sa, a->n_sa) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, "listen %s:%u", a->host, a->port);
	if (getsockname(fd, &got.any, &n) < 0)
		return err_sys(e, "getsockname");
	a->port = ntohs(got.any.sa_family == AF_INET ? got.v4.sin_port : got.v6.sin6_port);
	return take_fd(&fd);
}
