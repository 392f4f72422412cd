/*
 * The end of an archive: modes, times and ACLs of directories, which what is made in them would change or inherit; and the
 * directories that no entry described, which are marked for images/parents.h.
 */
#include "images/extract_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "images/dirlist.h"
#include "images/implied.h"
#include "images/inodes.h"
#include "images/tar.h"

enum { WALK_DEPTH = 200 };

#define AS_MADE ((mode_t) -1) /* nothing is set at the end */

/* A directory that was made: numbers are used again, times of birth (where the file system has them) are not. */
struct dir_id {
	uint64_t ino;
	struct timespec born;
};

/* Of one inode the last record counts. */
struct late_dir {
	struct dir_id id;
	struct timespec mtime;
	mode_t mode;
	uint32_t path_len;	    /* with its NUL; the path follows */
	uint32_t acl_len[DIR_ACLS]; /* then these */
};

static int identify(int fd, struct dir_id *out, struct err *e)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return err_sys(e, "statx");
	*out = (struct dir_id){ .ino = st.stx_ino };
	if (st.stx_mask & STATX_BTIME)
		out->born = (struct timespec){ .tv_sec = st.stx_btime.tv_sec,
					       .tv_nsec = st.stx_btime.tv_nsec };
	return 0;
}

static bool same_dir(const struct dir_id *a, const struct dir_id *b)
{
	return a->ino == b->ino && a->born.tv_sec == b->born.tv_sec &&
	       a->born.tv_nsec == b->born.tv_nsec;
}

int extract_finish_later(struct extract *x, const struct tar_entry *en, int fd,
			 const struct dir_acl acls[DIR_ACLS], struct err *e)
{
	struct late_dir d = { .mtime = en->mtime,
			      .mode = en->mode,
			      .path_len = (uint32_t) strlen(en->path) + 1,
			      .acl_len = { (uint32_t) acls[0].n, (uint32_t) acls[1].n } };

	x->acls = x->acls || acls[0].n || acls[1].n;
	if (identify(fd, &d.id, e) < 0 || buf_append(&x->late, &d, sizeof(d), e) < 0 ||
	    buf_append(&x->late, en->path, d.path_len, e) < 0 ||
	    buf_append(&x->late, acls[0].value, acls[0].n, e) < 0)
		return -1;
	return buf_append(&x->late, acls[1].value, acls[1].n, e);
}

int extract_made_anew(struct extract *x, int fd, struct err *e)
{
	struct late_dir d = { .mode = AS_MADE, .path_len = 1 };

	if (identify(fd, &d.id, e) < 0 || buf_append(&x->late, &d, sizeof(d), e) < 0)
		return -1;
	return buf_append(&x->late, "", 1, e);
}

/* The record at `at`, which moves behind it; false at the end. */
static bool next_late(const struct extract *x, size_t *at, struct late_dir *d,
		      const char **path)
{
	if (*at >= buf_len(&x->late))
		return false;
	memcpy(d, buf_bytes(&x->late) + *at, sizeof(*d));
	*path = (const char *) buf_bytes(&x->late) + *at + sizeof(*d);
	*at += sizeof(*d) + d->path_len + d->acl_len[0] + d->acl_len[1];
	return true;
}

/* A directory that comes twice has what came last. */
static int set_acls(int fd, const struct late_dir *d, const char *values, struct err *e)
{
	static const char *const names[DIR_ACLS] = { ACL_ACCESS, ACL_DEFAULT };

	for (size_t i = 0; i < DIR_ACLS; i++) {
		const size_t n = d->acl_len[i];

		if (n ? fsetxattr(fd, names[i], values, n, 0) < 0
		      : fremovexattr(fd, names[i]) < 0 && errno != ENODATA)
			return err_sys(e, "%s", names[i]);
		values += n;
	}
	return 0;
}

static int set_late(const struct extract *x, int fd, const struct late_dir *d, const char *path,
		    struct err *e)
{
	const struct timespec times[2] = { d->mtime, d->mtime };

	if (x->acls && set_acls(fd, d, path + d->path_len, e) < 0)
		return err_wrap(e, "directory %.200s", path);
	if (fchmod(fd, d->mode) < 0 || futimens(fd, times) < 0)
		return err_sys(e, "directory %.200s: mode and time", path);
	return 0;
}

/* 1 when the name leads elsewhere by now: the directory was replaced, or a link on the way to it was. */
static int finish_dir(struct extract *x, const struct late_dir *d, const char *path,
		      struct err *e)
{
	struct err gone = ERR_NONE;
	struct dir_id id;
	auto_close int fd =
		path_open_in(x->root_fd, *path ? path : "/",
			     O_RDONLY | O_DIRECTORY | O_NONBLOCK, PATH_LAST_NOFOLLOW, &gone);

	if (fd < 0 && (gone.code == ENOENT || gone.code == ENOTDIR || gone.code == ELOOP))
		return 1;
	if (fd < 0 || identify(fd, &id, e) < 0)
		return err_sys(e, "directory %.200s", path);
	return same_dir(&id, &d->id) ? set_late(x, fd, d, path, e) : 1;
}

/* Where the last record of each directory is. */
struct lasts {
	const struct extract *x;
	struct inodes *at;
	bool marking;	  /* the walk looks for those without */
	uint64_t implied; /* how many there are */
};

static bool add_last(struct lasts *l, const struct dir_id *id, uint64_t *at)
{
	return inodes_add(l->at, (uint64_t) (id->born.tv_sec ^ id->born.tv_nsec), id->ino, at);
}

static void find_lasts(struct lasts *l, bool as_made)
{
	const size_t most = buf_len(&l->x->late) / sizeof(struct late_dir);
	auto_free uint64_t *places = xalloc((most + 1) * sizeof(*places));
	struct late_dir d;
	const char *path;
	size_t n = 0;

	for (size_t at = 0, next = 0; next_late(l->x, &next, &d, &path); at = next) {
		if ((d.mode == AS_MADE) == as_made)
			places[n++] = at;
	}
	while (n > 0) { /* the first that is added stays */
		size_t at = places[--n];
		uint64_t place = at;

		(void) next_late(l->x, &at, &d, &path);
		(void) add_last(l, &d.id, &place);
	}
}

static int finish_found(struct lasts *l, int fd, struct err *e)
{
	uint64_t place = UINT64_MAX;
	struct late_dir d;
	struct dir_id id;
	const char *path;
	size_t at;

	if (identify(fd, &id, e) < 0)
		return -1;
	if (add_last(l, &id, &place) || place == UINT64_MAX)
		return 0;
	at = place;
	return next_late(l->x, &at, &d, &path) && d.mode != AS_MADE && same_dir(&d.id, &id)
		       ? set_late(l->x, fd, &d, path, e)
		       : 0;
}

/* One that has no record was made for what lies in it. The root is what the layer is put into. */
static int mark_implied(struct lasts *l, int fd, unsigned depth, struct err *e)
{
	const struct timespec times[2] = { IMPLIED_MTIME, IMPLIED_MTIME };
	uint64_t place = 0;
	struct dir_id id;

	if (identify(fd, &id, e) < 0)
		return -1;
	if (depth == 0 || !add_last(l, &id, &place))
		return 0;
	l->implied++;
	return futimens(fd, times) < 0 ? err_sys(e, "time of a directory") : 0;
}

static int finish_walk(struct lasts *x, int fd, unsigned depth, struct err *e)
{
	auto_dirlist struct dirlist l = { 0 };

	if (depth > WALK_DEPTH)
		return err_set(e, ELOOP, "more than %d directories deep", WALK_DEPTH);
	if (dirlist_read_dirs(fd, SIZE_MAX, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		auto_close int below =
			openat(fd, l.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (below < 0 && (errno == ENOTDIR || errno == ELOOP))
			continue;
		if (below < 0)
			return err_sys(e, "%.200s", l.v[i]);
		if (finish_walk(x, below, depth + 1, e) < 0)
			return -1;
	}
	return x->marking ? mark_implied(x, fd, depth, e) : finish_found(x, fd, e);
}

/* By looking at every directory that there is. */
static int finish_all(struct extract *x, bool marking, struct err *e)
{
	struct lasts l = { .x = x, .at = inodes_new(), .marking = marking };
	int r;

	find_lasts(&l, false);
	find_lasts(&l, true);
	r = finish_walk(&l, x->root_fd, 0, e);
	x->stats.implied = l.implied;
	inodes_free_ptr(&l.at);
	return r;
}

/* By their names, as nearly always. */
static int finish_dirs(struct extract *x, struct err *e)
{
	struct late_dir d;
	const char *path;
	size_t at = 0;
	bool lost = false;

	while (next_late(x, &at, &d, &path)) {
		const int r = d.mode == AS_MADE ? 0 : finish_dir(x, &d, path, e);

		if (r < 0)
			return -1;
		lost = lost || r == 1;
	}
	return lost ? finish_all(x, false, e) : 0;
}

int extract_finish(struct extract *x, struct extract_stats *out, struct err *e)
{
	extract_forget_parent(x);
	if (finish_dirs(x, e) < 0 ||
	    (x->implied && x->policy.layer && finish_all(x, true, e) < 0))
		return -1;
	*out = x->stats;
	return 0;
}
