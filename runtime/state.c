#include "runtime/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/cgroup.h"
#include "runtime/spec.h"

enum { STATE_VERSION = 1, STATE_MAX = 1 << 20 };

static const char state_file[] = "state.json", init_link[] = "init",
		  next_init_link[] = "init.next";

/* ---- directories ---- */

int state_id_check(const char *id, struct err *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_+-.";

	if (!id[0] || strlen(id) > NAME_MAX || strspn(id, allowed) != strlen(id) ||
	    strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return err_set(e, EINVAL,
			       "invalid container ID \"%.64s\": letters, digits and _+-. are "
			       "allowed",
			       id);
	return 0;
}

static int cannot_make(const char *path, struct err *e)
{
	(void) err_sys(e, "make %s", path);
	return e->code == EROFS ? err_hint(e, "--root names another place") : -1;
}

static int make_parents(const char *path, struct err *e)
{
	auto_free char *copy = xstrdup(path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0711) < 0 && errno != EEXIST)
			return cannot_make(copy, e);
		*p = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return cannot_make(copy, e);
	return 0;
}

int state_root_open(const char *path, bool make, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT && make) {
		if (make_parents(path, e) < 0)
			return err_wrap(e, "state directory");
		fd = open(path, flags);
	}
	return fd < 0 ? err_sys(e, "state directory %s", path) : fd;
}

/* A directory that was removed while we waited for its lock is not the container's any more. */
static int lock(int dir_fd, enum state_lock how, bool *gone, struct err *e)
{
	const int op = how == STATE_EXCLUSIVE ? LOCK_EX : LOCK_SH;
	struct stat st;
	int r;

	*gone = false;
	if (how == STATE_UNLOCKED)
		return 0;
	do
		r = flock(dir_fd, op);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(dir_fd, &st) < 0)
		return err_sys(e, "lock the state directory");
	*gone = st.st_nlink == 0;
	return 0;
}

void state_unlock(int dir_fd)
{
	(void) flock(dir_fd, LOCK_UN);
}

int state_lock_again(int dir_fd, bool *gone, struct err *e)
{
	return lock(dir_fd, STATE_EXCLUSIVE, gone, e);
}

int state_dir_make(int root_fd, const char *id, struct err *e)
{
	bool gone;

	if (state_id_check(id, e) < 0)
		return -1;
	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(e, EEXIST, "container with given ID already exists");
		return cannot_make("the state directory", e);
	}
	auto_close int fd =
		openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		(void) err_sys(e, "open the state directory");
	if (fd < 0 || lock(fd, STATE_EXCLUSIVE, &gone, e) < 0) {
		(void) unlinkat(root_fd, id, AT_REMOVEDIR); /* empty still */
		return -1;
	}
	if (gone)
		return err_set(e, ENOENT, "the state directory was removed by another call");
	return take_fd(&fd);
}

int state_dir_open(int root_fd, const char *id, enum state_lock how, struct err *e)
{
	bool gone = true;

	if (state_id_check(id, e) < 0)
		return -1;
	auto_close int fd =
		openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "open the state directory");
	if (fd >= 0 && lock(fd, how, &gone, e) < 0)
		return -1;
	if (gone)
		return err_set(e, ENOENT, "container %s does not exist", id);
	return take_fd(&fd);
}

int state_dir_remove(int root_fd, int dir_fd, const char *id, struct err *e)
{
	/* The usual content first, without reading the directory. */
	(void) unlinkat(dir_fd, init_link, 0);
	(void) unlinkat(dir_fd, STATE_START_SOCKET, 0);
	(void) unlinkat(dir_fd, "seccomp.bpf", 0);
	(void) unlinkat(dir_fd, state_file, 0);
	if (unlinkat(root_fd, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return fd_remove_tree(root_fd, id, e);
}

/* ---- writing ---- */

static unsigned own_namespaces(const struct spec *s)
{
	unsigned mask = 0;

	for (int k = 0; k < NS_COUNT; k++)
		mask |= s->ns.ns[k].listed ? 1u << k : 0;
	return mask;
}

static void write_hooks(struct json_writer *w, const struct spec *s)
{
	if (s->hooks.kind[HOOK_POSTSTART].n || s->hooks.kind[HOOK_POSTSTOP].n)
		jw_node(w, "hooks", json_get(json_root(s->doc), "hooks"));
}

/* Of `linux`, what a process of exec is to have as well. */
static void write_inherited(struct json_writer *w, const struct spec *s)
{
	static const char *const fields[] = { "personality", "memoryPolicy" };
	const struct json *linux_part;

	if (!s->process.has_personality && !s->process.mempolicy.set)
		return;
	linux_part = json_get(json_root(s->doc), "linux");
	jw_object(w, "linux");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct json *v = json_get(linux_part, fields[i]);

		if (v)
			jw_node(w, fields[i], v);
	}
	jw_close(w);
}

static void write_rdt(struct json_writer *w, const struct rdt_place *p)
{
	if (!p || !p->set)
		return;
	jw_object(w, "rdt");
	jw_str(w, "class", p->clos);
	jw_bool(w, "own", p->own);
	jw_bool(w, "monitoring", p->monitoring);
	jw_close(w);
}

static int render_file(const struct spec *s, const struct state_facts *f, struct buf *out,
		       struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_int(w, "version", STATE_VERSION);
	jw_str(w, "ociVersion", s->oci_version);
	jw_str(w, "id", f->id);
	jw_str(w, "bundle", f->bundle);
	jw_str(w, "rootfs", f->rootfs);
	if (f->config)
		jw_str(w, "config", f->config);
	jw_str(w, "created", clock_rfc3339_now().s);
	jw_uint(w, "owner", geteuid());
	jw_str(w, "cgroup", f->cgroup);
	jw_uint(w, "namespaces", own_namespaces(s));
	if (f->has_filter)
		jw_bool(w, "filter", true);
	if (s->seccomp.listener_path)
		jw_str(w, "listenerPath", s->seccomp.listener_path);
	if (s->seccomp.listener_metadata)
		jw_str(w, "listenerMetadata", s->seccomp.listener_metadata);
	write_inherited(w, s);
	write_rdt(w, f->rdt);
	if (f->port)
		jw_str(w, "networkPort", f->port);
	if (s->n_netdevs > 0 && ns_is_new(&s->ns, NS_NET))
		jw_node(w, "netDevices",
			json_get(json_get(json_root(s->doc), "linux"), "netDevices"));
	write_hooks(w, s);
	if (s->annotations)
		jw_node(w, "annotations", s->annotations);
	jw_close(w);
	return json_writer_end(w, e);
}

int state_write(int dir_fd, const struct spec *s, const struct state_facts *f, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(STATE_MAX);

	if (render_file(s, f, &text, e) < 0 ||
	    fd_write_atomic(dir_fd, state_file, buf_bytes(&text), buf_len(&text), 0600, false,
			    e) < 0)
		return err_wrap(e, "write the state");
	return 0;
}

struct stat_line {
	pid_t pid; /* as this procfs numbers it */
	char status;
	uint64_t start_time;
};

/* The n-th of the words that blanks separate, from a blank on. */
static const char *nth_word(const char *s, int n)
{
	for (; n > 0 && s; n--)
		s = strchr(s + 1, ' ');
	return s;
}

/* Fields 1, 3 and 22 of a /proc/PID/stat; 1 when there is no such process. The name in field 2 may hold
 * anything: count from its last ')'. */
static int read_stat(const char *path, struct stat_line *out, struct err *e)
{
	char text[1024];

	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return errno == ENOENT || errno == ESRCH ? 1 : err_sys(e, "%s", path);
	text[n] = '\0';
	const char *name_end = strrchr(text, ')'), *start_time;
	char *end;

	start_time = name_end ? nth_word(name_end + 1, 22 - 3) : NULL;
	if (!start_time || name_end[1] != ' ')
		return err_set(e, EPROTO, "%s is not understood", path);
	out->pid = (pid_t) strtol(text, NULL, 10);
	out->status = name_end[2];
	out->start_time = strtoull(start_time, &end, 10);
	if (out->pid <= 0 || *end != ' ')
		return err_set(e, EPROTO, "%s is not understood", path);
	return 0;
}

static int write_init(int dir_fd, const char *stat_path, const char *link, struct err *e)
{
	struct stat_line st;
	char text[48];

	if (read_stat(stat_path, &st, e) != 0)
		return e->code ? -1 : err_set(e, ENOENT, "%s is missing", stat_path);
	(void) snprintf(text, sizeof(text), "%d:%" PRIu64, st.pid, st.start_time);
	if (symlinkat(text, dir_fd, link) < 0)
		return err_sys(e, "write the state's init");
	return 0;
}

int state_write_init_self(int dir_fd, struct err *e)
{
	return write_init(dir_fd, "/proc/self/stat", init_link, e);
}

int state_write_init(int dir_fd, pid_t pid, struct err *e)
{
	char path[32];

	(void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (write_init(dir_fd, path, next_init_link, e) < 0)
		return -1;
	if (renameat(dir_fd, next_init_link, dir_fd, init_link) < 0)
		return err_sys(e, "write the state's init");
	return 0;
}

/* ---- reading ---- */

void state_free_ptr(struct state **ps)
{
	struct state *s = *ps;

	if (!s)
		return;
	json_doc_free(s->doc);
	free(s);
	*ps = NULL;
}

static int decode_rdt(struct state *s, const struct json *rdt, struct err *e)
{
	const char *clos = json_str_or(rdt, "class", NULL);

	if (!clos)
		return 0;
	/* What is made of it is removed: both must be names. */
	if (!clos[0] || strchr(clos, '/') || clos[0] == '.' || state_id_check(s->id, e) < 0)
		return err_set(e, EPROTO, "the state's class of resctrl is damaged");
	s->rdt = (struct rdt_place){
		.set = true,
		.clos = clos,
		.id = s->id,
		.own = json_bool_or(rdt, "own", false),
		.monitoring = json_bool_or(rdt, "monitoring", false),
	};
	return 0;
}

static int decode(struct state *s, struct err *e)
{
	const struct json *r = json_root(s->doc);

	if (json_int_or(r, "version", 0) != STATE_VERSION)
		return err_set(e, EPROTO,
			       "the state was written by another version of this program "
			       "(format %lld, not %d)",
			       (long long) json_int_or(r, "version", 0), STATE_VERSION);
	s->id = json_str_or(r, "id", "");
	s->bundle = json_str_or(r, "bundle", "");
	s->rootfs = json_str_or(r, "rootfs", "");
	s->config = json_str_or(r, "config", NULL);
	s->created = json_str_or(r, "created", "");
	s->oci_version = json_str_or(r, "ociVersion", "");
	s->cgroup = json_str_or(r, "cgroup", "");
	s->listener_path = json_str_or(r, "listenerPath", NULL);
	s->listener_metadata = json_str_or(r, "listenerMetadata", NULL);
	s->annotations = json_get(r, "annotations");
	s->hooks = json_get(r, "hooks");
	s->linux_part = json_get(r, "linux");
	s->owner = (uint32_t) json_int_or(r, "owner", 0);
	s->namespaces = (unsigned) json_int_or(r, "namespaces", 0);
	s->port = json_str_or(r, "networkPort", NULL);
	s->net_devices = json_get(r, "netDevices");
	s->has_filter = json_bool_or(r, "filter", false);
	return decode_rdt(s, json_get(r, "rdt"), e);
}

int state_read_init(int dir_fd, struct state *s, struct err *e)
{
	char text[64];
	const ssize_t n = readlinkat(dir_fd, init_link, text, sizeof(text) - 1);
	int pid;

	if (n < 0)
		return errno == ENOENT ? 0 : err_sys(e, "read the state's init");
	text[n] = '\0';
	if (sscanf(text, "%d:%" SCNu64, &pid, &s->start_time) != 2 || pid <= 0)
		return err_set(e, EPROTO, "the state's init \"%s\" is damaged", text);
	s->pid = pid;
	return 0;
}

int state_load(int dir_fd, struct state **out, struct err *e)
{
	auto_state struct state *s = xalloc(sizeof(*s));

	auto_buf struct buf text = BUF_LIMIT(STATE_MAX);
	struct err why = ERR_NONE;

	if (fd_read_file(dir_fd, state_file, STATE_MAX, &text, &why) < 0) {
		if (why.code == ENOENT)
			return 1;
		*e = why;
		return -1;
	}
	if (json_parse_buf(&text, NULL, &s->doc, e) < 0)
		return err_wrap(e, "%s", state_file);
	if (decode(s, e) < 0 || state_read_init(dir_fd, s, e) < 0)
		return -1;
	*out = take_ptr(&s);
	return 0;
}

int state_parse(const char *text, size_t n, struct state **out, struct err *e)
{
	auto_state struct state *s = xalloc(sizeof(*s));

	if (json_parse(text, n, NULL, &s->doc, e) < 0 || decode(s, e) < 0)
		return -1;
	*out = take_ptr(&s);
	return 0;
}

int state_open_init(const struct state *s, struct err *e)
{
	struct stat_line st;
	char path[32];

	if (s->pid <= 0)
		return FD_NONE;
	auto_close int fd = (int) syscall(SYS_pidfd_open, s->pid, 0);
	if (fd < 0)
		return errno == ESRCH ? FD_NONE : err_sys(e, "pidfd_open %d", s->pid);
	/* First the descriptor, then the proof: what it stands for cannot change any more. */
	(void) snprintf(path, sizeof(path), "/proc/%d/stat", s->pid);
	const int r = read_stat(path, &st, e);
	if (r != 0)
		return r < 0 ? -1 : FD_NONE;
	if (st.status == 'Z' || st.status == 'X' || st.start_time != s->start_time)
		return FD_NONE;
	return take_fd(&fd);
}

int state_status(int dir_fd, const struct state *s, struct cgroup *cg, enum state_status *out,
		 struct err *e)
{
	bool frozen = false;
	struct err why = ERR_NONE;

	if (s->pid <= 0) {
		*out = STATE_CREATING;
		return 0;
	}
	auto_close int init = state_open_init(s, &why);
	if (init < 0) {
		if (why.code) {
			*e = why;
			return -1;
		}
		*out = STATE_STOPPED;
		return 0;
	}
	if (cg && cgroup_is_frozen(cg, &frozen, e) < 0)
		return -1;
	if (frozen)
		*out = STATE_PAUSED;
	else if (faccessat(dir_fd, STATE_START_SOCKET, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		*out = STATE_CREATED;
	else
		*out = STATE_RUNNING;
	return 0;
}
