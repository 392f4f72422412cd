#include "shim/exitinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"
#include "shim/cgmount.h"

enum { COUNTER_BYTES = 65536 };

const char *end_reason_name(uint32_t reason)
{
	static const char *const names[] = { "exited",	 "signalled", "oom",	 "idle",
					     "lifetime", "detached",  "deleted", "policy",
					     "error",	 "timeout" };

	return reason < ARRAY_SIZE(names) ? names[reason] : "error";
}

/* The number behind "key " in a file of the cgroup; key NULL: the file is the number. 0 when absent. */
static uint64_t counter(int dir_fd, const char *file, const char *key)
{
	auto_buf struct buf text = BUF_LIMIT(COUNTER_BYTES);
	struct err e = ERR_NONE;
	size_t n = key ? strlen(key) : 0;
	const char *line;

	if (dir_fd < 0 || fd_read_file(dir_fd, file, COUNTER_BYTES, &text, &e) < 0)
		return 0;
	for (line = buf_str(&text); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!key)
			return strtoull(line, NULL, 10);
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	}
	return 0;
}

static uint64_t oom_kills(const struct exit_cgroup *c)
{
	return counter(c->memory_fd, c->memory_v2 ? "memory.events" : "memory.oom_control",
		       "oom_kill");
}

int exit_cgroup_open(pid_t pid, struct exit_cgroup *out, struct err *e)
{
	struct exit_cgroup c = EXIT_CGROUP_NONE;
	struct cgmounts mounts = { 0 };

	if (cgmounts_read(&mounts, e) < 0)
		return -1;
	c.memory_fd = cgmounts_open_of(&mounts, pid, "memory");
	c.cpu_fd = cgmounts_open_of(&mounts, pid, "cpuacct");
	if (c.memory_fd < 0) {
		c.memory_fd = cgmounts_open_of(&mounts, pid, "");
		c.memory_v2 = true;
	}
	c.io_fd = cgmounts_open_of(&mounts, pid, "blkio");
	if (c.io_fd < 0) {
		c.io_fd = cgmounts_open_of(&mounts, pid, "");
		c.io_v2 = true;
	}
	if (c.cpu_fd < 0) {
		c.cpu_fd = cgmounts_open_of(&mounts, pid, "");
		c.cpu_v2 = true;
	}
	cgmounts_fini(&mounts);
	c.oom_kills_before = oom_kills(&c);
	*out = c;
	return 0;
}

void exit_cgroup_close(struct exit_cgroup *c)
{
	fd_close(&c->memory_fd);
	fd_close(&c->cpu_fd);
	fd_close(&c->io_fd);
}

/* Sums over all devices: "8:0 rbytes=1 wbytes=2 ..." or, in version 1, "8:0 Read 1" and "8:0 Write 2". */
static void read_io(const struct exit_cgroup *c, struct exit_usage *out)
{
	auto_buf struct buf text = BUF_LIMIT(COUNTER_BYTES);
	const char *keys[] = { c->io_v2 ? " rbytes=" : " Read ",
			       c->io_v2 ? " wbytes=" : " Write " };
	const char *file = c->io_v2 ? "io.stat" : "blkio.throttle.io_service_bytes";
	uint64_t *const sums[] = { &out->io_read_bytes, &out->io_write_bytes };
	struct err e = ERR_NONE;

	out->io_read_bytes = out->io_write_bytes = 0;
	if (c->io_fd < 0 || fd_read_file(c->io_fd, file, COUNTER_BYTES, &text, &e) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		for (const char *p = buf_str(&text); (p = strstr(p, keys[i]));) {
			p += strlen(keys[i]);
			*sums[i] += strtoull(p, NULL, 10);
		}
}

void exit_cgroup_oom(const struct exit_cgroup *c, struct exit_oom *out)
{
	/* A number that no memory reaches is how version 1 says "none". */
	const uint64_t none = 1ULL << 62, batch = 262144;
	ssize_t n;
	bool met;

	*out = (struct exit_oom){ 0 };
	if (c->memory_fd < 0)
		return;
	n = readlink(fd_path(c->memory_fd).s, out->cgroup, sizeof(out->cgroup) - 1);
	out->cgroup[MAX(n, 0)] = '\0';
	out->limit = counter(c->memory_fd,
			     c->memory_v2 ? "memory.max" : "memory.limit_in_bytes", NULL);
	if (out->limit >= none)
		out->limit = 0;
	/* Version 1 counts no hits on current kernels, but its peak stands at the limit then. Charges come in
	 * batches, so almost. */
	met = c->memory_v2 ? counter(c->memory_fd, "memory.events.local", "oom") > 0
			   : counter(c->memory_fd, "memory.max_usage_in_bytes", NULL) + batch >=
				     out->limit;
	out->own_limit = out->limit > 0 && met;
}

uint64_t exit_oom_kills(const struct exit_cgroup *c)
{
	uint64_t kills = oom_kills(c);

	return kills > c->oom_kills_before ? kills - c->oom_kills_before : 0;
}

void exit_cgroup_read(const struct exit_cgroup *c, struct exit_usage *out)
{
	out->oom_kills = exit_oom_kills(c);
	read_io(c, out);
	out->memory_peak =
		counter(c->memory_fd,
			c->memory_v2 ? "memory.peak" : "memory.max_usage_in_bytes", NULL);
	out->cpu_ns = c->cpu_v2 ? counter(c->cpu_fd, "cpu.stat", "usage_usec") * 1000
				: counter(c->cpu_fd, "cpuacct.usage", NULL);
}

/* The libc's waitid has no place for the usage. */
int exit_wait(struct child *c, struct child_status *out, struct exit_usage *usage,
	      struct err *e)
{
	struct rusage ru = { 0 };
	siginfo_t si;
	long r;

	do {
		si.si_pid = 0;
		r = syscall(SYS_waitid, P_PIDFD, c->pidfd, &si, WEXITED, &ru);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "wait for process %d", (int) c->pid);
	*out = (struct child_status){ .signalled = si.si_code != CLD_EXITED,
				      .code = si.si_status };
	*usage = (struct exit_usage){
		.cpu_ns = ((uint64_t) ru.ru_utime.tv_sec + (uint64_t) ru.ru_stime.tv_sec) *
				  1000000000 +
			  ((uint64_t) ru.ru_utime.tv_usec + (uint64_t) ru.ru_stime.tv_usec) *
				  1000,
		.memory_peak = (uint64_t) ru.ru_maxrss * 1024,
	};
	fd_close(&c->pidfd);
	*c = CHILD_NONE;
	return 0;
}

enum end_reason exit_reason(const struct child_status *status, uint64_t kills)
{
	bool killed =
		status->signalled ? status->code == SIGKILL : status->code == 128 + SIGKILL;

	if (kills > 0 && killed)
		return END_OOM;
	return status->signalled ? END_SIGNALLED : END_EXITED;
}

int exit_info_print(const struct exit_info *x, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_int(w, "version", 1);
	jw_str(w, "id", x->id);
	jw_str(w, "reason", end_reason_name(x->reason));
	jw_int(w, "code", x->code);
	jw_int(w, "signal", x->signal);
	jw_uint(w, "oom_kills", x->usage.oom_kills);
	if (x->usage.oom_kills > 0) {
		jw_object(w, "oom");
		jw_uint(w, "kills", x->usage.oom_kills);
		jw_str(w, "cgroup", x->oom.cgroup);
		jw_uint(w, "limit", x->oom.limit);
		jw_bool(w, "own_limit", x->oom.own_limit);
		jw_close(w);
	}
	jw_str(w, "started_at", x->started_ms ? clock_rfc3339_ms(x->started_ms).s : NULL);
	jw_str(w, "ended_at", clock_rfc3339_ms(x->ended_ms).s);
	jw_str(w, "error", x->error);
	jw_object(w, "usage");
	jw_uint(w, "cpu_ns", x->usage.cpu_ns);
	jw_uint(w, "memory_peak", x->usage.memory_peak);
	jw_uint(w, "io_read_bytes", x->usage.io_read_bytes);
	jw_uint(w, "io_write_bytes", x->usage.io_write_bytes);
	jw_uint(w, "output_bytes", x->usage.output_bytes);
	jw_uint(w, "input_bytes", x->usage.input_bytes);
	jw_close(w);
	jw_close(w);
	return json_writer_end(w, e);
}
