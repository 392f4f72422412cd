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

int container_update(const struct container_env *env, const char *id, const char *file,
		     struct err *e)
{
	auto_container struct container c = CONTAINER_NONE;
	auto_spec struct spec *spec = NULL;
	enum state_status status;

	if (read_resources(file, &spec, e) < 0)
		return err_wrap(e, "--resources %s", file);
	if (container_open(env, id, STATE_SHARED, &c, e) < 0 ||
	    container_status(&c, &status, e) < 0)
		return -1;
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_set(e, ESRCH, "container not running");
	return cgroup_update(c.cgroup, &spec->cgroup.res, e);
}
