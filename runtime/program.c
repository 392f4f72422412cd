/*
 * Which file is executed, and with which environment: the parts of process.h that read the container's files.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/process.h"

/* The value of the last entry with this name. */
static const char *env_last(const char *const *env, const char *name)
{
	const size_t n = strlen(name);
	const char *found = NULL;

	for (; env && *env; env++) {
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			found = *env + n + 1;
	}
	return found;
}

/* The words that engines look for. */
static int explain(const char *path, int code, struct err *e)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return err_set(e, code, "exec %s: no such file or directory", path);
	case EISDIR:
		return err_set(e, code, "exec %s: is a directory", path);
	case EACCES:
	case EPERM:
		return err_set(e, code, "exec %s: permission denied", path);
	default:
		errno = code;
		return err_sys(e, "exec %s", path);
	}
}

/* 0 or an errno. */
static int check_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return errno;
	return 0;
}

/* Relative entries of PATH are passed over: what they find depends on the working directory. */
static char *search(const char *list, const char *name)
{
	auto_free char *copy = xstrdup(list);
	char *save = NULL;

	for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
		if (dir[0] != '/')
			continue;
		auto_free char *path = xasprintf("%s/%s", dir, name);
		if (check_executable(path) == 0)
			return take_ptr(&path);
	}
	return NULL;
}

int process_find_program(const struct process_spec *p, char **out, struct err *e)
{
	const char *name = p->args ? p->args[0] : NULL;

	if (!name || name[0] == '\0')
		return err_set(e, EINVAL, "process.args: the program's name is empty");
	if (strchr(name, '/')) {
		const int code = check_executable(name);

		if (code != 0)
			return explain(name, code, e);
		*out = xstrdup(name);
		return 0;
	}

	const char *path = env_last(p->env, "PATH");
	char *found = path ? search(path, name) : NULL;
	if (!found)
		return err_set(e, ENOENT, "exec: \"%s\": executable file not found in $PATH",
			       name);
	*out = found;
	return 0;
}

/* ---- environment ---- */

struct variable {
	const char *text;
	size_t name_n, index;
};

static int by_name(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	const int r = memcmp(x->text, y->text, MIN(x->name_n, y->name_n));

	if (r != 0)
		return r;
	if (x->name_n != y->name_n)
		return x->name_n < y->name_n ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static int by_index(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;

	return x->index < y->index ? -1 : 1;
}

/* Keeps the last of each name, in the order given; returns how many are left. */
static size_t remove_duplicates(struct variable *v, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(v, n, sizeof(*v), by_name);
	for (size_t i = 0; i < n; i++) {
		const bool last = i + 1 == n || v[i].name_n != v[i + 1].name_n ||
				  memcmp(v[i].text, v[i + 1].text, v[i].name_n) != 0;

		if (last)
			v[kept++] = v[i];
	}
	qsort(v, kept, sizeof(*v), by_index);
	return kept;
}

int process_environment(const struct process_spec *p, int root_fd, char ***out, struct err *e)
{
	const size_t n = strv_len((char *const *) p->env);
	/* The decoder takes at most 65,536 entries. */
	auto_free struct variable *v = xalloc((n + 1) * sizeof(*v));
	auto_strv char **env = xalloc((n + 2) * sizeof(*env));
	bool home = false;
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		v[i] = (struct variable){ p->env[i], strcspn(p->env[i], "="), i };

	const size_t kept = remove_duplicates(v, n);
	for (size_t i = 0; i < kept; i++) {
		if (strcmp(v[i].text, "HOME=") == 0)
			continue;
		home = home || str_has_prefix(v[i].text, "HOME=");
		env[used++] = xstrdup(v[i].text);
	}
	if (!home) {
		auto_free char *dir = NULL;

		if (process_home(p->user.uid, root_fd, &dir, e) < 0)
			return -1;
		env[used++] = xasprintf("HOME=%s", dir);
	}
	*out = take_ptr(&env);
	return 0;
}
