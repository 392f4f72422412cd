#include "images/xattr.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

enum { REFUSE = -1 };

/* The first row that fits decides. */
static const struct {
	const char *prefix;
	int verdict;
} rules[] = {
	{ "trusted.overlay.", REFUSE },
	{ "user.overlay.", REFUSE },
	{ "user.", XATTR_KEEP },
	{ "security.capability", XATTR_KEEP }, /* sandboxes run without new privileges anyway */
	{ "security.", XATTR_DROP },
	{ "system.", XATTR_DROP },
	{ "trusted.", XATTR_DROP },
	{ "", XATTR_DROP },
};

int xattr_judge(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!str_has_prefix(name, rules[i].prefix))
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
