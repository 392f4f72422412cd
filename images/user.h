/*
 * Who a sandbox's first process is: "USER[:GROUP]" against the image's own passwd and group.
 *
 * A number is a number: it is never looked up as a name. The files are untrusted text, read up to a limit.
 */
#ifndef CARREL_IMAGES_USER_H
#define CARREL_IMAGES_USER_H

#include <stddef.h>
#include <stdint.h>

struct err;

enum { USER_MAX_GROUPS = 64 };

struct user {
	uint32_t uid, gid;
	uint32_t groups[USER_MAX_GROUPS]; /* in which a user given by name is a member */
	size_t n_groups;
	char home[256]; /* "" when passwd says nothing */
	char name[64];	/* the same */
};

/* spec NULL or "": 0. passwd and group: contents, "" when the image has none. */
int user_resolve(const char *spec, const char *passwd, const char *group, struct user *out,
		 struct err *e);

#endif
