#include "sessiond/cgroup_parent.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/util.h"

enum { MOUNTINFO_MAX = 8 << 20 };

/* "36 35 0:30 /root /mount/point options - type source super": the fifth field, when type is a cgroup's. */
static char *mount_point(char *line)
{
	char *dash = strstr(line, " - cgroup"), *field = line;

	if (!dash || !strchr(" 2", dash[strlen(" - cgroup")]))
		return NULL;
	for (int i = 0; i < 4; i++) {
		field = strchr(field, ' ');
		if (!field)
			return NULL;
		field++;
	}
	field[strcspn(field, " ")] = 0;
	return field;
}

void cgroup_parent_remove(const char *path)
{
	auto_buf struct buf text = BUF_LIMIT(MOUNTINFO_MAX);
	struct err e = ERR_NONE;
	char *rest, *line;

	if (!path_is_clean_absolute(path) || strcmp(path, "/") == 0)
		return;
	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, &e) < 0) {
		log_debug("%s", e.msg);
		return;
	}
	(void) buf_str(&text);
	rest = (char *) text.data + text.head;
	while ((line = strsep(&rest, "\n"))) {
		const char *mount = mount_point(line);
		auto_free char *dir = mount ? xasprintf("%s%s", mount, path) : NULL;

		/* Not empty is the usual answer while sandboxes live, absent where no controller was used. */
		if (dir)
			(void) rmdir(dir);
	}
}
