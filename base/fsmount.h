/*
 * A file system of a device or an image becomes a detached mount, which no mount table shows and which goes with its
 * last user.
 */
#ifndef CARREL_BASE_FSMOUNT_H
#define CARREL_BASE_FSMOUNT_H

struct err;

enum fsmount_flags { FSMOUNT_READ_ONLY = 1 << 0 };

/* Mounts `source` (a block device's path, or what the file system takes for one), nosuid and nodev, with NULL-terminated
 * pairs of name and value as options (NULL: none). Returns the mount's descriptor. */
int fsmount_source(const char *type, const char *source, const char *const (*options)[2],
		   unsigned flags, struct err *e);

#endif
