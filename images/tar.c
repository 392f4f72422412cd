#include "images/tar.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/err.h"
#include "images/limits.h"
#include "images/tar_acl.h"

enum { MAX_XATTRS = 64, MAX_XATTR_BYTES = 65536 };

struct tar {
	struct archive *a;
	struct archive_entry *entry; /* libarchive's */
	tar_read_fn read;
	void *arg;
	struct err read_err; /* what read said: libarchive has no room for it */
	struct image_limits limits;
	struct tar_stats stats;
	char *path, *link; /* of the current entry */
	uint64_t size;
	unsigned xattrs;
	struct tar_acls acls;
	size_t next_acl;
};

static la_ssize_t feed(struct archive *a, void *arg, const void **p)
{
	struct tar *t = arg;
	ssize_t n = t->read(t->arg, p, &t->read_err);

	if (n < 0) {
		archive_set_error(a, EIO, "read");
		return ARCHIVE_FATAL;
	}
	return n;
}

static int archive_err(struct tar *t, const char *what, struct err *e)
{
	const char *s = archive_error_string(t->a);

	if (t->read_err.code) {
		*e = t->read_err;
		return err_wrap(e, "%s", what);
	}
	return err_set(e, EINVAL, "%s: %s", what, s ? s : "damaged");
}

int tar_open(tar_read_fn read, void *arg, const struct image_limits *limits, struct tar **out,
	     struct err *e)
{
	auto_tar struct tar *t = xalloc(sizeof(*t));

	*t = (struct tar){ .read = read, .arg = arg, .limits = *limits };
	t->a = archive_read_new();
	if (!t->a || archive_read_support_filter_none(t->a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(t->a) != ARCHIVE_OK)
		return err_set(e, ENOMEM, "libarchive has no tar reader");
	if (archive_read_open(t->a, t, NULL, feed, NULL) != ARCHIVE_OK)
		return archive_err(t, "tar", e);
	*out = take_ptr(&t);
	return 0;
}

void tar_free_ptr(struct tar **t)
{
	if (!*t)
		return;
	archive_read_free((*t)->a);
	free((*t)->path);
	free((*t)->link);
	free(*t);
	*t = NULL;
}

/* A name without its leading "/" and "./", empty and "." components, and trailing "/". */
static char *clean_name(const char *s)
{
	char *out = xalloc(strlen(s) + 1);
	size_t n = 0;

	while (*s) {
		size_t len = strcspn(s, "/");

		if (len > 0 && !(len == 1 && *s == '.')) {
			if (n > 0)
				out[n++] = '/';
			memcpy(out + n, s, len);
			n += len;
		}
		s += len + (s[len] == '/');
	}
	out[n] = '\0';
	return out;
}

static int check_name(const struct tar *t, const char *name, const char *what, struct err *e)
{
	uint64_t depth = 0;

	if (strlen(name) > t->limits.path)
		return err_set(e, ENAMETOOLONG, "%s of %zu bytes: longer than %llu", what,
			       strlen(name), (unsigned long long) t->limits.path);
	for (const char *p = name; *p;) {
		size_t len = strcspn(p, "/");

		if (len > t->limits.name)
			return err_set(e, ENAMETOOLONG,
				       "%s '%.40s...': a component of %zu bytes is longer than "
				       "%llu",
				       what, name, len, (unsigned long long) t->limits.name);
		if (len == 2 && p[0] == '.' && p[1] == '.')
			return err_set(e, EINVAL, "%s '%.200s': '..' is not accepted", what,
				       name);
		depth++;
		p += len + (p[len] == '/');
	}
	if (depth > t->limits.depth)
		return err_set(e, EINVAL, "%s '%.40s...': deeper than %llu directories", what,
			       name, (unsigned long long) t->limits.depth);
	return 0;
}

static int take_names(struct tar *t, struct tar_entry *out, struct err *e)
{
	const char *path = archive_entry_pathname(t->entry);
	const char *hard = archive_entry_hardlink(t->entry);
	const char *soft = archive_entry_symlink(t->entry);

	free(take_ptr(&t->path));
	free(take_ptr(&t->link));
	if (!path)
		return err_set(e, EINVAL, "an entry without a name");
	if (check_name(t, path, "entry", e) < 0)
		return -1;
	t->path = clean_name(path);
	if (hard) {
		if (check_name(t, hard, "hard link target", e) < 0)
			return err_wrap(e, "entry %.200s", t->path);
		t->link = clean_name(hard);
	} else if (soft) {
		if (!*soft || strlen(soft) > t->limits.path)
			return err_set(e, EINVAL, "entry %.200s: a link target of %zu bytes",
				       t->path, strlen(soft));
		t->link = xstrdup(soft);
	}
	out->path = t->path;
	out->link = t->link;
	return 0;
}

static const struct {
	mode_t type;
	enum tar_kind kind;
} kinds[] = {
	{ S_IFREG, TAR_FILE }, { S_IFDIR, TAR_DIR },  { S_IFLNK, TAR_SYMLINK },
	{ S_IFIFO, TAR_FIFO }, { S_IFCHR, TAR_CHAR }, { S_IFBLK, TAR_BLOCK },
};

static int take_kind(struct tar *t, struct tar_entry *out, struct err *e)
{
	mode_t type = archive_entry_filetype(t->entry);

	if (archive_entry_hardlink(t->entry)) {
		out->kind = TAR_HARDLINK;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].type == type) {
			out->kind = kinds[i].kind;
			if (out->kind == TAR_SYMLINK && !out->link)
				break;
			return 0;
		}
	}
	return err_set(e, EINVAL, "entry %.200s: of no known type", t->path);
}

static int take_id(int64_t id, const char *what, uint32_t *out, struct err *e)
{
	if (id < 0 || id >= UINT32_MAX)
		return err_set(e, EINVAL, "%s %lld is not between 0 and 4294967294", what,
			       (long long) id);
	*out = (uint32_t) id;
	return 0;
}

static int take_size(struct tar *t, struct tar_entry *out, struct err *e)
{
	int64_t size = archive_entry_size(t->entry);

	t->size = 0;
	if (out->kind != TAR_FILE)
		return 0;
	if (size < 0 || (uint64_t) size > t->limits.bytes ||
	    t->stats.bytes + (uint64_t) size > t->limits.bytes)
		return err_set(e, EFBIG,
			       "the files have more than the %llu bytes that are allowed",
			       (unsigned long long) t->limits.bytes);
	t->stats.bytes += (uint64_t) size;
	t->size = out->size = (uint64_t) size;
	return 0;
}

static int take_attributes(struct tar *t, struct tar_entry *out, struct err *e)
{
	t->xattrs = 0;
	t->next_acl = 0;
	out->mode = archive_entry_perm(t->entry) & 07777;
	if (tar_acls_take(t->entry, out->kind == TAR_DIR, out->kind != TAR_SYMLINK, &t->acls,
			  &out->mode, e) < 0)
		return -1;
	archive_entry_xattr_reset(t->entry);
	return 0;
}

static int take_entry(struct tar *t, struct tar_entry *out, struct err *e)
{
	struct tar_entry en = { 0 };

	if (++t->stats.entries > t->limits.entries)
		return err_set(e, EFBIG, "more than the %llu entries that are allowed",
			       (unsigned long long) t->limits.entries);
	if (take_names(t, &en, e) < 0 || take_kind(t, &en, e) < 0)
		return -1;
	if (take_id(archive_entry_uid(t->entry), "owner", &en.uid, e) < 0 ||
	    take_id(archive_entry_gid(t->entry), "group", &en.gid, e) < 0 ||
	    take_size(t, &en, e) < 0 || take_attributes(t, &en, e) < 0)
		return err_wrap(e, "entry %.200s", t->path);
	en.mtime.tv_sec = archive_entry_mtime(t->entry);
	en.mtime.tv_nsec = archive_entry_mtime_nsec(t->entry);
	if (en.mtime.tv_nsec < 0 || en.mtime.tv_nsec > 999999999)
		en.mtime.tv_nsec = 0;
	*out = en;
	return 0;
}

/* An entry whose ACL it could not read in part is fine for libarchive, and what it could not read is missing. */
static bool lost_acl(const struct tar *t)
{
	const char *s = archive_error_string(t->a);

	return s && strstr(s, "SCHILY.acl.") != NULL;
}

int tar_next(struct tar *t, struct tar_entry *out, struct err *e)
{
	int r = archive_read_next_header(t->a, &t->entry);

	if (r == ARCHIVE_EOF)
		return 0;
	/* EILSEQ: a pax name that the C locale cannot express; the raw bytes stand in the entry, and
	 * they are what is wanted. */
	if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && archive_errno(t->a) == EILSEQ))
		return archive_err(t, t->stats.entries ? "tar: next entry" : "tar", e);
	if (lost_acl(t))
		return archive_err(t, "tar: next entry", e);
	return take_entry(t, out, e) < 0 ? -1 : 1;
}

int tar_data(struct tar *t, const void **p, size_t *n, uint64_t *offset, struct err *e)
{
	int64_t at = 0;
	int r = archive_read_data_block(t->a, p, n, &at);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK)
		return archive_err(t, t->path, e);
	if (at < 0 || (uint64_t) at > t->size || *n > t->size - (uint64_t) at)
		return err_set(e, EINVAL, "entry %.200s: more content than its header says",
			       t->path);
	*offset = (uint64_t) at;
	return 1;
}

static int next_acl(struct tar *t, const char **name, const void **value, size_t *n)
{
	const struct tar_acl *a = &t->acls.v[t->next_acl];

	if (t->next_acl == t->acls.n)
		return 0;
	t->next_acl++;
	*name = a->name;
	*value = a->value;
	*n = a->n;
	return 1;
}

int tar_xattr(struct tar *t, const char **name, const void **value, size_t *n, struct err *e)
{
	do {
		if (archive_entry_xattr_next(t->entry, name, value, n) != ARCHIVE_OK)
			return next_acl(t, name, value, n);
	} while (acl_is_name(*name));
	if (++t->xattrs > MAX_XATTRS || *n > MAX_XATTR_BYTES)
		return err_set(e, EFBIG,
			       "entry %.200s: more than %d extended attributes, or one of more "
			       "than %d bytes",
			       t->path, MAX_XATTRS, MAX_XATTR_BYTES);
	return 1;
}

struct tar_stats tar_stats(const struct tar *t)
{
	return t->stats;
}
