/*
 * carrel-sdbus: what carrel-runtime asks of systemd.
 *
 * The runtime is one static file, and libsystemd exists only as a shared object. So the runtime starts this program, with
 * a socket as descriptor 3, when the systemd driver is asked for, and never otherwise. It answers each packet with a
 * packet (runtime/systemd/request.h) and ends when the socket does: a scope that holds nothing but this process, because
 * the runtime died before it put a container there, ends with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/sock.h"
#include "base/util.h"
#include "runtime/systemd/bus.h"
#include "runtime/systemd/request.h"
#include "runtime/systemd/unit.h"
#include "version.h"

enum { SOCKET_FD = 3 };

static int (*const operations[])(struct bus *, const struct request *, struct buf *,
				 struct err *) = {
	[REQUEST_START] = unit_start, [REQUEST_SET] = unit_set,
	[REQUEST_STOP] = unit_stop,   [REQUEST_ATTACH] = unit_attach,
	[REQUEST_WHERE] = unit_where,
};

static int carry_out(const char *text, struct bus *b, struct buf *cgroup, struct err *e)
{
	struct request q;
	int r = 0;

	if (request_parse(text, &q, e) < 0)
		return -1;
	bus_set_timeout(b, q.timeout_ms);
	if (!b->sd)
		r = bus_open(q.user, b, e);
	if (r == 0)
		r = operations[q.op](b, &q, cgroup, e);
	request_fini(&q);
	return r;
}

static int serve(int fd)
{
	auto_free char *text = xalloc(REQUEST_MAX + 1);
	struct bus bus = { 0 };
	struct err e = ERR_NONE;
	ssize_t n;
	int sent = 0;

	while (sent == 0 && (n = sock_recv(fd, text, REQUEST_MAX, NULL, NULL, &e)) > 0) {
		auto_buf struct buf answer = BUF_LIMIT(REQUEST_MAX);
		auto_buf struct buf cgroup = BUF_LIMIT(4096);
		struct err why = ERR_NONE;

		text[n] = '\0';
		if (carry_out(text, &bus, &cgroup, &why) < 0)
			sent = buf_printf(&answer, &e, "error\t%d\t%s", why.code, why.msg);
		else
			sent = buf_printf(&answer, &e, "ok\t%s", buf_str(&cgroup));
		if (sent == 0)
			sent = sock_send(fd, buf_bytes(&answer), buf_len(&answer), NULL, 0, &e);
	}
	bus_close(&bus);
	return sent == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("carrel-sdbus version " CARREL_VERSION);
		return 0;
	}
	if (argc != 1 || fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC) < 0) {
		fputs("carrel-sdbus: carrel-runtime starts this program when its cgroup driver is "
		      "systemd\n",
		      stderr);
		return 1;
	}
	return serve(SOCKET_FD);
}
