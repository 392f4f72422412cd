#include "images/acl.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"

enum { VERSION = 2 };

struct wire_entry {
	uint16_t tag, perm;
	uint32_t id;
} __attribute__((packed));
_Static_assert(sizeof(struct wire_entry) == 8, "an entry of an ACL");

static const struct {
	uint16_t tag;
	bool often;  /* with an id each; else once */
	bool needed; /* in every ACL */
} tags[] = {
	{ ACL_TAG_OWNER, false, true },	      { ACL_TAG_USER, true, false },
	{ ACL_TAG_GROUP_OWNER, false, true }, { ACL_TAG_GROUP, true, false },
	{ ACL_TAG_MASK, false, false },	      { ACL_TAG_OTHER, false, true },
};

int acl_add(struct acl *a, uint16_t tag, uint16_t perm, uint32_t id, struct err *e)
{
	if (a->n == ACL_ENTRIES_MAX)
		return err_set(e, E2BIG, "an ACL of more than %d entries", ACL_ENTRIES_MAX);
	a->v[a->n++] = (struct acl_entry){ .tag = tag, .perm = perm, .id = id };
	return 0;
}

static int order(const void *x, const void *y)
{
	const struct acl_entry *a = x, *b = y;

	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

void acl_sort(struct acl *a)
{
	qsort(a->v, a->n, sizeof(*a->v), order);
}

static const struct acl_entry *find(const struct acl *a, uint16_t tag)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->v[i].tag == tag)
			return &a->v[i];
	}
	return NULL;
}

int acl_check(const struct acl *a, struct err *e)
{
	size_t i = 0;

	for (size_t k = 0; k < ARRAY_SIZE(tags); k++) {
		const size_t from = i;

		for (; i < a->n && a->v[i].tag == tags[k].tag; i++) {
			if (a->v[i].perm > 7)
				return err_set(e, EINVAL, "an ACL with unknown permissions");
			if (tags[k].often && a->v[i].id == ACL_NO_ID)
				return err_set(e, EINVAL, "an ACL for the id -1");
		}
		if (tags[k].needed && i == from)
			return err_set(e, EINVAL,
				       "an ACL without owner, owning group and others");
		if (!tags[k].often && i > from + 1)
			return err_set(e, EINVAL, "an ACL with one entry twice");
	}
	if (i < a->n)
		return err_set(e, EINVAL, "an ACL out of order, or with unknown entries");
	if ((find(a, ACL_TAG_USER) || find(a, ACL_TAG_GROUP)) && !find(a, ACL_TAG_MASK))
		return err_set(e, EINVAL, "an ACL for users or groups without a mask");
	return 0;
}

/* Of the others a kernel does not look at it, and says -1. */
static bool has_id(uint16_t tag)
{
	return tag == ACL_TAG_USER || tag == ACL_TAG_GROUP;
}

int acl_decode(const void *value, size_t n, struct acl *out, struct err *e)
{
	const uint8_t *p = value;
	uint32_t version;

	out->n = 0;
	if (n == 0)
		return 0;
	if (n < sizeof(version) || (n - sizeof(version)) % sizeof(struct wire_entry) != 0)
		return err_set(e, EINVAL, "an ACL of %zu bytes", n);
	memcpy(&version, p, sizeof(version));
	if (le32toh(version) != VERSION)
		return err_set(e, EINVAL, "an ACL of an unknown version");
	for (size_t at = sizeof(version); at < n; at += sizeof(struct wire_entry)) {
		struct wire_entry w;

		memcpy(&w, p + at, sizeof(w));
		if (acl_add(out, le16toh(w.tag), le16toh(w.perm),
			    has_id(le16toh(w.tag)) ? le32toh(w.id) : ACL_NO_ID, e) < 0)
			return -1;
	}
	return out->n ? acl_check(out, e) : 0;
}

size_t acl_encode(const struct acl *a, uint8_t out[ACL_BYTES_MAX])
{
	const uint32_t version = htole32(VERSION);
	size_t at = sizeof(version);

	memcpy(out, &version, sizeof(version));
	for (size_t i = 0; i < a->n; i++, at += sizeof(struct wire_entry)) {
		const struct wire_entry w = { .tag = htole16(a->v[i].tag),
					      .perm = htole16(a->v[i].perm),
					      .id = htole32(a->v[i].id) };

		memcpy(out + at, &w, sizeof(w));
	}
	return at;
}

static mode_t perm_of(const struct acl *a, uint16_t tag)
{
	const struct acl_entry *en = find(a, tag);

	return en ? en->perm : 0;
}

mode_t acl_mode(const struct acl *a, mode_t mode)
{
	const uint16_t group = find(a, ACL_TAG_MASK) ? ACL_TAG_MASK : ACL_TAG_GROUP_OWNER;

	return (mode & ~(mode_t) 0777) | perm_of(a, ACL_TAG_OWNER) << 6 |
	       perm_of(a, group) << 3 | perm_of(a, ACL_TAG_OTHER);
}

bool acl_is_mode(const struct acl *a)
{
	return a->n == 3;
}

int acl_shift(struct acl *a, uint32_t base, uint64_t count, struct err *e)
{
	for (size_t i = 0; i < a->n; i++) {
		struct acl_entry *en = &a->v[i];

		if (!has_id(en->tag))
			continue;
		if (en->id < base || en->id - base >= count)
			return err_set(
				e, ERANGE,
				"its ACL is for %u, which is none of the container's ids "
				"(%u to %llu)",
				en->id, base, (unsigned long long) base + count - 1);
		en->id -= base;
	}
	return 0;
}
