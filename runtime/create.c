/*
 * create, and the first half of run.
 *
 * The runtime prepares everything that needs the host's rights (cgroup, bind sources, namespaces to join, sockets, the
 * compiled filter), clones init into its namespaces and talks to it as runtime/sync.h draws. The state is
 * written before the first thing is made, so whatever a killed runtime leaves is found by `delete --force`. Every
 * early return kills init and removes what was made.
 */
#include "runtime/startup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/sock.h"
#include "base/str.h"
#include "runtime/sync.h"

enum { TEXT_MAX = 1 << 20 };

/* Beside the containers, under a name that no container can have. */
static const char filter_cache[] = "@seccomp";

static int open_bundle(struct startup *s, struct err *e)
{
	const char *dir = s->args->bundle ? s->args->bundle : ".";

	s->bundle = realpath(dir, NULL);
	if (!s->bundle)
		return err_sys(e, "bundle %s", dir);
	s->bundle_fd = open(s->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->bundle_fd < 0)
		return err_sys(e, "bundle %s", dir);
	if (!s->args->config)
		return 0;
	s->config = realpath(s->args->config, NULL);
	return s->config ? 0 : err_sys(e, "--config %s", s->args->config);
}

static int load_spec(struct startup *s, struct err *e)
{
	if (spec_load(s->bundle_fd, s->config, &s->spec, e) < 0)
		return -1;
	for (size_t i = 0; i < s->spec->n_warnings; i++)
		s->env->warn(s->spec->warnings[i]);
	s->spec->root.no_pivot = s->args->no_pivot;
	s->spec->cgroup.id = s->args->id;
	s->spec->cgroup.driver = s->env->driver;
	s->spec->cgroup.rootless = s->env->rootless;
	return 0;
}

/* Who would own the terminal's other end? */
static int check_console(struct startup *s, struct err *e)
{
	const bool detach = !s->run || s->args->detach;
	const bool terminal = s->spec->process.terminal;
	const bool socket = s->args->console_socket;

	if (detach && terminal && !socket)
		return err_set(
			e, EINVAL,
			"cannot allocate tty if carrel-runtime will detach without setting "
			"console socket");
	if ((!detach || !terminal) && socket)
		return err_set(e, EINVAL,
			       "cannot use console socket if carrel-runtime will not detach or "
			       "allocate tty");
	return 0;
}

static int open_root(struct startup *s, struct err *e)
{
	const char *path = s->spec->root.path;
	auto_free char *joined =
		path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", s->bundle, path);

	s->rootfs = path_clean(joined);
	s->rootfs_fd = openat(s->bundle_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->rootfs_fd < 0)
		return err_sys(e, "root.path %s", path);
	return rootfs_open_source(s->bundle_fd, &s->spec->root, &s->init.root_fd, e);
}

static int write_state(struct startup *s, const char *cgroup, struct err *e)
{
	const struct state_facts facts = {
		.id = s->args->id,
		.bundle = s->bundle,
		.rootfs = s->rootfs,
		.config = s->config,
		.cgroup = cgroup,
		.port = s->port[0] ? s->port : NULL,
		.has_filter = s->spec->seccomp.set,
		.rdt = &s->rdt,
	};

	return state_write(s->c.dir_fd, s->spec, &facts, e);
}

static int make_state(struct startup *s, struct err *e)
{
	s->c.root_fd = state_root_open(s->env->root, true, e);
	if (s->c.root_fd < 0)
		return -1;
	s->c.dir_fd = state_dir_make(s->c.root_fd, s->args->id, e);
	if (s->c.dir_fd < 0)
		return e->code == EROFS ? err_wrap(e, "%s", s->env->root) : -1;
	s->made_state = true;
	if (s->spec->network)
		network_port_name(s->port);
	if (cgroup_plan(&s->spec->cgroup, &s->planned, e) < 0 ||
	    cgroup_save(s->planned, &s->cgroup_text, e) < 0)
		return -1;
	if (s->spec->rdt.set && rdt_plan(&s->spec->rdt, s->args->id, &s->rdt, e) < 0)
		return -1;
	return write_state(s, buf_str(&s->cgroup_text), e);
}

static bool makes_userns(const struct startup *s)
{
	return ns_is_new(&s->spec->ns, NS_USER);
}

/* A container that sees its own group as the root of cgroups, writable, in a user namespace of its own: its user may divide
 * the group further (a container of containers, or a systemd in it). */
static int delegate_cgroup(struct startup *s, struct err *e)
{
	const struct spec *spec = s->spec;
	bool writable = false;
	uint32_t owner;

	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct mount_spec *m = &spec->mounts[i];

		if (m->type && strncmp(m->type, "cgroup", 6) == 0)
			writable |= !(m->attrs.set & MOUNT_ATTR_RDONLY);
	}
	if (!writable || !makes_userns(s) || !ns_is_new(&spec->ns, NS_CGROUP) ||
	    idmap_to_outside(&spec->idmap.uid, spec->process.user.uid, &owner) != 0 ||
	    owner == geteuid())
		return 0;
	return cgroup_delegate(s->c.cgroup, owner, e);
}

static int make_cgroup(struct startup *s, struct err *e)
{
	auto_buf struct buf made = BUF_LIMIT(TEXT_MAX);

	if (cgroup_create(&s->spec->cgroup, &s->planned, &s->c.cgroup, e) < 0)
		return -1;
	s->init.cgroup = s->c.cgroup;
	if (delegate_cgroup(s, e) < 0 ||
	    cgroup_set_devices(s->c.cgroup, &s->spec->cgroup, e) < 0 ||
	    cgroup_save(s->c.cgroup, &made, e) < 0)
		return -1;
	/* An ordinary user gets only those hierarchies that were delegated. */
	if (strcmp(buf_str(&made), buf_str(&s->cgroup_text)) == 0)
		return 0;
	return write_state(s, buf_str(&made), e);
}

static int make_rdt_class(struct startup *s, struct err *e)
{
	if (!s->rdt.set)
		return 0;
	s->init.rdt_tasks = s->rdt_tasks;
	return rdt_make(&s->spec->rdt, &s->rdt, s->rdt_tasks, e);
}

/* A cache that cannot be had costs time, nothing else. */
static int open_filter_cache(int root_fd)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(root_fd, filter_cache, flags);

	if (fd >= 0 || errno != ENOENT || mkdirat(root_fd, filter_cache, 0700) < 0)
		return fd;
	return openat(root_fd, filter_cache, flags);
}

static int compile_filter(struct startup *s, struct err *e)
{
	if (!s->spec->seccomp.set)
		return 0;
	auto_close int cache = open_filter_cache(s->c.root_fd);
	if (filter_compile(&s->spec->seccomp, cache, &s->filter, e) < 0)
		return err_wrap(e, "linux.seccomp");
	s->init.filter = &s->filter;
	return 0;
}

static int render_state(const struct startup *s, pid_t pid, struct buf *out, struct err *e)
{
	const struct state_view v = {
		.oci_version = s->spec->oci_version,
		.id = s->args->id,
		.bundle = s->bundle,
		.status = STATE_CREATING,
		.pid = pid,
		.annotations = s->spec->annotations,
	};

	return state_render(&v, false, out, e);
}

/* What init hands to its hooks and to a seccomp agent: it fills in the pid. */
static int prepare_texts(struct startup *s, struct err *e)
{
	const struct hooks_spec *h = &s->spec->hooks;

	if (!h->kind[HOOK_CREATE_CONTAINER].n && !h->kind[HOOK_START_CONTAINER].n &&
	    s->init.seccomp_notify_fd < 0)
		return 0;
	if (render_state(s, 0, &s->state_text, e) < 0)
		return -1;
	s->init.state_json = buf_str(&s->state_text);
	if (s->init.seccomp_notify_fd < 0)
		return 0;
	if (container_notify_state(s->spec->oci_version, s->spec->seccomp.listener_metadata, 0,
				   s->init.state_json, &s->notify_text, e) < 0)
		return -1;
	s->init.notify_state = buf_str(&s->notify_text);
	return 0;
}

/* Sockets that a service manager gave to our caller, and it to us, go on to the program with their announcement. Here,
 * because only the child knows which pid it has in its namespace. */
static void announce_sockets(struct startup *s)
{
	struct process_spec *p = &s->spec->process;
	const size_t n = strv_len((char *const *) p->env);
	const char **env = xalloc((n + 3) * sizeof(*env));

	if (n)
		memcpy(env, p->env, n * sizeof(*env));
	env[n] = xasprintf("LISTEN_FDS=%u", s->args->listen_fds);
	env[n + 1] = xasprintf("LISTEN_PID=%d", (int) getpid());
	p->env = env; /* until exec */
}

/* The child's side of the clone: only init's own descriptors stay. */
static _Noreturn void become_init(struct startup *s)
{
	struct err e = ERR_NONE, ignored = ERR_NONE;

	if (state_write_init_self(s->c.dir_fd, &e) < 0) {
		(void) sync_send_failed(s->init.sync_fd, &e, &ignored);
		_exit(1);
	}
	if (s->args->listen_fds)
		announce_sockets(s);
	fd_close(&s->sync_fd);
	fd_close(&s->console_fd);
	fd_close(&s->pidfd_sock_fd);
	notify_close(&s->notify);
	fd_close(&s->c.dir_fd);
	fd_close(&s->c.root_fd);
	fd_close(&s->bundle_fd);
	fd_close(&s->rootfs_fd);
	_exit(init_main(&s->init));
}

static int clone_init(struct startup *s, struct err *e)
{
	int cgroup_fd;

	s->init.spec = s->spec;
	s->init.id = s->args->id;
	s->init.bundle = s->bundle;
	s->init.no_pivot = s->args->no_pivot;
	s->init.no_new_keyring = s->args->no_new_keyring;
	s->init.preserve_fds = s->args->preserve_fds;
	/* Queued, so that init never waits for it, unless there is something to do between. */
	if (!makes_userns(s) && !startup_wants_network(s) && !cgroup_settles(s->c.cgroup) &&
	    sync_send(s->sync_fd, SYNC_MAPPED, e) < 0)
		return -1;
	log_debug("nsexec container setup: clone init into its namespaces");
	if (cgroup_clone_fd(s->c.cgroup, &cgroup_fd, e) < 0)
		return -1;
	const int r = ns_clone_at(s->rootfs_fd, &s->spec->ns, s->init.ns_fds, cgroup_fd,
				  &s->child, e);
	if (r == 0)
		become_init(s);
	if (r < 0)
		return -1;
	/* The end of file must come when init ends, so its end may be open nowhere else. */
	fd_close(&s->init.sync_fd);
	fd_close(&s->init.console_sock_fd);
	fd_close(&s->init.start_fd);
	fd_close(&s->init.seccomp_notify_fd);
	return 0;
}

static int map_ids(struct startup *s, struct err *e)
{
	const bool settles = cgroup_settles(s->c.cgroup);

	if (settles && cgroup_settle(s->c.cgroup, s->child.pid, e) < 0)
		return -1;
	if (!makes_userns(s) && !startup_wants_network(s) && !settles)
		return 0;
	if (makes_userns(s) && (idmap_write(s->child.pid, &s->spec->idmap, e) < 0 ||
				process_prepare(&s->spec->process, s->child.pid, e) < 0))
		return -1;
	return sync_send(s->sync_fd, SYNC_MAPPED, e);
}

/* In the order in which init comes to them. */
static int idmap_inside(struct startup *s, struct err *e)
{
	for (size_t i = 0; i < s->spec->n_mounts; i++) {
		const struct mount_spec *m = &s->spec->mounts[i];

		if (!init_asks_idmap(s->spec, m))
			continue;
		auto_close int tree = sync_expect_fd(s->sync_fd, SYNC_IDMAP, e);
		if (tree < 0)
			return -1;
		if (mount_idmap_tree(m, tree, s->source_fds[i], e) < 0)
			return err_wrap(e, "mounts[%zu]: %s", i, m->target);
		if (sync_send(s->sync_fd, SYNC_RESUME, e) < 0)
			return -1;
	}
	return 0;
}

/* Init works on its own meanwhile. */
static int keep_filter(struct startup *s, struct err *e)
{
	return s->init.filter ? state_write_filter(s->c.dir_fd, &s->filter, e) : 0;
}

static int host_hooks(struct startup *s, struct err *e)
{
	const struct hooks_spec *h = &s->spec->hooks;
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);

	if (!h->kind[HOOK_PRESTART].n && !h->kind[HOOK_CREATE_RUNTIME].n)
		return 0;
	if (sync_expect(s->sync_fd, SYNC_HOOKS, e) < 0 ||
	    render_state(s, s->child.pid, &text, e) < 0)
		return -1;
	if (hooks_run(&h->kind[HOOK_PRESTART], HOOK_PRESTART, buf_str(&text), e) < 0 ||
	    hooks_run(&h->kind[HOOK_CREATE_RUNTIME], HOOK_CREATE_RUNTIME, buf_str(&text), e) <
		    0)
		return -1;
	return sync_send(s->sync_fd, SYNC_RESUME, e);
}

static int await_created(struct startup *s, struct err *e)
{
	/* With run the program's exec comes next: where nothing is to be done before, one waking is enough. */
	const bool at_once = s->run && s->pidfd_sock_fd < 0 && !s->args->pid_file;

	if ((at_once && sync_await_close(s->sync_fd, e) < 0) ||
	    sync_expect(s->sync_fd, SYNC_CREATED, e) < 0)
		return -1;
	if (s->pidfd_sock_fd >= 0 &&
	    container_send_pidfd(s->pidfd_sock_fd, s->child.pidfd, e) < 0)
		return -1;
	if (s->args->pid_file &&
	    container_write_pid_file(s->args->pid_file, s->child.pid, e) < 0)
		return -1;
	s->wrote_pid_file = s->args->pid_file;
	return 0;
}

/* In order; each needs what stands above it. */
/* clang-format off */
typedef int (*step_fn)(struct startup *, struct err *);

static const step_fn load_steps[] = {
	open_bundle,
	load_spec,
	check_console,
	open_root,
};

static const step_fn make_steps[] = {
	make_state, /* from here on there is something to remove */
	make_cgroup,
	make_rdt_class,
	compile_filter,
};

static const step_fn init_steps[] = {
	startup_offer_notify,
	startup_open_listener,
	startup_open_namespaces,
	startup_open_sources,
	startup_open_sockets,
	prepare_texts,
	clone_init, /* and init writes its pid beside the state */
	startup_network, /* init waits for the maps, so it finds what was moved there */
	map_ids, /* and puts the child into its unit, with the systemd driver */
	keep_filter,
	idmap_inside,
	host_hooks,
	await_created,
};
/* clang-format on */

static int take_steps(struct startup *s, const step_fn *steps, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (steps[i](s, e) < 0)
			return -1;
	}
	return 0;
}

int startup_load(struct startup *s, struct err *e)
{
	return take_steps(s, load_steps, ARRAY_SIZE(load_steps), e);
}

int startup_make(struct startup *s, struct err *e)
{
	return take_steps(s, make_steps, ARRAY_SIZE(make_steps), e);
}

int startup_create(struct startup *s, struct err *e)
{
	if (startup_load(s, e) < 0 || startup_make(s, e) < 0)
		return -1;
	return take_steps(s, init_steps, ARRAY_SIZE(init_steps), e);
}

int container_create(const struct container_env *env, const struct create_args *a,
		     struct err *e)
{
	struct startup s;
	int r;

	startup_init(&s, env, a);
	r = startup_create(&s, e);
	if (r < 0)
		startup_undo(&s);
	else
		state_unlock(s.c.dir_fd);
	startup_fini(&s);
	return r;
}
