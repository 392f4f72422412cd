#include "images/tar_acl.h"

#include <limits.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/err.h"
#include "base/util.h"

static const struct kind {
	int type; /* libarchive's */
	const char *attr, *text;
} kinds[] = {
	{ ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_ACCESS, "SCHILY.acl.access" },
	{ ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_DEFAULT, "SCHILY.acl.default" },
};

static const struct {
	int tag; /* libarchive's */
	uint16_t ours;
	bool has_id;
} tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_TAG_OWNER, false },
	{ ARCHIVE_ENTRY_ACL_USER, ACL_TAG_USER, true },
	{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_TAG_GROUP_OWNER, false },
	{ ARCHIVE_ENTRY_ACL_GROUP, ACL_TAG_GROUP, true },
	{ ARCHIVE_ENTRY_ACL_MASK, ACL_TAG_MASK, false },
	{ ARCHIVE_ENTRY_ACL_OTHER, ACL_TAG_OTHER, false },
};

/* KEPT, or UNKNOWN: whom it is for is not to be had. */
enum { UNKNOWN = 0, KEPT = 1 };

static bool find_attr(struct archive_entry *en, const char *attr, const void **p, size_t *n)
{
	const char *name;

	archive_entry_xattr_reset(en);
	while (archive_entry_xattr_next(en, &name, p, n) == ARCHIVE_OK) {
		if (strcmp(name, attr) == 0)
			return true;
	}
	return false;
}

/* libarchive has -1 where the text has a name only, and INT_MAX for what is larger: both are nobody's number. */
static int add_entry(struct acl *a, int tag, int perm, int id, struct err *e)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(tags) && tags[i].tag != tag)
		i++;
	if (i == ARRAY_SIZE(tags) || (tags[i].has_id && (id < 0 || id == INT_MAX)))
		return UNKNOWN;
	if (acl_add(a, tags[i].ours, (uint16_t) (perm & 7),
		    tags[i].has_id ? (uint32_t) id : ACL_NO_ID, e) < 0)
		return -1;
	return KEPT;
}

static int from_text(struct archive_entry *en, int type, struct acl *a, struct err *e)
{
	int got, perm, tag, id, r;
	const char *name;

	(void) archive_entry_acl_reset(en, type);
	while (archive_entry_acl_next(en, type, &got, &perm, &tag, &id, &name) == ARCHIVE_OK) {
		r = add_entry(a, tag, perm, id, e);
		if (r != KEPT)
			return r;
	}
	acl_sort(a);
	return a->n && acl_check(a, e) < 0 ? -1 : KEPT;
}

/* The kernel's form counts where there are both: it has no names. a->n is 0 when there is none. */
static int take(struct archive_entry *en, const struct kind *k, struct acl *a, struct err *e)
{
	const void *p;
	size_t n;

	a->n = 0;
	if (find_attr(en, k->attr, &p, &n))
		return acl_decode(p, n, a, e) < 0 ? -1 : KEPT;
	return archive_entry_acl_types(en) & k->type ? from_text(en, k->type, a, e) : KEPT;
}

static void drop(struct tar_acls *out, const struct kind *k)
{
	out->v[out->n].name = k->text;
	out->v[out->n++].n = 0;
}

static int take_kind(struct archive_entry *en, const struct kind *k, bool may,
		     struct tar_acls *out, mode_t *mode, struct err *e)
{
	struct acl a;
	const int r = take(en, k, &a, e);

	if (r < 0)
		return err_wrap(e, "%s", k->text);
	if (r == UNKNOWN || (a.n > 0 && !may)) {
		drop(out, k);
		return 0;
	}
	if (a.n > 0 && k->type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS) {
		*mode = acl_mode(&a, *mode);
		if (acl_is_mode(&a))
			return 0;
	}
	if (a.n > 0) {
		out->v[out->n].name = k->attr;
		out->v[out->n].n = acl_encode(&a, out->v[out->n].value);
		out->n++;
	}
	return 0;
}

int tar_acls_take(struct archive_entry *en, bool dir, bool takes, struct tar_acls *out,
		  mode_t *mode, struct err *e)
{
	out->n = 0;
	if (archive_entry_acl_types(en) == 0 && archive_entry_xattr_count(en) == 0)
		return 0; /* as nearly always */
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const bool may =
			takes && (dir || kinds[i].type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS);

		if (take_kind(en, &kinds[i], may, out, mode, e) < 0)
			return -1;
	}
	return 0;
}
