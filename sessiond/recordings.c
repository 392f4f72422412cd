#include "sessiond/recordings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "sessiond/config.h"
#include "sessiond/launch.h"
#include "sessiond/records.h"

static const char suffix[] = ".cast";

char *recordings_dir(const struct config *c)
{
	return xasprintf("%s/recordings", c->state_dir);
}

static char *path_of(const struct config *c, const char *id)
{
	return xasprintf("%s/recordings/%s%s", c->state_dir, id, suffix);
}

int recordings_open(const struct config *c, const char *id, uint64_t *size, struct err *e)
{
	auto_free char *path = path_of(c, id);
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "the recording of %s", id);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "the recording of %s is no file", id);
	*size = (uint64_t) st.st_size;
	return take_fd(&fd);
}

bool recordings_has(const struct config *c, const char *id)
{
	auto_free char *path = path_of(c, id);

	return access(path, F_OK) == 0;
}

int recordings_remove(const struct config *c, const char *id, struct err *e)
{
	auto_free char *path = path_of(c, id);

	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "remove the recording of %s", id);
	return 0;
}

/* What has another name than a sandbox's recording is not ours to remove. */
static int prune_one(const struct config *c, struct db *db, const char *name, struct err *e)
{
	auto_record struct record r = { 0 };
	auto_free char *id = NULL;
	int found;

	if (!str_has_suffix(name, suffix))
		return 0;
	id = xstrndup(name, strlen(name) - strlen(suffix));
	if (!launch_id_valid(id))
		return 0;
	found = record_find(db, id, &r, e);
	if (found < 0)
		return -1;
	return found ? 0 : recordings_remove(c, id, e);
}

int recordings_prune(const struct config *c, struct db *db, struct err *e)
{
	auto_free char *path = recordings_dir(c);
	DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	while (r == 0 && (entry = readdir(dir)))
		r = prune_one(c, db, entry->d_name, e);
	(void) closedir(dir);
	return r;
}
