/*
 * Giving a cgroup away: the directory, and the files in it that the kernel names for that (/sys/kernel/cgroup/delegate).
 * Who owns those alone can divide what the group has, but not change how much it is.
 */
#include "runtime/cgroup_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"

enum { LIST_MAX = 4096 };

/* Linux before 4.15 has no list. */
static const char before_the_list[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";

static int give_file(const struct cgroup_hier *h, int dir, const char *file, uid_t owner,
		     struct err *e)
{
	/* The list is of all controllers; this group may lack some. */
	if (strchr(file, '/') ||
	    fchownat(dir, file, owner, (gid_t) -1, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "give %s/%s to uid %u", h->path, file, (unsigned) owner);
}

int cgroup_delegate(const struct cgroup *cg, uid_t owner, struct err *e)
{
	auto_buf struct buf list = BUF_LIMIT(LIST_MAX);
	struct err ignored = ERR_NONE;
	char *save = NULL;

	if (cg->mode != CGROUP_V2 || cg->n == 0)
		return 0;
	const struct cgroup_hier *h = &cg->h[0];
	const int dir = cgroup_dir(h, e);
	if (dir < 0)
		return -1;
	if (fd_read_file(AT_FDCWD, "/sys/kernel/cgroup/delegate", LIST_MAX - 1, &list,
			 &ignored) < 0) {
		buf_clear(&list);
		if (buf_puts(&list, before_the_list, e) < 0)
			return -1;
	}
	if (fchownat(dir, "", owner, (gid_t) -1, AT_EMPTY_PATH) < 0)
		return err_sys(e, "give cgroup %s to uid %u", h->path, (unsigned) owner);
	auto_free char *names = buf_take_str(&list);
	for (char *file = strtok_r(names, "\n", &save); file;
	     file = strtok_r(NULL, "\n", &save))
		if (give_file(h, dir, file, owner, e) < 0)
			return -1;
	return 0;
}
