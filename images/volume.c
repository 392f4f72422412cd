#include "images/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/prjquota.h"
#include "base/str.h"
#include "images/dirlist.h"
#include "images/volume_internal.h"
#include "images/workdir.h"

enum {
	INODE_BYTES = 8192,
	INODES_MIN = 4096,
	JSON_MAX = 4096,
	LIST_MAX = 1 << 20,
	NAMES_MAX = 1 << 20
};

/* ---- the directory ---- */

/* A limit that was set for a volume that is no more would be found by the next one of that number. The tree first: as long as it
 * is there, so is what says its number. */
static void discard(int tmp_fd, const char *name)
{
	auto_close int fd =
		openat(tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct err ignored = ERR_NONE;
	struct volume_info v;

	if (fd >= 0 && volume_info_read(fd, &v, &ignored) == 0 && v.kind == VOLUME_QUOTA) {
		if (fd_remove_tree(fd, VOLUME_DATA, &ignored) < 0)
			return;
		(void) prjquota_limit(fd, v.project, 0, 0, &ignored);
	}
	workdir_discard(tmp_fd, name);
}

/* What killed writers of volume.json and user left in a volume: nobody writes while its lock can be had alone. */
static void sweep_volume(int dir_fd, const char *name)
{
	auto_close int fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = NULL;
	struct dirent *ent;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		d = fdopendir(fd);
	if (!d)
		return;
	(void) take_fd(&fd);
	while ((ent = readdir(d))) {
		if (str_has_prefix(ent->d_name, ".tmp."))
			(void) unlinkat(dirfd(d), ent->d_name, 0); /* else the next time */
	}
	closedir(d);
}

static void sweep(const struct volumes *vs)
{
	auto_close int fd = openat(vs->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	workdir_sweep(vs->tmp_fd, discard);
	if (!d)
		return;
	(void) take_fd(&fd);
	while ((ent = readdir(d))) {
		if (volume_name_valid(ent->d_name))
			sweep_volume(vs->dir_fd, ent->d_name);
	}
	closedir(d);
}

static int check_owner(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (st.st_uid != geteuid() || (st.st_mode & 0077))
		return err_set(
			e, EPERM,
			"belongs to user %u and has mode %04o; it has to be the caller's own "
			"with mode 0700",
			st.st_uid, st.st_mode & 07777);
	return 0;
}

static int open_dirs(struct volumes *vs, struct err *e)
{
	if (mkdir(vs->path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make it");
	vs->dir_fd = open(vs->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (vs->dir_fd < 0)
		return err_sys(e, "open it");
	if (check_owner(vs->dir_fd, e) < 0)
		return -1;
	if (mkdirat(vs->dir_fd, ".tmp", 0700) < 0 && errno != EEXIST)
		return err_sys(e, ".tmp");
	vs->tmp_fd =
		openat(vs->dir_fd, ".tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return vs->tmp_fd < 0 ? err_sys(e, ".tmp") : 0;
}

int volumes_open(const char *path, struct volumes *out, struct err *e)
{
	struct volumes vs = VOLUMES_NONE;

	vs.path = xstrdup(path);
	if (open_dirs(&vs, e) < 0) {
		volumes_close(&vs);
		return err_wrap(e, "volumes %s", path);
	}
	sweep(&vs);
	*out = vs;
	return 0;
}

void volumes_close(struct volumes *vs)
{
	fd_close(&vs->tmp_fd);
	fd_close(&vs->dir_fd);
	free(take_ptr(&vs->path));
}

int volume_write_info(int dir_fd, const struct volume_info *v, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(JSON_MAX);

	if (volume_info_print(v, &text, e) < 0)
		return -1;
	return fd_write_atomic(dir_fd, "volume.json", buf_bytes(&text), buf_len(&text), 0600,
			       true, e);
}

/* ---- create ---- */

/* The kind that was asked for, or the better one that there is. */
static int choose_kind(const struct volumes *vs, const char *kind, enum volume_kind *out,
		       struct err *e)
{
	struct err why = ERR_NONE;
	const bool automatic = !kind || strcmp(kind, "auto") == 0;

	if (!automatic && volume_kind_parse(kind, out, e) < 0)
		return err_wrap(e, "kind");
	if (!automatic && *out == VOLUME_LOOP)
		return 0;
	*out = VOLUME_QUOTA;
	if (prjquota_check(vs->dir_fd, &why) == 0)
		return 0;
	if (!automatic) {
		*e = why;
		return err_wrap(e, "kind quota");
	}
	*out = VOLUME_LOOP;
	return 0;
}

/* One that has neither limit nor file. Whoever chooses holds the lock until the limit is set. */
static int choose_project(int dir_fd, uint32_t *out, struct err *e)
{
	struct prjquota q;

	for (int tries = 0; tries < 64; tries++) {
		random_bytes(out, sizeof(*out));
		/* Above what people choose by hand, below what is negative to somebody. */
		*out = (*out & 0x3fffffff) | 0x40000000;
		if (prjquota_get(dir_fd, *out, &q, e) < 0)
			return -1;
		if (!q.bytes && !q.inodes && !q.used_bytes && !q.used_inodes)
			return 0;
	}
	return err_set(e, EBUSY, "no free project number after 64 tries");
}

static int make_quota(const struct volumes *vs, int dir_fd, struct volume_info *v,
		      struct err *e)
{
	auto_close int lock = openat(vs->dir_fd, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_close int data = -1;
	int r;

	do
		r = lock < 0 ? -1 : flock(lock, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, ".lock");
	/* Written down before the limit is set: whoever sweeps takes it away again. */
	if (choose_project(dir_fd, &v->project, e) < 0 || volume_write_info(dir_fd, v, e) < 0)
		return -1;
	if (mkdirat(dir_fd, VOLUME_DATA, 0755) < 0)
		return err_sys(e, "make %s", VOLUME_DATA);
	data = openat(dir_fd, VOLUME_DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (data < 0)
		return err_sys(e, "%s", VOLUME_DATA);
	if (prjquota_join(data, v->project, e) < 0)
		return -1;
	return volume_limit_quota(data, v, e);
}

static int fill(const struct volumes *vs, const struct volume_spec *spec, int dir_fd,
		struct volume_info *v, struct err *e)
{
	if (choose_kind(vs, spec->kind, &v->kind, e) < 0)
		return -1;
	if (v->kind == VOLUME_QUOTA && spec->sparse)
		return err_set(e, EINVAL,
			       "sparse is for the kind loop; quota sets nothing aside");
	if (v->kind == VOLUME_QUOTA)
		return make_quota(vs, dir_fd, v, e);
	if (volume_disk_make(dir_fd, v, spec->sparse, e) < 0)
		return -1;
	return volume_write_info(dir_fd, v, e);
}

/* From here on it is there. */
static int publish(const struct volumes *vs, const char *work, int dir_fd, const char *name,
		   struct err *e)
{
	if (syncfs(dir_fd) < 0)
		return err_sys(e, "syncfs");
	if (renameat2(vs->tmp_fd, work, vs->dir_fd, name, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ? err_set(e, EEXIST, "there is one of this name")
				       : err_sys(e, "publish");
	return fsync(vs->dir_fd) < 0 ? err_sys(e, "fsync") : 0;
}

static int make(const struct volumes *vs, const struct volume_spec *spec, struct err *e)
{
	struct volume_info v = { .size = spec->size, .inodes = spec->inodes };
	auto_close int fd = -1;
	char work[32];
	int r;

	(void) snprintf(v.name, sizeof(v.name), "%s", spec->name);
	(void) snprintf(v.created, sizeof(v.created), "%s",
			clock_rfc3339_ms(clock_real_ms()).s);
	if (!v.inodes)
		v.inodes = MAX(v.size / INODE_BYTES, (uint64_t) INODES_MIN);
	fd = workdir_make(vs->tmp_fd, work, e);
	if (fd < 0)
		return -1;
	r = fill(vs, spec, fd, &v, e);
	if (r == 0)
		r = publish(vs, work, fd, spec->name, e);
	if (r < 0)
		discard(vs->tmp_fd, work);
	return r;
}

static int check_spec(const struct volume_spec *s, struct err *e)
{
	if (!volume_name_valid(s->name))
		return err_set(
			e, EINVAL,
			"no name of a volume: letters, digits, _ . - are allowed, first a letter or "
			"digit, %d at most",
			VOLUME_NAME_MAX);
	if (s->size < VOLUME_SIZE_MIN || s->size > VOLUME_SIZE_MAX || s->size % VOLUME_BLOCK)
		return err_set(e, EINVAL,
			       "%llu bytes: sizes are multiples of %d from 4Mi to 16Ti",
			       (unsigned long long) s->size, VOLUME_BLOCK);
	if (s->inodes && (s->inodes < 16 || s->inodes > s->size / 1024))
		return err_set(e, EINVAL,
			       "%llu inodes: 16 to one for each 1024 bytes are possible",
			       (unsigned long long) s->inodes);
	return 0;
}

int volume_create(const struct volumes *vs, const struct volume_spec *spec, struct err *e)
{
	int r = check_spec(spec, e);

	if (r == 0 && faccessat(vs->dir_fd, spec->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = err_set(e, EEXIST, "there is one of this name");
	else if (r == 0)
		r = make(vs, spec, e);
	if (r < 0 && e->code == EEXIST && spec->keep)
		return 0;
	return r < 0 ? err_wrap(e, "volume %.80s", spec->name) : 0;
}

/* ---- remove ---- */

int volume_remove(const struct volumes *vs, const char *name, struct err *e)
{
	auto_volume struct volume v = VOLUME_NONE;
	char work[32];

	if (volume_open(vs->dir_fd, name, VOLUME_TO_CHANGE, &v, e) < 0 ||
	    volume_claim(&v, NULL, e) < 0)
		return -1;
	/* Its own flock goes along: nobody sweeps it while we are at it. */
	random_id(work);
	if (renameat2(vs->dir_fd, name, vs->tmp_fd, work, RENAME_NOREPLACE) < 0 ||
	    fsync(vs->dir_fd) < 0)
		return err_sys(e, "volume %s: remove", name);
	discard(vs->tmp_fd, work);
	return 0;
}

/* ---- look ---- */

/* A quota is read beside its user. */
static int measure_quota(const struct volume *v, struct volume_state *out, struct err *e)
{
	struct prjquota q;

	if (prjquota_get(v->dir_fd, v->info.project, &q, e) < 0)
		return -1;
	/* What the limit has more than the size is the volume's own directory, which is not for users. */
	out->used_bytes = q.used_bytes - MIN(q.used_bytes, q.bytes - v->info.size);
	out->used_inodes = q.used_inodes - MIN(q.used_inodes, q.inodes - v->info.inodes);
	out->measured = true;
	return 0;
}

static int look(const struct volumes *vs, const char *name, struct volume_state *out,
		struct err *e)
{
	auto_volume struct volume v = VOLUME_NONE;

	if (volume_open(vs->dir_fd, name, VOLUME_TO_USE, &v, e) < 0)
		return -1;
	*out = (struct volume_state){ .info = v.info, .in_use = volume_in_use(&v) };
	return v.info.kind == VOLUME_QUOTA ? measure_quota(&v, out, e) : 0;
}

int volume_inspect(const struct volumes *vs, const char *name, struct volume_state *out,
		   struct err *e)
{
	auto_volume struct volume v = VOLUME_NONE;
	struct err why = ERR_NONE;

	if (look(vs, name, out, e) < 0)
		return -1;
	if (out->measured || out->in_use || out->info.growing)
		return 0;
	if (volume_open(vs->dir_fd, name, VOLUME_TO_CHANGE, &v, e) < 0)
		return -1;
	/* Somebody may have been faster. */
	if (volume_claim(&v, NULL, &why) < 0) {
		*e = why;
		out->in_use = why.code == ETXTBSY;
		return out->in_use ? 0 : -1;
	}
	if (volume_disk_measure(v.dir_fd, &out->used_bytes, &out->used_inodes, e) < 0)
		return err_wrap(e, "volume %s", name);
	out->measured = true;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct volume_state *) a)->info.name,
		      ((const struct volume_state *) b)->info.name);
}

int volumes_list(const struct volumes *vs, void (*bad)(const char *name, const struct err *why),
		 struct volume_state **out, size_t *n, struct err *e)
{
	auto_buf struct buf rows = BUF_LIMIT((size_t) LIST_MAX * sizeof(struct volume_state));
	auto_dirlist struct dirlist names = { 0 };

	if (dirlist_read(vs->dir_fd, NAMES_MAX, &names, e) < 0)
		return err_wrap(e, "volumes %s", vs->path);
	for (size_t i = 0; i < names.n; i++) {
		struct err why = ERR_NONE;
		struct volume_state one;

		if (names.v[i][0] == '.')
			continue;
		if (look(vs, names.v[i], &one, &why) < 0) {
			if (bad && why.code != ENOENT)
				bad(names.v[i], &why);
		} else if (buf_append(&rows, &one, sizeof(one), e) < 0) {
			return -1;
		}
	}
	*n = buf_len(&rows) / sizeof(**out);
	*out = xalloc(buf_len(&rows) + 1);
	if (*n) {
		memcpy(*out, buf_bytes(&rows), buf_len(&rows));
		qsort(*out, *n, sizeof(**out), by_name);
	}
	return 0;
}
