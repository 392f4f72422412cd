#include "images/store.h"

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
#include "images/dirlist.h"
#include "images/workdir.h"

enum { STAGED_MAX = 1 << 16 };

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

	w.store = s;
	w.fd = workdir_make(s->tmp_fd, w.name, e);
	if (w.fd < 0)
		return err_wrap(e, "image store %s", s->path);
	w.blobs_fd = work_subdir(w.fd, "blobs", e);
	w.layers_fd = w.blobs_fd < 0 ? -1 : work_subdir(w.fd, "layers", e);
	w.pins_fd = w.layers_fd < 0 ? -1 : work_subdir(w.fd, "pins", e);
	if (w.pins_fd < 0) {
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
	fd_close(&w->pins_fd);
	if (w->fd < 0)
		return;
	/* What cannot be removed now goes with the next open's sweep. */
	if (fd_remove_tree(w->store->tmp_fd, w->name, &ignored) < 0)
		log_debug("store: tmp/%s stays: %s", w->name, ignored.msg);
	fd_close(&w->fd);
}

/* Against gc, for moments: between finding something and having pinned it, between a name's appearance and
 * its pin. Nothing to do when the store is locked as a whole. */
static int lock_out_gc(const struct store *s, struct err *e)
{
	while (s->unlocked && flock(s->lock_fd, LOCK_SH) < 0) {
		if (errno != EINTR)
			return err_sys(e, "image store %s: lock", s->path);
	}
	return 0;
}

static void let_gc_in(const struct store *s)
{
	if (s->unlocked)
		(void) flock(s->lock_fd, LOCK_UN);
}

static int pin(const struct store_work *w, const struct digest *d, struct err *e)
{
	auto_close int fd =
		openat(w->pins_fd, d->hex, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "pin %s", digest_text(d).s) : 0;
}

/* One that only readers of the disk changed: gc or nobody. Pinned first, looked for afterwards: whoever
 * collects in between has seen the pin. */
static int find_pinned(struct store_work *w, const struct digest *d, int dir_fd,
		       const char *name, struct stat *st, struct err *e)
{
	int r;

	if (lock_out_gc(w->store, e) < 0)
		return -1;
	r = pin(w, d, e);
	if (r == 0 && fstatat(dir_fd, name, st, AT_SYMLINK_NOFOLLOW) == 0)
		r = 1;
	else if (r == 0 && errno != ENOENT)
		r = err_sys(e, "%s", name);
	let_gc_in(w->store);
	return r;
}

int store_work_has_blob(struct store_work *w, const struct digest *d, uint64_t size,
			struct err *e)
{
	struct stat st;
	int r = find_pinned(w, d, w->store->blobs_fd, digest_path(d).s, &st, e);

	if (r == 1 && (!S_ISREG(st.st_mode) || (uint64_t) st.st_size != size))
		return err_set(e, EINVAL,
			       "blob %s: its descriptor says %llu bytes, the store holds "
			       "%lld under that digest",
			       digest_text(d).s, (unsigned long long) size,
			       (long long) st.st_size);
	return r;
}

int store_work_has_layer(struct store_work *w, const struct digest *diff_id, struct err *e)
{
	struct stat st;

	return find_pinned(w, diff_id, w->store->layers_fd, diff_id->hex, &st, e);
}

/* How a staged thing is called where it becomes visible. */
typedef struct digest_text (*visible_fn)(const struct digest *d);

static struct digest_text layer_name(const struct digest *d)
{
	struct digest_text t;

	memcpy(t.s, d->hex, sizeof(d->hex));
	return t;
}

/* Staged things are private; what is in the store is guarded by the store's own mode alone. */
static int open_up(int from, const char *name, struct err *e)
{
	auto_close int fd = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fchmod(fd, S_ISDIR(st.st_mode) ? 0755 : 0644) < 0)
		return err_sys(e, "chmod %s", name);
	if (S_ISDIR(st.st_mode) && fchmodat(fd, "layer.json", 0644, 0) < 0)
		return err_sys(e, "chmod %s/layer.json", name);
	return 0;
}

static int publish_one(const struct store_work *w, int from, const char *name, int to,
		       visible_fn visible, struct err *e)
{
	struct digest d = { 0 };

	memcpy(d.hex, name, strlen(name));
	if (pin(w, &d, e) < 0 || open_up(from, name, e) < 0)
		return -1;
	if (renameat2(from, name, to, visible(&d).s, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return err_sys(e, "publish %s", name);
	return 0;
}

/* Renames everything that carries a digest's name; partial files have others and stay. */
static int publish(const struct store_work *w, int from, int to, visible_fn visible,
		   struct err *e)
{
	auto_dirlist struct dirlist names = { 0 };

	if (dirlist_read(from, STAGED_MAX, &names, e) < 0)
		return err_wrap(e, "the staged names");
	for (size_t i = 0; i < names.n; i++) {
		if (digest_is_hex(names.v[i]) &&
		    publish_one(w, from, names.v[i], to, visible, e) < 0)
			return -1;
	}
	return 0;
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
	int r;

	/* Contents before names: a name in blobs/ or layers/ that survives a power loss is whole. */
	if (syncfs(w->fd) < 0)
		return err_sys(e, "image store %s: syncfs", w->store->path);
	if (lock_out_gc(w->store, e) < 0)
		return -1;
	r = publish(w, w->blobs_fd, w->store->blobs_fd, digest_path, e);
	if (r == 0)
		r = publish(w, w->layers_fd, w->store->layers_fd, layer_name, e);
	if (r == 0)
		r = sync_names(w->store, e);
	let_gc_in(w->store);
	return r < 0 ? err_wrap(e, "image store %s", w->store->path) : 0;
}

int store_replace_layer(struct store_work *w, const struct digest *diff_id, int old_fd,
			struct err *e)
{
	const char *name = diff_id->hex;

	if (old_fd >= 0 && flock(old_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, EBUSY, "a sandbox runs on it; end it first");
	if (open_up(w->layers_fd, name, e) < 0)
		return -1;
	if (syncfs(w->fd) < 0)
		return err_sys(e, "syncfs");
	if (renameat2(w->layers_fd, name, w->store->layers_fd, name, RENAME_EXCHANGE) < 0)
		return err_sys(e, "exchange");
	return sync_names(w->store, e);
}
