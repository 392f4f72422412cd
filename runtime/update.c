/* update: other limits for a container that lives. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "runtime/container.h"
#include "runtime/rdt.h"
#include "runtime/spec.h"

enum { RESOURCES_MAX = 1 << 20 };

static int read_resources(const char *file, struct spec **out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(RESOURCES_MAX);
	auto_close int fd = FD_NONE;
	struct json_doc *doc;

	if (strcmp(file, "-") == 0)
		fd = fd_dup(STDIN_FILENO, e);
	else if ((fd = open(file, O_RDONLY | O_NOCTTY | O_CLOEXEC)) < 0)
		err_sys(e, "open");
	if (fd < 0 || fd_read_all(fd, RESOURCES_MAX, &text, e) < 0 ||
	    json_parse(buf_str(&text), buf_len(&text), NULL, &doc, e) < 0)
		return -1;
	if (spec_from_resources(doc, json_root(doc), out, e) < 0) {
		json_doc_free(doc);
		return -1;
	}
	return 0;
}

static int read_limits(const struct container_env *env, const char *file, struct spec **spec,
		       struct err *e)
{
	if (read_resources(file, spec, e) < 0)
		return err_wrap(e, "--resources %s", file);
	for (size_t i = 0; i < (*spec)->n_warnings && env->warn; i++)
		env->warn((*spec)->warnings[i]);
	return 0;
}

/* ---- devices ---- */

/* In the container's directory: its rules are no longer those of config.json. */
static const char changed[] = "devices.changed";

/*
 * An engine repeats all of linux.resources when it changes one of them, with the rules that the container was made with.
 * Then nothing is touched: what others have opened since, as the hooks of graphics cards do, is not ours to close.
 */
static bool repeats(const struct container *c, const struct cgroup_resources *r)
{
	auto_close int bundle = open(c->state->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_spec struct spec *made = NULL;
	struct err ignored =
		ERR_NONE; /* what cannot be read is no proof that nothing changes */

	return faccessat(c->dir_fd, changed, F_OK, 0) < 0 && bundle >= 0 &&
	       spec_load(bundle, c->state->config, &made, &ignored) == 0 &&
	       cgroup_devices_same(&made->cgroup.res, r);
}

static int update_devices(const struct container_env *env, struct container *c,
			  const struct cgroup_resources *r, struct err *e)
{
	const struct cgroup_spec s = { .id = c->state->id,
				       .rootless = env->rootless,
				       .res = *r };

	if (r->n_devices == 0 || repeats(c, r))
		return 0;
	/* Before the rules: whatever of them gets in force, the next update does not take config.json's for it. */
	auto_close int mark =
		openat(c->dir_fd, changed, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (mark < 0)
		return err_sys(e, "make %s in the container's directory", changed);
	return cgroup_update_devices(c->cgroup, &s, e);
}

int container_update(const struct container_env *env, const char *id,
		     const struct update_args *a, struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;
	auto_spec struct spec *spec = NULL;
	enum state_status status;

	struct cgroup_resources limits = a->limits;

	if (a->file && read_limits(env, a->file, &spec, e) < 0)
		return -1;
	if (cgroup_drop_idle_weight(&limits) && !spec && env->warn)
		env->warn(cgroup_idle_text);
	if (container_open(env, id, STATE_SHARED, &c, e) < 0 ||
	    container_status(&c, &status, e) < 0)
		return -1;
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_set(e, ESRCH, "container not running");
	if (rdt_update(&c.state->rdt, a->l3_cache_schema, a->mem_bw_schema, e) < 0)
		return err_wrap(e,
				a->l3_cache_schema ? "--l3-cache-schema" : "--mem-bw-schema");
	if (spec && update_devices(env, &c, &spec->cgroup.res, e) < 0)
		return -1;
	return cgroup_update(c.cgroup, spec ? &spec->cgroup.res : &limits, e);
}
