/* delete: what is left of a container. */
#include <errno.h>

#include "base/err.h"
#include "runtime/container.h"

static int check_deletable(struct container *c, const char *id, struct err *e)
{
	enum state_status status;

	if (!c->state)
		return err_set(e, EINVAL,
			       "container %s was left half-made by a runtime that was killed; "
			       "use --force",
			       id);
	if (container_status(c, &status, e) < 0)
		return -1;
	if (status == STATE_RUNNING || status == STATE_PAUSED)
		return err_set(e, EBUSY, "cannot delete container %s that is not stopped: %s",
			       id, state_status_name(status));
	return 0;
}

int container_delete(const struct container_env *env, const char *id, bool force, struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;

	if (container_open(env, id, STATE_EXCLUSIVE, &c, e) < 0)
		return force && e->code == ENOENT ? 0 : -1;
	if (!force && check_deletable(&c, id, e) < 0)
		return -1;
	return container_destroy(env, &c, id, e);
}
