/* A user, a passwd and a group file of any bytes, separated by NUL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "images/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_free char *text = xalloc(n + 3);
	const char *passwd, *group;
	struct err e = ERR_NONE;
	struct user u;

	memcpy(text, data, n);
	passwd = text + strlen(text) + (strlen(text) < n);
	group = passwd + strlen(passwd) + (passwd + strlen(passwd) < text + n);
	if (user_resolve(text, passwd, group, &u, &e) < 0) {
		if (!e.code || !e.msg[0])
			abort();
		return 0;
	}
	if (u.uid == UINT32_MAX || u.gid == UINT32_MAX || u.n_groups > USER_MAX_GROUPS ||
	    (u.home[0] && u.home[0] != '/') || strstr(u.home, "/../"))
		abort();
	return 0;
}
