/*
 * carrel-shim: one sandbox, its terminal, its clients.
 *
 * Processes and rights:
 *
 *   starter ──exec──► carrel-shim            root; locks DIR, leaves the host's mount namespace, listens
 *                        │ fork
 *                        ├── front           no capabilities, seccomp: clients, terminal, timers, shim.sock
 *                        │
 *                        └─ becomes janitor  root; mounts the root, runs the runtime, reaps, removes
 *                             │ exec
 *                             └── carrel-runtime run --detach ──► the sandbox's first process,
 *                                                                 the janitor's child (subreaper)
 *
 * The front is forked before anything is mounted or run, so that its preparations take no time of the
 * start, and so that it never saw more than the orders. It reads the first byte of a client after it has
 * dropped its rights. What the two say to each other is drawn in shim/talk.h; who outlives whom, in
 * shim/janitor.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/sock.h"
#include "base/util.h"
#include "shim/front.h"
#include "shim/handover.h"
#include "shim/isolate.h"
#include "shim/janitor.h"
#include "shim/orders.h"
#include "shim/rootfs.h"
#include "shim/scan_start.h"
#include "shim/sweep.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_ALIVE = 3 };

struct options {
	const char *dir;
	int64_t ready_fd;
	int64_t resume_fd, check_fd;
	bool sweep, debug, man, handover_version;
};

static const struct opt options[] = {
	{ "dir", 0, OPT_STRING, offsetof(struct options, dir), "DIR",
	  "the sandbox's directory" },
	{ "ready-fd", 0, OPT_INT, offsetof(struct options, ready_fd), "N",
	  "write one JSON line here when the program runs or cannot run (default: stdout)" },
	{ "sweep", 0, OPT_SWITCH, offsetof(struct options, sweep), NULL,
	  "remove what a dead shim left of the sandbox; exit 3 when it is alive" },
	{ "handover-version", 0, OPT_SWITCH, offsetof(struct options, handover_version), NULL,
	  "print, as JSON, which running shims this program can take over from" },
	{ "resume", 0, OPT_INT, offsetof(struct options, resume_fd), "N",
	  "a running shim's: go on from the state in this descriptor" },
	{ "check-resume", 0, OPT_INT, offsetof(struct options, check_fd), "N",
	  "a running shim's: only look whether that would be possible" },
	{ "man", 0, OPT_SWITCH, offsetof(struct options, man), NULL,
	  "print the manual page's source" },
	{ "debug", 0, OPT_SWITCH, offsetof(struct options, debug), NULL,
	  "log every step to DIR/shim.log" },
	{ 0 }
};

static const struct opt_program program = {
	.name = "carrel-shim",
	.summary = "run one sandbox, own its terminal, serve its clients",
	.text = "Started by carrel-sessiond and by carrel run, not by hand. DIR/sandbox.json holds the "
		"orders, DIR/bundle an OCI bundle. The shim mounts the root filesystem in a mount namespace of "
		"its own, has the OCI runtime start the program, and serves its terminal on DIR/shim.sock until "
		"the program ends. Then it removes everything and leaves DIR/exit.json.\n"
		"\n"
		"Exit status: 0 after a sandbox has run, 1 when it could not, 2 for a wrong command line, 3 when "
		"--sweep found it alive.",
	.opts = options,
	.section = 8,
};

/* What there is before the shim splits in two. */
struct setup {
	char *dir;
	int dir_fd, lock_fd, log_fd, listen_fd, ready_fd, recording_fd;
	struct scan_ends scan;
	int talk[2];
	char *program; /* this one's path as it was given, so that a newer file is found there */
	struct orders orders;
};

static void setup_fini(struct setup *s)
{
	free(s->dir);
	free(s->program);
	orders_fini(&s->orders);
	fd_close(&s->dir_fd);
	fd_close(&s->lock_fd);
	fd_close(&s->listen_fd);
	fd_close(&s->ready_fd);
	fd_close(&s->recording_fd);
	scan_ends_close(&s->scan);
	fd_close(&s->talk[0]);
	fd_close(&s->talk[1]);
}

/* Not resolved: /usr/bin/carrel-shim may be a link to a version's directory. */
static char *own_path(void)
{
	const char *given = (const char *) getauxval(AT_EXECFN);

	return given && given[0] == '/' ? xstrdup(given) : realpath("/proc/self/exe", NULL);
}

static int take_lock(struct setup *s, struct err *e)
{
	s->dir_fd = open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return err_sys(e, "%s", s->dir);
	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return err_sys(e, "%s/lock", s->dir);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, "%s/lock: another shim has it", s->dir);
	return 0;
}

/* Nothing of the starter's stays but the ready pipe: its terminal may close, its session may end. */
static int leave_starter(struct setup *s, const struct options *o, struct err *e)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int keep[] = { FD_NONE, s->dir_fd, s->lock_fd };

	s->ready_fd = fd_dup(o->ready_fd < 0 ? STDOUT_FILENO : (int) o->ready_fd, e);
	if (s->ready_fd < 0)
		return err_wrap(e, "--ready-fd");
	if (null < 0)
		return err_sys(e, "/dev/null");
	keep[0] = s->ready_fd;
	if (child_set_stdio(null, null, null, e) < 0 ||
	    isolate_descriptors(keep, ARRAY_SIZE(keep), e) < 0)
		return -1;
	(void) take_fd(&null); /* closed with the others */
	(void) setsid();       /* refused to a leader, who needs it not */
	s->log_fd = openat(s->dir_fd, "shim.log",
			   O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->log_fd < 0)
		return err_sys(e, "%s/shim.log", s->dir);
	log_open(s->log_fd, LOG_TEXT, o->debug ? LOG_LV_DEBUG : LOG_LV_INFO);
	return 0;
}

/* The front gets it as a descriptor: it opens nothing. */
static int open_recording(struct setup *s, struct err *e)
{
	const char *file = s->orders.recording.file;

	if (!file)
		return 0;
	s->recording_fd =
		open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return s->recording_fd < 0 ? err_sys(e, "recording: %s", file) : 0;
}

static int prepare(struct setup *s, struct err *e)
{
	static const int ignored[] = { SIGPIPE, SIGHUP };

	s->program = own_path();
	if (isolate_ignore_signals(ignored, ARRAY_SIZE(ignored), e) < 0 ||
	    orders_read(s->dir_fd, &s->orders, e) < 0 || open_recording(s, e) < 0 ||
	    scan_start(&s->orders, s->dir_fd, &s->scan, e) < 0 || rootfs_own_namespace(e) < 0)
		return -1;
	/* A descriptor stays in the namespace that it was opened in; the root is mounted in the new one. */
	fd_close(&s->dir_fd);
	s->dir_fd = open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return err_sys(e, "%s", s->dir);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(e, "become a subreaper");
	s->listen_fd = sock_listen_at(s->dir_fd, "shim.sock", SOCK_SEQPACKET, 0600, e);
	if (s->listen_fd < 0)
		return err_wrap(e, "shim.sock");
	return sock_pair(SOCK_SEQPACKET, s->talk, e);
}

static int be_front(struct setup *s)
{
	struct front_spec spec = { .orders = &s->orders,
				   .talk_fd = s->talk[1],
				   .listen_fd = s->listen_fd,
				   .lock_fd = s->lock_fd,
				   .log_fd = s->log_fd,
				   .recording_fd = s->recording_fd,
				   .scan_fd = s->scan.fd,
				   .scan_log_fd = s->scan.log_fd };
	struct err e = ERR_NONE;

	if (front_run(&spec, &e) == 0)
		return 0;
	log_error("front: %s", e.msg);
	return EXIT_FAILED;
}

static int be_janitor(struct setup *s, struct child front)
{
	struct janitor_spec spec = { .orders = &s->orders,
				     .dir = s->dir,
				     .dir_fd = s->dir_fd,
				     .talk_fd = s->talk[0],
				     .ready_fd = take_fd(&s->ready_fd),
				     .front = front,
				     .scanner = s->scan.pid,
				     .lock_fd = s->lock_fd,
				     .log_fd = s->log_fd,
				     .program = s->program };
	struct err e = ERR_NONE;

	fd_close(&s->talk[1]);
	fd_close(&s->listen_fd);
	fd_close(&s->recording_fd);
	scan_ends_close(&s->scan);
	return janitor_run(&spec, &e) == 0 ? 0 : EXIT_FAILED;
}

static int run_sandbox(const struct options *o, struct setup *s)
{
	struct child front = CHILD_NONE;
	struct err e = ERR_NONE;
	int r;

	if (take_lock(s, &e) < 0 || leave_starter(s, o, &e) < 0 || prepare(s, &e) < 0) {
		janitor_report_failure(s->ready_fd >= 0	  ? s->ready_fd
				       : o->ready_fd >= 0 ? (int) o->ready_fd
							  : STDOUT_FILENO,
				       &e);
		return EXIT_FAILED;
	}
	r = child_clone(0, -1, &front, &e);
	if (r < 0) {
		janitor_report_failure(s->ready_fd, &e);
		return EXIT_FAILED;
	}
	if (r == 0)
		_exit(be_front(
			s)); /* a forked half runs no exit handlers: those are the other's */
	return be_janitor(s, front);
}

static int complain(const struct err *e, int status)
{
	(void) fprintf(stderr, "carrel-shim: %s\n", e->msg);
	return status;
}

static int show(enum opt_result what)
{
	auto_buf struct buf text = BUF_LIMIT(65536);
	struct err e = ERR_NONE;

	if (opt_render(&program, what, NULL, &text, &e) < 0)
		return complain(&e, EXIT_FAILED);
	return fputs(buf_str(&text), stdout) < 0;
}

static int print_version(void)
{
	auto_buf struct buf text = BUF_LIMIT(4096);
	struct err e = ERR_NONE;

	if (handover_print_version(&text, &e) < 0)
		return complain(&e, EXIT_FAILED);
	return fputs(buf_str(&text), stdout) < 0;
}

/* The front's state lies behind the janitor's. It ends here: it may do no more than that by then. */
static void check(const char *dir, int fd)
{
	struct err e = ERR_NONE;

	if (handover_check(dir, fd, fd + 1, &e) == 0)
		_exit(0);
	_exit(complain(&e, EXIT_FAILED));
}

static int sweep(const char *dir)
{
	struct err e = ERR_NONE;

	if (sweep_dead(dir, &e) == 0)
		return 0;
	return complain(&e, e.code == EBUSY ? EXIT_ALIVE : EXIT_FAILED);
}

int main(int argc, char **argv)
{
	struct options o = { .ready_fd = -1, .resume_fd = -1, .check_fd = -1 };
	struct setup setup = { .dir_fd = FD_NONE,
			       .lock_fd = FD_NONE,
			       .log_fd = FD_NONE,
			       .listen_fd = FD_NONE,
			       .ready_fd = FD_NONE,
			       .recording_fd = FD_NONE,
			       .scan = SCAN_ENDS_NONE,
			       .talk = { FD_NONE, FD_NONE } };
	struct opt_parsed parsed = { 0 };
	struct err e = ERR_NONE;
	int r = opt_parse(&program, argc, argv, &o, &parsed, &e);

	if (r < 0)
		return complain(&e, EXIT_USAGE);
	if (r == OPT_RUN && !o.man && !o.handover_version &&
	    (!o.dir || parsed.n_operands > 0)) {
		opt_parsed_fini(&parsed);
		(void) err_set(&e, EINVAL, "--dir DIR is needed, and no operand");
		return complain(&e, EXIT_USAGE);
	}
	opt_parsed_fini(&parsed);
	if (r != OPT_RUN || o.man)
		return show(o.man ? OPT_MAN : (enum opt_result) r);
	if (o.handover_version)
		return print_version();
	if (o.resume_fd >= 0)
		return handover_resume(o.dir, (int) o.resume_fd, o.debug);
	if (o.check_fd >= 0)
		check(o.dir, (int) o.check_fd);
	setup.dir = realpath(o.dir, NULL);
	if (!setup.dir && o.sweep && errno == ENOENT)
		return 0;
	if (!setup.dir) {
		(void) err_sys(&e, "%s", o.dir);
		return complain(&e, EXIT_FAILED);
	}
	r = o.sweep ? sweep(setup.dir) : run_sandbox(&o, &setup);
	setup_fini(&setup);
	return r;
}
