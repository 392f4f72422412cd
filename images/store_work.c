#include "images/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

/* Between mkdir and flock a sweeper may take the lock and remove the directory: then the name is gone
 * or the lock is busy, and the caller tries another name. Returns 1 when it is ours. */
static int claim(struct store_work *w, struct err *e)
{
	struct stat here, named;

	random_id(w->name);
	if (mkdirat(w->store->tmp_fd, w->name, 0700) < 0)
		return err_sys(e, "make tmp/%s", w->name);
	w->fd = openat(w->store->tmp_fd, w->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "tmp/%s", w->name);
	if (flock(w->fd, LOCK_EX | LOCK_NB) == 0 && fstat(w->fd, &here) == 0 &&
	    fstatat(w->store->tmp_fd, w->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    here.st_ino == named.st_ino)
		return 1;
	fd_close(&w->fd);
	return 0;
}

static int work_subdir(int dir_fd, const char *name, struct err *e)
{
	int fd;

	if (mkdirat(dir_fd, name, 0700) < 0)
		return err_sys(e, "make tmp/*/%s", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "tmp/*/%s", name);
	return fd;
}

int store_work_begin(const struct store *s, struct store_work *out, struct err *e)
{
	struct store_work w = STORE_WORK_NONE;
	int r = 0;

	w.store = s;
	for (int tries = 0; r == 0 && tries < 16; tries++) {
		r = claim(&w, e);
		if (r < 0)
			return -1;
	}
	if (r == 0)
		return err_set(e, EBUSY, "image store %s: tmp/ is swept all the time", s->path);
	w.blobs_fd = work_subdir(w.fd, "blobs", e);
	w.layers_fd = w.blobs_fd < 0 ? -1 : work_subdir(w.fd, "layers", e);
	if (w.layers_fd < 0) {
		store_work_end(&w);
		return -1;
	}
	*out = w;
	return 0;
}

void store_work_end(struct store_work *w)
{
	struct err ignored = ERR_NONE;

	fd_close(&w->blobs_fd);
	fd_close(&w->layers_fd);
	if (w->fd < 0)
		return;
	/* What cannot be removed now goes with the next open's sweep. */
	if (fd_remove_tree(w->store->tmp_fd, w->name, &ignored) < 0)
		log_debug("store: tmp/%s stays: %s", w->name, ignored.msg);
	fd_close(&w->fd);
}

/* How a staged thing is called where it becomes visible. */
typedef struct digest_text (*visible_fn)(const struct digest *d);

static struct digest_text layer_name(const struct digest *d)
{
	struct digest_text t;

	memcpy(t.s, d->hex, sizeof(d->hex));
	return t;
}

static int publish_one(int from, const char *name, int to, visible_fn visible, struct err *e)
{
	struct digest d = { 0 };

	memcpy(d.hex, name, strlen(name));
	if (renameat2(from, name, to, visible(&d).s, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return err_sys(e, "publish %s", name);
	return 0;
}

/* Renames everything that carries a digest's name; partial files have others and stay. */
static int publish(int from, int to, visible_fn visible, struct err *e)
{
	auto_close int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;
	int r = 0;

	if (!d)
		return err_sys(e, "read the staged names");
	(void) take_fd(&fd);
	while (r == 0 && (ent = readdir(d))) {
		if (digest_is_hex(ent->d_name))
			r = publish_one(from, ent->d_name, to, visible, e);
	}
	closedir(d);
	return r;
}

/* Names before the index that will mention them. */
static int sync_names(const struct store *s, struct err *e)
{
	static const char *const dirs[] = { "blobs/sha256", "blobs/sha512", "layers" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_close int fd =
			openat(s->dir_fd, dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || fsync(fd) < 0)
			return err_sys(e, "fsync %s", dirs[i]);
	}
	return 0;
}

int store_commit(struct store_work *w, struct err *e)
{
	/* Contents before names: a name in blobs/ or layers/ that survives a power loss is whole. */
	if (syncfs(w->fd) < 0)
		return err_sys(e, "image store %s: syncfs", w->store->path);
	if (publish(w->blobs_fd, w->store->blobs_fd, digest_path, e) < 0 ||
	    publish(w->layers_fd, w->store->layers_fd, layer_name, e) < 0 ||
	    sync_names(w->store, e) < 0)
		return err_wrap(e, "image store %s", w->store->path);
	return 0;
}
