#include "shim/cgmount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/util.h"

enum { MOUNTINFO_BYTES = 4 << 20, CGROUP_BYTES = 65536, HIERARCHIES = 32 };

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

/* Super options hold flags ("rw", "xattr") beside the controllers; a cgroup hierarchy is matched by the
 * words that /proc/PID/cgroup uses, so the flags do no harm. */
static void add(struct cgmounts *m, const char *root, const char *point,
		const char *controllers)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].controllers, controllers) == 0)
			return;
	if (m->n == HIERARCHIES)
		return;
	m->v[m->n++] = (struct cgmount){ .root = xstrdup(root),
					 .point = xstrdup(point),
					 .controllers = xstrdup(controllers) };
}

/* One line of mountinfo: "36 35 98:0 /root /point options... - fstype source super". */
static void take_line(struct cgmounts *m, char *line)
{
	char *rest = strstr(line, " - "), *save = NULL, *field[5] = { 0 };
	char *type, *super;

	if (!rest || !str_has_prefix(rest + 3, "cgroup"))
		return;
	*rest = '\0';
	for (int i = 0; i < 5; i++)
		field[i] = strtok_r(i ? NULL : line, " ", &save);
	type = strtok_r(rest + 3, " ", &save);
	(void) strtok_r(NULL, " ", &save);
	super = strtok_r(NULL, " ", &save);
	if (field[4] && type && strcmp(type, "cgroup2") == 0)
		add(m, field[3], field[4], "");
	else if (field[4] && super && strcmp(type, "cgroup") == 0)
		add(m, field[3], field[4], super);
}

int cgmounts_read(struct cgmounts *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(MOUNTINFO_BYTES);
	char *save = NULL;

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_BYTES, &text, e) < 0)
		return -1;
	(void) buf_str(&text);
	*out = (struct cgmounts){ .v = xalloc(HIERARCHIES * sizeof(struct cgmount)) };
	if (buf_len(&text) == 0)
		return 0;
	for (char *line = strtok_r((char *) text.data + text.head, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		take_line(out, line);
	return 0;
}

void cgmounts_fini(struct cgmounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].root);
		free(m->v[i].point);
		free(m->v[i].controllers);
	}
	free(m->v);
	*m = (struct cgmounts){ 0 };
}

int cgmounts_open_path(const struct cgmount *mount, const char *path)
{
	auto_close int top = open(mount->point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err e = ERR_NONE;
	size_t n = strlen(mount->root);

	if (top < 0)
		return -1;
	if (n > 1 && strncmp(path, mount->root, n) == 0 && (path[n] == '/' || path[n] == '\0'))
		path += n;
	while (*path == '/')
		path++;
	return path_open_in(top, *path ? path : ".", O_RDONLY | O_DIRECTORY,
			    PATH_NO_SYMLINKS | PATH_NO_XDEV, &e);
}

/* The path in "4:memory:/path" for this controller, "0::/path" for "". Points into text. */
static const char *path_of(char *text, const char *controller)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		if (*controller ? has_word(list + 1, controller) : list[1] == '\0')
			return path;
	}
	return NULL;
}

int cgmounts_open_of(const struct cgmounts *m, pid_t pid, const char *controller)
{
	auto_buf struct buf text = BUF_LIMIT(CGROUP_BYTES);
	struct err e = ERR_NONE;
	const char *path;
	char name[64];

	(void) snprintf(name, sizeof(name), "/proc/%d/cgroup", (int) pid);
	if (fd_read_file(AT_FDCWD, name, CGROUP_BYTES, &text, &e) < 0 || buf_len(&text) == 0)
		return -1;
	(void) buf_str(&text);
	path = path_of((char *) text.data + text.head, controller);
	for (size_t i = 0; path && i < m->n; i++)
		if (*controller ? has_word(m->v[i].controllers, controller)
				: m->v[i].controllers[0] == '\0')
			return cgmounts_open_path(&m->v[i], path);
	return -1;
}
