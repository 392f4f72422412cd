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

/* Which programs filter devices is settled when a container is made: what engines add to it later (a graphics card's
 * nodes) is not ours to take away. */
static void warn_devices(const struct container_env *env, const struct cgroup_resources *r)
{
	if (r->n_devices && env->warn)
		env->warn(
			"linux.resources.devices: update leaves the rules for devices as they "
			"are");
}

static int read_limits(const struct container_env *env, const char *file, struct spec **spec,
		       struct err *e)
{
	if (read_resources(file, spec, e) < 0)
		return err_wrap(e, "--resources %s", file);
	for (size_t i = 0; i < (*spec)->n_warnings && env->warn; i++)
		env->warn((*spec)->warnings[i]);
	warn_devices(env, &(*spec)->cgroup.res);
	return 0;
}

int container_update(const struct container_env *env, const char *id,
		     const struct update_args *a, struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;
	auto_spec struct spec *spec = NULL;
	enum state_status status;

	if (a->file && read_limits(env, a->file, &spec, e) < 0)
		return -1;
	if (container_open(env, id, STATE_SHARED, &c, e) < 0 ||
	    container_status(&c, &status, e) < 0)
		return -1;
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_set(e, ESRCH, "container not running");
	if (rdt_update(&c.state->rdt, a->l3_cache_schema, a->mem_bw_schema, e) < 0)
		return err_wrap(e,
				a->l3_cache_schema ? "--l3-cache-schema" : "--mem-bw-schema");
	return cgroup_update(c.cgroup, spec ? &spec->cgroup.res : &a->limits, e);
}
