/* What the janitor knows of its sandbox, on its way to another program. */
#include "base/fd.h"
#include "base/pack.h"
#include "base/util.h"
#include "shim/janitor_inside.h"
#include "shim/orders.h"

/* ---- out ---- */

static void save_child(const struct child *c, struct pack *p)
{
	pack_u32(p, (uint32_t) c->pid);
	pack_fd(p, c->pidfd);
}

static void save_cgroup(const struct exit_cgroup *c, struct pack *p)
{
	pack_fd(p, c->memory_fd);
	pack_fd(p, c->cpu_fd);
	pack_fd(p, c->io_fd);
	pack_bool(p, c->memory_v2);
	pack_bool(p, c->cpu_v2);
	pack_bool(p, c->io_v2);
	pack_u64(p, c->oom_kills_before);
}

void janitor_save(const struct janitor *j, struct pack *p)
{
	pack_tag(p, "jani");
	pack_fd(p, j->spec->dir_fd);
	pack_fd(p, j->spec->lock_fd);
	pack_fd(p, j->spec->log_fd);
	pack_fd(p, j->bundle_fd);
	pack_fd(p, j->terminal_fd);
	pack_fd(p, j->workspace.dir_fd);
	pack_fd(p, j->workspace.content_fd);
	pack_u32(p, (uint32_t) j->rootfs.n);
	for (size_t i = 0; i < j->rootfs.n; i++)
		pack_fd(p, j->rootfs.layers[i]);
	save_child(&j->front, p);
	save_child(&j->init, p);
	save_cgroup(&j->cgroup, p);
	pack_u64(p, j->info.started_ms);
	pack_bool(p, j->freezer.frozen);
	procs_save(&j->procs, p);
	pack_tag(p, "end.");
}

/* ---- in ---- */

static void restore_child(struct child *c, struct unpack *u)
{
	c->pid = (pid_t) unpack_u32(u);
	c->pidfd = unpack_fd(u);
}

static void restore_cgroup(struct exit_cgroup *c, struct unpack *u)
{
	c->memory_fd = unpack_fd(u);
	c->cpu_fd = unpack_fd(u);
	c->io_fd = unpack_fd(u);
	c->memory_v2 = unpack_bool(u);
	c->cpu_v2 = unpack_bool(u);
	c->io_v2 = unpack_bool(u);
	c->oom_kills_before = unpack_u64(u);
}

void janitor_restore(struct janitor *j, struct janitor_spec *spec, struct unpack *u)
{
	unpack_tag(u, "jani");
	spec->dir_fd = unpack_fd(u);
	spec->lock_fd = unpack_fd(u);
	spec->log_fd = unpack_fd(u);
	j->bundle_fd = unpack_fd(u);
	j->terminal_fd = unpack_fd(u);
	j->workspace.dir_fd = unpack_fd(u);
	j->workspace.content_fd = unpack_fd(u);
	j->rootfs.n = unpack_u32_to(u, (uint32_t) j->orders->rootfs.n_layers, "layers");
	j->rootfs.layers = xalloc(MAX(j->rootfs.n, (size_t) 1) * sizeof(int));
	for (size_t i = 0; i < j->rootfs.n; i++)
		j->rootfs.layers[i] = unpack_fd(u);
	restore_child(&j->front, u);
	restore_child(&j->init, u);
	restore_cgroup(&j->cgroup, u);
	j->info.started_ms = unpack_u64(u);
	j->freezer.frozen = unpack_bool(u);
	procs_restore(&j->procs, u);
	unpack_tag(u, "end.");
}
