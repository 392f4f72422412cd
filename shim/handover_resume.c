/*
 * The first steps of a program that takes over, and the same as a trial.
 *
 * After execveat the process is what it was: pid, children, being a subreaper, mount namespace, blocked and ignored signals,
 * working directory, standard streams, the descriptors that are named. Its old front is a child that waits for nothing any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/sock.h"
#include "base/util.h"
#include "shim/front.h"
#include "shim/handover.h"
#include "shim/janitor_inside.h"
#include "shim/orders.h"
#include "shim/scan_group.h"
#include "shim/scan_start.h"
#include "shim/sweep.h"

enum { PROGRAM_BYTES = 4096 };

struct resume {
	struct handover h;
	struct orders orders;
	struct janitor_spec spec;
	struct janitor janitor;
	struct rlimit files;
	struct scan_ends scan; /* another scanner, to take over */
	char program[PROGRAM_BYTES];
};

static int read_orders(struct resume *r, const char *dir, struct err *e)
{
	auto_close int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%s", dir);
	return orders_read(fd, &r->orders, e);
}

/* The janitor's own words. Without `take` its descriptors are left where they are. */
static int read_own(struct resume *r, bool take, struct err *e)
{
	struct unpack u = { .fds = take ? r->h.fds : NULL,
			    .n_fds = r->h.n_fds,
			    .format = r->h.format };
	const uint8_t *p = handover_map(r->h.own_fd, &u.n, e);
	size_t n = u.n;
	int result;

	if (!p)
		return -1;
	u.p = p + r->h.body;
	u.n = n - r->h.body;
	r->files.rlim_cur = unpack_u64(&u);
	unpack_str(&u, r->program, sizeof(r->program));
	janitor_restore(&r->janitor, &r->spec, &u);
	result = unpack_end(&u, e);
	handover_unmap(p, n);
	return result < 0 ? err_wrap(e, "the janitor's state") : 0;
}

static int prepare(struct resume *r, const char *dir, int own_fd, struct err *e)
{
	/* The kernel took the descriptor's number for the name. */
	(void) prctl(PR_SET_NAME, "carrel-shim");
	if (handover_read(own_fd, &r->h, e) < 0 || handover_keep(&r->h, false, e) < 0 ||
	    read_orders(r, dir, e) < 0)
		return -1;
	r->spec = (struct janitor_spec){ .orders = &r->orders,
					 .dir = dir,
					 .dir_fd = FD_NONE,
					 .ready_fd = FD_NONE,
					 .lock_fd = FD_NONE,
					 .log_fd = FD_NONE,
					 .talk_fd = FD_NONE,
					 .front = CHILD_NONE,
					 .program = r->program };
	if (janitor_open(&r->janitor, &r->spec, e) < 0)
		return -1;
	return read_own(r, true, e);
}

static int be_front(const struct resume *r, int talk_fd)
{
	const struct front_spec spec = { .orders = &r->orders,
					 .talk_fd = talk_fd,
					 .listen_fd = FD_NONE,
					 .lock_fd = r->spec.lock_fd,
					 .log_fd = r->spec.log_fd,
					 .recording_fd = FD_NONE,
					 .scan_fd = r->scan.fd,
					 .scan_log_fd = FD_NONE,
					 .resume = &r->h };
	struct err e = ERR_NONE;

	if (front_run(&spec, &e) == 0)
		return 0;
	log_error("front: %s", e.msg);
	return 1;
}

/* Returns 0 in the front, 1 in the janitor. */
static int split(struct resume *r, int *talk_fd, struct err *e)
{
	int talk[2], n;

	if (sock_pair(SOCK_SEQPACKET, talk, e) < 0)
		return -1;
	n = child_clone(0, -1, &r->janitor.front, e);
	if (n == 0) {
		*talk_fd = talk[1];
		return 0;
	}
	fd_close(&talk[1]);
	r->spec.talk_fd = talk[0];
	return n < 0 ? -1 : 1;
}

/* Its time is the sandbox's, as the old one's was. */
static int place_scanner(const struct resume *r, struct err *e)
{
	auto_free char *group = NULL;

	if (!r->scan.pid)
		return 0;
	group = sweep_own_cgroup(&r->orders, r->spec.dir_fd);
	return group ? scan_group_place(r->spec.dir_fd, group, r->scan.pid, e) : 0;
}

/* The old one can go on as well. */
static void start_scanner(struct resume *r)
{
	struct err e = ERR_NONE;

	r->scan = SCAN_ENDS_NONE;
	if (scan_start_anew(&r->orders, &r->scan, &e) == 0 && place_scanner(r, &e) == 0)
		return;
	log_warn("policy: the scanner of before goes on: %s", e.msg);
	scan_ends_close(&r->scan);
}

/* The limit on descriptors was raised for the moment in which one process held those of both halves. */
static void settle(struct resume *r)
{
	struct rlimit now;

	handover_fini(&r->h);
	scan_ends_close(&r->scan);
	if (getrlimit(RLIMIT_NOFILE, &now) == 0) {
		now.rlim_cur = MIN(r->files.rlim_cur, now.rlim_max);
		(void) setrlimit(RLIMIT_NOFILE, &now);
	}
}

int handover_resume(const char *dir, int own_fd, bool debug)
{
	auto_free struct resume *r = xalloc(sizeof(*r));
	struct err e = ERR_NONE;
	int n, talk_fd;

	n = prepare(r, dir, own_fd, &e);
	log_open(r->spec.log_fd, LOG_TEXT, debug ? LOG_LV_DEBUG : LOG_LV_INFO);
	if (n == 0) {
		child_end(&r->janitor.front);
		start_scanner(r);
		n = split(r, &talk_fd, &e);
	}
	if (n < 0) {
		log_error("upgrade: %s; what is left is for --sweep", e.msg);
		return 1;
	}
	if (n == 0)
		_exit(be_front(r, talk_fd));
	settle(r);
	log_info("upgrade: this is build %s", handover_build().s);
	if (janitor_await_ready(&r->janitor, &e) < 0) {
		log_error("%s", e.msg);
		janitor_front_died(&r->janitor);
	}
	janitor_live(&r->janitor);
	orders_fini(&r->orders);
	return 0;
}

int handover_check(const char *dir, int own_fd, int front_fd, struct err *e)
{
	auto_free struct resume *r = xalloc(sizeof(*r));
	struct front_spec spec = { .orders = &r->orders,
				   .talk_fd = FD_NONE,
				   .listen_fd = FD_NONE,
				   .lock_fd = FD_NONE,
				   .log_fd = FD_NONE,
				   .recording_fd = FD_NONE,
				   .scan_fd = FD_NONE,
				   .scan_log_fd = FD_NONE,
				   .resume = &r->h };

	if (handover_read(own_fd, &r->h, e) < 0 || read_orders(r, dir, e) < 0)
		return -1;
	r->h.front_fd = front_fd;
	r->janitor.orders = &r->orders;
	if (read_own(r, false, e) < 0)
		return -1;
	return front_check(&spec, e);
}
