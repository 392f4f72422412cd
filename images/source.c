#include "images/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "images/store.h"
#include "images/unpack.h"

enum { SMALL_FILE = 8 << 20 };

static const struct {
	const char *name;
	enum source_kind kind;
} kinds[] = {
	{ "oci", SOURCE_OCI },
	{ "docker-archive", SOURCE_DOCKER },
	{ "rootfs", SOURCE_ROOTFS },
};

int source_kind_parse(const char *s, enum source_kind *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, s) == 0) {
			*out = kinds[i].kind;
			return 0;
		}
	}
	return err_set(e, EINVAL, "'%.40s' is no kind of source (oci, docker-archive, rootfs)",
		       s);
}

static bool holds(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Newer docker-archives are OCI layouts as well; that is the stricter reading of the two. */
static int judge_dir(struct source *s, enum source_kind want, struct err *e)
{
	bool oci = holds(s->dir_fd, "oci-layout") && holds(s->dir_fd, "index.json");
	bool docker = holds(s->dir_fd, "manifest.json");

	if (want == SOURCE_ANY)
		want = oci ? SOURCE_OCI : SOURCE_DOCKER;
	if (want == SOURCE_OCI && oci) {
		s->kind = want;
		return 0;
	}
	if (want == SOURCE_DOCKER && docker) {
		s->kind = want;
		return 0;
	}
	return err_set(e, EINVAL,
		       "it holds neither an OCI layout (oci-layout, index.json) nor a "
		       "docker-archive (manifest.json), or not the one that was asked for");
}

static int make_tree(struct store_work *w, const char *name, struct err *e)
{
	int fd;

	if (mkdirat(w->fd, name, 0700) < 0)
		return err_sys(e, "make tmp/*/%s", name);
	fd = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "tmp/*/%s", name);
	return fd;
}

/* A pipe cannot be read twice: its bytes become a file first. */
static int to_file(struct store_work *w, struct source *s, const struct image_limits *limits,
		   struct err *e)
{
	struct blob got;
	int fd;

	if (blob_stage_fd(w, s->file_fd, NULL, limits->blob_bytes, &got, e) < 0)
		return -1;
	fd = blob_open(w->store, w, &got.digest, e);
	if (fd < 0)
		return -1;
	fd_close(&s->file_fd);
	s->file_fd = fd;
	return 0;
}

static int unpack_source(struct store_work *w, struct source *s, uint64_t size,
			 const struct image_limits *limits, struct err *e)
{
	auto_close int tree = make_tree(w, "source", e);
	struct unpack_result ignored;
	struct unpack_spec spec = { .kind = UNPACK_SOURCE,
				    .in_fd = s->file_fd,
				    .compression = s->compression,
				    .in_bytes = size,
				    .tree_fd = tree,
				    .image_fd = -1,
				    .limits = *limits };
	int r;

	if (tree < 0)
		return -1;
	r = unpack_archive(&spec, &ignored, e);
	if (r != UNPACK_DONE)
		return r;
	s->dir_fd = take_fd(&tree);
	s->own = true;
	return UNPACK_DONE;
}

static int open_archive(struct store_work *w, struct source *s, enum source_kind want,
			const struct image_limits *limits, struct err *e)
{
	struct stat st;
	int r;

	if (compression_of_file(s->file_fd, &s->compression, e) < 0)
		return -1;
	if (s->compression == COMPRESSION_FOREIGN)
		return err_set(e, ENOTSUP, "its compression is none of gzip and zstd");
	if (fstat(s->file_fd, &st) < 0)
		return err_sys(e, "stat");
	s->kind = SOURCE_ROOTFS;
	if (want == SOURCE_ROOTFS)
		return 0;
	r = unpack_source(w, s, (uint64_t) st.st_size, limits, e);
	if (r < 0)
		return -1;
	if (r == UNPACK_DONE)
		return judge_dir(s, want, e);
	if (want != SOURCE_ANY)
		return err_set(e, EINVAL,
			       "it holds files that no archive of images has; is it "
			       "a root filesystem (--as rootfs)?");
	if (fd_remove_tree(w->fd, "source", e) < 0)
		return -1;
	if (lseek(s->file_fd, 0, SEEK_SET) < 0)
		return err_sys(e, "seek");
	return 0;
}

static int open_any(struct store_work *w, const char *path, enum source_kind want,
		    const struct image_limits *limits, struct source *s, struct err *e)
{
	struct stat st;
	const bool standard = strcmp(path, "-") == 0;
	int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			  : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open");
	s->file_fd = fd;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat");
	if (S_ISDIR(st.st_mode)) {
		s->dir_fd = take_fd(&s->file_fd);
		if (want == SOURCE_ROOTFS)
			return err_set(e, ENOTSUP,
				       "a root filesystem has to be a tar archive, "
				       "this is a directory");
		return judge_dir(s, want, e);
	}
	if (!S_ISREG(st.st_mode) && to_file(w, s, limits, e) < 0)
		return -1;
	return open_archive(w, s, want, limits, e);
}

int source_open(struct store_work *w, const char *path, enum source_kind want,
		const struct image_limits *limits, struct source *out, struct err *e)
{
	struct source s = SOURCE_NONE;

	if (open_any(w, path, want, limits, &s, e) < 0) {
		source_close(&s);
		return err_wrap(e, "%s", path);
	}
	*out = s;
	return 0;
}

void source_close(struct source *s)
{
	fd_close(&s->dir_fd);
	fd_close(&s->file_fd);
}

/* Untrusted: the name comes from a manifest, what it leads to from whoever made the directory. */
static int open_file(const struct source *s, const char *path, struct err *e)
{
	auto_close int fd =
		path_open_in(s->dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "%.200s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%.200s: no regular file", path);
	return take_fd(&fd);
}

int source_read(const struct source *s, const char *path, struct buf *out, struct err *e)
{
	auto_close int fd = open_file(s, path, e);

	if (fd < 0)
		return -1;
	if (fd_read_all(fd, SMALL_FILE, out, e) < 0)
		return err_wrap(e, "%.200s", path);
	return 0;
}

static int stage_own(const struct source *s, struct store_work *w, const char *path,
		     const struct blob *expect, struct blob *out, struct err *e)
{
	char name[NAME_MAX + 1];
	auto_close int dir = path_parent_in(s->dir_fd, path, false, name, e);

	if (dir < 0)
		return -1;
	return blob_stage_own_file(w, dir, name, expect, out, e);
}

int source_stage(const struct source *s, struct store_work *w, const char *path,
		 const struct blob *expect, const struct image_limits *limits, struct blob *out,
		 struct err *e)
{
	auto_close int fd = -1;

	if (s->own) {
		struct err own = ERR_NONE;

		if (stage_own(s, w, path, expect, out, &own) == 0)
			return 0;
		if (own.code != ELOOP) { /* a symlink is copied like any foreign file */
			*e = own;
			return -1;
		}
	}
	fd = open_file(s, path, e);
	if (fd < 0)
		return -1;
	return blob_stage_fd(w, fd, expect, limits->blob_bytes, out, e);
}
