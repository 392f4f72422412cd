#include "images/tar_write.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "images/tar.h"

struct tar_writer {
	struct archive *a;
	struct archive_entry *next;
	tar_write_fn write;
	void *arg;
	struct err failed; /* of the callback; libarchive has no room for it */
};

static la_ssize_t on_write(struct archive *a, void *arg, const void *p, size_t n)
{
	struct tar_writer *w = arg;

	if (w->write(w->arg, p, n, &w->failed) < 0) {
		archive_set_error(a, EIO, "write");
		return -1;
	}
	return (la_ssize_t) n;
}

static int failed(struct tar_writer *w, struct err *e)
{
	const char *why = archive_error_string(w->a);

	if (w->failed.code) {
		*e = w->failed;
		return -1;
	}
	return err_set(e, EIO, "tar: %s", why ? why : "libarchive refuses");
}

int tar_writer_new(tar_write_fn write, void *arg, struct tar_writer **out, struct err *e)
{
	struct tar_writer *w = xalloc(sizeof(*w));

	w->write = write;
	w->arg = arg;
	w->a = archive_write_new();
	w->next = archive_entry_new();
	if (!w->a || !w->next) {
		tar_writer_free_ptr(&w);
		return err_set(e, ENOMEM, "tar: libarchive refuses to start");
	}
	if (archive_write_set_format_pax(w->a) != ARCHIVE_OK ||
	    /* As GNU tar, Docker and all readers of images have it; a second copy would only cost. */
	    archive_write_set_format_option(w->a, "pax", "xattrheader", "SCHILY") !=
		    ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(w->a, 1) != ARCHIVE_OK ||
	    archive_write_open(w->a, w, NULL, on_write, NULL) != ARCHIVE_OK) {
		(void) failed(w, e);
		tar_writer_free_ptr(&w);
		return -1;
	}
	*out = w;
	return 0;
}

void tar_writer_free_ptr(struct tar_writer **w)
{
	if (!*w)
		return;
	archive_entry_free((*w)->next);
	(void) archive_write_free((*w)->a);
	free(*w);
	*w = NULL;
}

void tar_writer_xattr(struct tar_writer *w, const char *name, const void *value, size_t n)
{
	archive_entry_xattr_add_entry(w->next, name, value, n);
}

void tar_writer_extent(struct tar_writer *w, uint64_t offset, uint64_t n)
{
	archive_entry_sparse_add_entry(w->next, (la_int64_t) offset, (la_int64_t) n);
}

static const mode_t types[] = {
	[TAR_FILE] = S_IFREG, [TAR_DIR] = S_IFDIR,  [TAR_SYMLINK] = S_IFLNK,
	[TAR_FIFO] = S_IFIFO, [TAR_CHAR] = S_IFCHR, [TAR_BLOCK] = S_IFBLK,
};

int tar_writer_entry(struct tar_writer *w, const struct tar_entry *en, struct err *e)
{
	struct archive_entry *x = w->next;
	int r;

	archive_entry_copy_pathname(x, *en->path ? en->path : "./");
	if (en->kind == TAR_HARDLINK)
		archive_entry_copy_hardlink(x, en->link);
	else
		archive_entry_set_filetype(x, types[en->kind]);
	if (en->kind == TAR_SYMLINK)
		archive_entry_copy_symlink(x, en->link);
	archive_entry_set_perm(x, en->mode);
	archive_entry_set_uid(x, en->uid);
	archive_entry_set_gid(x, en->gid);
	archive_entry_set_size(x, en->kind == TAR_FILE ? (la_int64_t) en->size : 0);
	archive_entry_set_mtime(x, en->mtime.tv_sec, en->mtime.tv_nsec);
	r = archive_write_header(w->a, x);
	archive_entry_clear(x);
	/* A warning is of names that are no ASCII, which it marks as binary. */
	return r < ARCHIVE_WARN ? failed(w, e) : 0;
}

int tar_writer_data(struct tar_writer *w, const void *p, size_t n, struct err *e)
{
	while (n > 0) {
		la_ssize_t done = archive_write_data(w->a, p, n);

		if (done <= 0)
			return failed(w, e);
		p = (const char *) p + done;
		n -= (size_t) done;
	}
	return 0;
}

int tar_writer_finish(struct tar_writer *w, struct err *e)
{
	return archive_write_close(w->a) == ARCHIVE_OK ? 0 : failed(w, e);
}
