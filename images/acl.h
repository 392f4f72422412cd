/*
 * POSIX ACLs in the kernel's form: the values of system.posix_acl_access and system.posix_acl_default.
 *
 * What an archive or a directory says passes here before it is believed: what a kernel would refuse is refused, for an
 * EROFS image is made without one. Pure functions over memory.
 */
#ifndef CARREL_IMAGES_ACL_H
#define CARREL_IMAGES_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct err;

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

static inline bool acl_is_name(const char *attribute)
{
	return strcmp(attribute, ACL_ACCESS) == 0 || strcmp(attribute, ACL_DEFAULT) == 0;
}

enum { ACL_ENTRIES_MAX = 256, ACL_BYTES_MAX = 4 + 8 * ACL_ENTRIES_MAX };

/* As in the value; an ACL has them in this order, those of a tag that may come often next to each other. */
enum acl_tag {
	ACL_TAG_OWNER = 0x01,
	ACL_TAG_USER = 0x02,
	ACL_TAG_GROUP_OWNER = 0x04,
	ACL_TAG_GROUP = 0x08,
	ACL_TAG_MASK = 0x10,
	ACL_TAG_OTHER = 0x20,
};

enum { ACL_NO_ID = UINT32_MAX };

struct acl {
	size_t n; /* 0: there is none */
	struct acl_entry {
		uint16_t tag, perm; /* perm: rwx as in a mode */
		uint32_t id;	    /* of users and groups */
	} v[ACL_ENTRIES_MAX];
};

/* E2BIG: it has ACL_ENTRIES_MAX. */
int acl_add(struct acl *a, uint16_t tag, uint16_t perm, uint32_t id, struct err *e);
/* Brings entries into their order. */
void acl_sort(struct acl *a);
/* What a kernel takes: EINVAL else. */
int acl_check(const struct acl *a, struct err *e);

/* Checked. An empty value, and one without entries, is no ACL. */
int acl_decode(const void *value, size_t n, struct acl *out, struct err *e);
/* Returns the value's length. */
size_t acl_encode(const struct acl *a, uint8_t out[ACL_BYTES_MAX]);

/* The mode of a file that has this access ACL: owner, mask or else owning group, others. Not for an empty one. */
mode_t acl_mode(const struct acl *a, mode_t mode);
/* It says no more than a mode does; a kernel keeps no such access ACL. */
bool acl_is_mode(const struct acl *a);

/* Ids as a container has them that has host ids base to base + count - 1: ERANGE for others. */
int acl_shift(struct acl *a, uint32_t base, uint64_t count, struct err *e);

#endif
