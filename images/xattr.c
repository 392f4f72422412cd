#include "images/xattr.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "images/acl.h"

enum { REFUSE = -1 };

/* The first row that fits decides. */
static const struct {
	const char *prefix;
	int verdict;
	bool whole; /* the name has to be just this */
} rules[] = {
	{ "trusted.overlay.", REFUSE, false },
	{ "user.overlay.", REFUSE, false },
	{ "user.", XATTR_KEEP, false },
	{ "security.capability", XATTR_KEEP,
	  false }, /* sandboxes run without new privileges anyway */
	{ ACL_ACCESS, XATTR_KEEP,
	  true }, /* checked by tar_acl.c on the way in, by upper.c on the way out */
	{ ACL_DEFAULT, XATTR_KEEP, true },
	{ "security.", XATTR_DROP, false },
	{ "system.", XATTR_DROP, false },
	{ "trusted.", XATTR_DROP, false },
	{ "", XATTR_DROP, false },
};

int xattr_judge(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!str_has_prefix(name, rules[i].prefix) ||
		    (rules[i].whole && strcmp(name, rules[i].prefix) != 0))
			continue;
		if (rules[i].verdict == REFUSE)
			return err_set(
				e, EINVAL,
				"the extended attribute %.100s has a meaning to overlayfs "
				"and is refused",
				name);
		return rules[i].verdict;
	}
	return XATTR_DROP;
}
