#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "images/acl.h"
#include "images/erofs_internal.h"
#include "images/tar.h"
#include "images/xattr.h"

enum { NAME_LIMIT = 255, ALL_LIMIT = 4 * UINT16_MAX - 4 };

static const struct {
	const char *prefix;
	uint8_t index;
	bool whole; /* nothing comes behind it; else something has to */
} prefixes[] = {
	{ "user.", EROFS_XATTR_USER, false },
	{ "trusted.", EROFS_XATTR_TRUSTED, false },
	{ "security.", EROFS_XATTR_SECURITY, false },
	{ ACL_ACCESS, EROFS_XATTR_ACL_ACCESS, true },
	{ ACL_DEFAULT, EROFS_XATTR_ACL_DEFAULT, true },
};

/* What setxattr would have refused. */
static int check(const char *name, const uint8_t *value, size_t n, struct err *e)
{
	if (strcmp(name, "security.capability") == 0 && !(n == 20 && value[3] == 2) &&
	    !(n == 24 && value[3] == 3))
		return err_set(e, EINVAL, "extended attribute %.100s: no file capabilities",
			       name);
	if (strlen(name) > NAME_LIMIT || n > UINT16_MAX)
		return err_set(e, ERANGE, "extended attribute %.100s: too long", name);
	return 0;
}

static size_t padded(const struct erofs_xattr *x)
{
	return (sizeof(*x) + x->name_len + le16toh(x->value_size) + 3U) / 4 * 4;
}

/* A later value replaces an earlier one. */
static void remove_same(struct buf *b, uint8_t index, const char *name, size_t len)
{
	for (size_t at = sizeof(struct erofs_xattr_head); at < buf_len(b);) {
		const uint8_t *p = buf_bytes(b) + at;
		struct erofs_xattr x;

		memcpy(&x, p, sizeof(x));
		if (x.prefix == index && x.name_len == len &&
		    memcmp(p + sizeof(x), name, len) == 0) {
			const size_t n = padded(&x), behind = buf_len(b) - at - n;

			memmove(b->data + b->head + at, p + n, behind);
			b->tail -= n;
			return;
		}
		at += padded(&x);
	}
}

static int append(struct buf *b, const char *name, const void *value, size_t n, struct err *e)
{
	static const struct erofs_xattr_head head = { 0 };
	static const uint8_t zeros[4];

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		const bool fits = str_has_prefix(name, prefixes[i].prefix);
		const char *rest = fits ? name + strlen(prefixes[i].prefix) : "";
		struct erofs_xattr x = { .prefix = prefixes[i].index,
					 .value_size = htole16((uint16_t) n) };

		if (!fits || !*rest != prefixes[i].whole)
			continue;
		x.name_len = (uint8_t) strlen(rest);
		if (buf_len(b) == 0 && buf_append(b, &head, sizeof(head), e) < 0)
			return -1;
		remove_same(b, x.prefix, rest, x.name_len);
		if (buf_append(b, &x, sizeof(x), e) < 0 ||
		    buf_append(b, rest, x.name_len, e) < 0 || buf_append(b, value, n, e) < 0)
			return -1;
		return buf_append(b, zeros, padded(&x) - sizeof(x) - x.name_len - n, e);
	}
	return err_set(e, EINVAL, "extended attribute %.100s: no such name", name);
}

static uint8_t *give_away(struct buf *b, uint32_t *n)
{
	*n = (uint32_t) buf_len(b);
	return take_ptr(&b->data); /* nothing was consumed: it begins there */
}

static bool may_have(enum erofs_has has, const char *name)
{
	return has == EROFS_HAS_ALL || (has == EROFS_HAS_ACLS && acl_is_name(name));
}

int erofs_xattrs(struct erofs *w, struct tar *t, enum erofs_has has, uint8_t **out, uint32_t *n,
		 struct err *e)
{
	auto_buf struct buf b = BUF_LIMIT(ALL_LIMIT);
	const char *name;
	const void *value;
	size_t len;
	int r;

	while ((r = tar_xattr(t, &name, &value, &len, e)) == 1) {
		r = xattr_judge(name, e);
		if (r < 0)
			return -1;
		if (r == XATTR_DROP || !may_have(has, name)) {
			w->stats.dropped_xattrs++;
			continue;
		}
		if (check(name, value, len, e) < 0)
			return -1;
		if (append(&b, name, value, len, e) < 0)
			return err_wrap(e, "extended attributes");
	}
	if (r < 0)
		return -1;
	*n = 0;
	*out = buf_len(&b) ? give_away(&b, n) : NULL;
	return 0;
}

int erofs_mark_opaque(uint8_t **p, uint32_t *n, struct err *e)
{
	auto_buf struct buf b = BUF_LIMIT(ALL_LIMIT);

	if ((*n && buf_append(&b, *p, *n, e) < 0) ||
	    append(&b, "trusted.overlay.opaque", "y", 1, e) < 0)
		return -1;
	free(*p);
	*p = give_away(&b, n);
	return 0;
}
