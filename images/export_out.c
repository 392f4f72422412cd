#include "images/export_out.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "images/dirlist.h"
#include "images/export.h"
#include "images/source_names.h"
#include "images/store.h"

enum { CHUNK = 256 * 1024, NAMES_MAX = 1 << 16 };

/* ---- open ---- */

static int check_empty(int dir_fd, struct err *e)
{
	auto_dirlist struct dirlist names = { 0 };

	if (dirlist_read(dir_fd, NAMES_MAX, &names, e) < 0)
		return -1;
	return names.n == 0 ? 0 : err_set(e, ENOTEMPTY, "the directory is not empty");
}

static int open_dir(const char *to, struct export_out *o, struct err *e)
{
	o->path = xstrdup(to);
	o->made = mkdir(to, 0755) == 0;
	if (!o->made && errno != EEXIST)
		return err_sys(e, "mkdir");
	o->dir_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dir_fd < 0)
		return err_sys(e, "open");
	if (check_empty(o->dir_fd, e) < 0) {
		fd_close(&o->dir_fd); /* others' */
		return -1;
	}
	return 0;
}

static int tar_error(struct export_out *o, struct err *e)
{
	int code = archive_errno(o->tar);
	const char *why = archive_error_string(o->tar);

	if (code <= 0)
		return err_set(e, EIO, "%s", why ? why : "libarchive");
	return err_set(e, code, "%s: %s", why ? why : "libarchive", strerror(code));
}

static bool is_dir(const char *to)
{
	struct stat st;

	return str_has_suffix(to, "/") || (stat(to, &st) == 0 && S_ISDIR(st.st_mode));
}

/* What is there and no regular file, a pipe for instance, is written to; a file is replaced when the new one is whole. */
char *export_partial(const char *to)
{
	struct stat st;

	if (strcmp(to, "-") == 0 || is_dir(to) || (stat(to, &st) == 0 && !S_ISREG(st.st_mode)))
		return NULL;
	return xasprintf("%s.partial", to);
}

static int open_stdout(struct err *e)
{
	int fd;

	if (isatty(STDOUT_FILENO))
		return err_set(e, EINVAL, "standard output is a terminal; name a file");
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? err_sys(e, "standard output") : fd;
}

static int open_file(const char *to, struct export_out *o, struct err *e)
{
	o->path = xstrdup(to);
	o->partial = export_partial(to);
	if (strcmp(to, "-") == 0) {
		o->fd = open_stdout(e);
		if (o->fd < 0)
			return -1;
	} else {
		o->fd = o->partial ? open(o->partial,
					  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
					  0644)
				   : open(to, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	}
	if (o->fd < 0)
		return err_sys(e, "open");
	o->tar = archive_write_new();
	if (!o->tar)
		return err_set(e, ENOMEM, "libarchive has no memory");
	if (archive_write_set_format_pax_restricted(o->tar) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(o->tar, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(o->tar, o->fd) != ARCHIVE_OK)
		return tar_error(o, e);
	return 0;
}

int export_out_open(const char *to, struct export_out *out, struct err *e)
{
	struct export_out o = EXPORT_OUT_NONE;

	if ((is_dir(to) ? open_dir : open_file)(to, &o, e) < 0) {
		export_out_close(&o);
		return err_wrap(e, "%s", to);
	}
	*out = o;
	return 0;
}

/* ---- entries ---- */

static int tar_head(struct export_out *o, const char *name, mode_t mode, uint64_t size,
		    struct err *e)
{
	struct archive_entry *en = archive_entry_new();
	int r;

	if (!en)
		return err_set(e, ENOMEM, "libarchive has no memory");
	archive_entry_set_pathname(en, name);
	archive_entry_set_mode(en, mode);
	archive_entry_set_size(en, (la_int64_t) size);
	archive_entry_set_mtime(en, 0, 0);
	archive_entry_set_uid(en, 0);
	archive_entry_set_gid(en, 0);
	r = archive_write_header(o->tar, en);
	archive_entry_free(en);
	return r == ARCHIVE_OK ? 0 : tar_error(o, e);
}

/* A file of the directory to write to, or the archive's next entry: -1 with *e empty is the archive. */
static int begin(struct export_out *o, const char *name, uint64_t size, int *file_fd,
		 struct err *e)
{
	*file_fd = -1;
	if (o->tar)
		return tar_head(o, name, S_IFREG | 0644, size, e);
	*file_fd = openat(o->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return *file_fd < 0 ? err_sys(e, "%s", name) : 0;
}

static int put(struct export_out *o, int file_fd, const void *p, size_t n, struct err *e)
{
	if (!o->tar)
		return fd_write_all(file_fd, p, n, e);
	return archive_write_data(o->tar, p, n) == (la_ssize_t) n ? 0 : tar_error(o, e);
}

int export_out_dir(struct export_out *o, const char *name, struct err *e)
{
	if (o->tar)
		return tar_head(o, name, S_IFDIR | 0755, 0, e);
	return mkdirat(o->dir_fd, name, 0755) < 0 ? err_sys(e, "%s", name) : 0;
}

int export_out_mem(struct export_out *o, const char *name, const void *p, size_t n,
		   struct err *e)
{
	auto_close int fd = -1;

	if (begin(o, name, n, &fd, e) < 0)
		return -1;
	return put(o, fd, p, n, e);
}

int export_out_blob(struct export_out *o, const char *name, const struct store *s,
		    const struct blob *blob, struct err *e)
{
	auto_close int in = blob_open(s, NULL, &blob->digest, e);
	auto_close int fd = -1;
	auto_free uint8_t *chunk = xalloc(CHUNK);
	auto_hash struct hash *h = NULL;
	struct blob got = { 0 };
	ssize_t n = 1;

	if (in < 0 || hash_new(digest_kind(&blob->digest), &h, e) < 0 ||
	    begin(o, name, blob->size, &fd, e) < 0)
		return -1;
	while (n != 0) {
		n = read(in, chunk, CHUNK);
		if (n < 0 && errno != EINTR)
			return err_sys(e, "read %s", digest_text(&blob->digest).s);
		if (n <= 0)
			continue;
		got.size += (uint64_t) n;
		if (got.size > blob->size)
			break;
		if (hash_update(h, chunk, (size_t) n, e) < 0 ||
		    put(o, fd, chunk, (size_t) n, e) < 0)
			return -1;
	}
	if (hash_final(h, &got.digest, e) < 0)
		return -1;
	if (blob_matches(blob, &got, e) < 0)
		return err_hint(e, "the store is damaged: import the image again");
	return 0;
}

/* ---- the end ---- */

int export_out_finish(struct export_out *o, struct err *e)
{
	o->whole = !o->tar;
	if (!o->tar)
		return 0;
	if (archive_write_close(o->tar) != ARCHIVE_OK)
		return tar_error(o, e);
	if (!o->partial)
		return 0;
	if (fsync(o->fd) < 0)
		return err_sys(e, "fsync %s", o->partial);
	if (rename(o->partial, o->path) < 0)
		return err_sys(e, "rename to %s", o->path);
	free(o->partial);
	o->partial = NULL;
	return 0;
}

/* It was empty when we came; what is none of our names somebody else has put there. */
static void clear_dir(struct export_out *o)
{
	auto_dirlist struct dirlist names = { 0 };
	struct err none = ERR_NONE;

	if (dirlist_read(o->dir_fd, NAMES_MAX, &names, &none) == 0) {
		for (size_t i = 0; i < names.n; i++) {
			if (source_name_known(names.v[i]))
				(void) fd_remove_tree(o->dir_fd, names.v[i], &none);
		}
	}
	if (o->made)
		(void) rmdir(o->path);
}

void export_out_close(struct export_out *o)
{
	if (o->dir_fd >= 0 && !o->whole)
		clear_dir(o);
	if (o->tar)
		archive_write_free(o->tar);
	if (o->partial && o->fd >= 0)
		(void) unlink(o->partial);
	fd_close(&o->fd);
	fd_close(&o->dir_fd);
	free(o->partial);
	free(o->path);
	*o = EXPORT_OUT_NONE;
}
