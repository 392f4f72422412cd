/*
 * The ACLs of libarchive's entry, whichever way the archive says them: as SCHILY.acl.* in text, or as the attribute that
 * the kernel has.
 */
#ifndef CARREL_IMAGES_TAR_ACL_H
#define CARREL_IMAGES_TAR_ACL_H

#include <stdbool.h>

#include "images/acl.h"

struct archive_entry;
struct err;

/* Attributes to be yielded: those of ACLs that are kept, and a name that is dropped and counted for each that is not. */
struct tar_acls {
	size_t n;
	struct tar_acl {
		const char *name;
		size_t n;
		uint8_t value[ACL_BYTES_MAX];
	} v[2];
};

/* dir: may have a default ACL. takes: may have one at all. *mode becomes what the access ACL makes of it. */
int tar_acls_take(struct archive_entry *en, bool dir, bool takes, struct tar_acls *out,
		  mode_t *mode, struct err *e);
#endif
