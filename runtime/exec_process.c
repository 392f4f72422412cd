#include "runtime/exec_process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/container.h"
#include "runtime/spec.h"

enum { PROCESS_FILE_MAX = 1 << 20 };

/* Given to the spec, which frees it. */
static void keep(struct spec *s, void *p)
{
	s->kept = realloc(s->kept, (s->n_kept + 1) * sizeof(*s->kept));
	if (!s->kept)
		abort();
	s->kept[s->n_kept++] = p;
}

static int from_file(const char *path, struct spec **out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(PROCESS_FILE_MAX);
	struct json_doc *doc;

	/* May be a pipe, as /dev/fd/N often is. */
	auto_close int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "--process %s", path);
	if (fd_read_all(fd, PROCESS_FILE_MAX, &text, e) < 0 ||
	    json_parse(buf_str(&text), buf_len(&text), NULL, &doc, e) < 0)
		return err_wrap(e, "--process %s", path);
	if (spec_from_process(doc, json_root(doc), out, e) < 0) {
		json_doc_free(doc);
		return err_wrap(e, "--process %s", path);
	}
	return 0;
}

static int from_bundle(const struct state *s, struct spec **out, struct err *e)
{
	auto_close int bundle_fd = open(s->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct json_doc *doc;

	if (bundle_fd < 0)
		return err_sys(e, "the container's bundle %s", s->bundle);
	if (json_parse_file(bundle_fd, s->config ? s->config : "config.json", NULL, &doc, e) <
	    0)
		return -1;
	const struct json *process = json_get(json_root(doc), "process");
	const int r = process ? spec_from_process(doc, process, out, e)
			      : err_set(e, EINVAL, "process: required, but missing");
	if (r < 0) {
		json_doc_free(doc);
		return err_wrap(e, "%s%s", s->config ? s->config : s->bundle,
				s->config ? "" : "/config.json");
	}
	return 0;
}

static void append_env(const char *const *more, struct spec *spec)
{
	struct process_spec *p = &spec->process;
	const size_t n = strv_len((char *const *) p->env), m = strv_len((char *const *) more);
	const char **env = xalloc((n + m + 1) * sizeof(*env));

	keep(spec, env);
	if (n)
		memcpy(env, p->env, n * sizeof(*env));
	if (m)
		memcpy(env + n, more, m * sizeof(*env));
	p->env = env;
}

static int add_caps(const char *const *names, struct caps_spec *caps, struct err *e)
{
	for (; names && *names; names++) {
		uint64_t bit;

		if (caps_parse(*names, &bit) != 0)
			return err_set(e, EINVAL, "--cap %s: unknown capability", *names);
		/* Never inheritable by this: what the program executes must not get it by itself. */
		caps->bounding |= bit;
		caps->permitted |= bit;
		caps->effective |= bit;
		/* Where the container's own configuration has made it inheritable, it is meant to be passed on. */
		caps->ambient |= caps->inheritable & bit;
		caps->set = true;
	}
	return 0;
}

static int apply_flags(const struct exec_args *a, struct spec *spec, struct err *e)
{
	struct process_spec *p = &spec->process;

	if (a->command)
		p->args = a->command;
	p->terminal = a->tty || (a->process_file && p->terminal);
	if (a->cwd)
		p->cwd = a->cwd;
	if (a->cwd && a->cwd[0] != '/')
		return err_set(e, EINVAL, "--cwd %s: must be an absolute path", a->cwd);
	for (const char *const *v = a->env; v && *v; v++) {
		if (**v == '=' || !strchr(*v, '='))
			return err_set(e, EINVAL, "--env %.60s: is not NAME=VALUE", *v);
	}
	if (a->env)
		append_env(a->env, spec);
	if (a->no_new_privs)
		p->no_new_privileges = true;
	if (a->apparmor)
		p->apparmor = a->apparmor;
	if (a->process_label)
		p->selinux_label = a->process_label;
	return add_caps(a->caps, &p->caps, e);
}

int exec_process_load(const struct state *s, const struct exec_args *a, struct spec **out,
		      struct err *e)
{
	auto_spec struct spec *spec = NULL;

	const int r = a->process_file ? from_file(a->process_file, &spec, e)
				      : from_bundle(s, &spec, e);

	if (r < 0 || apply_flags(a, spec, e) < 0)
		return -1;
	if (!spec->process.args || !spec->process.args[0])
		return err_set(e, EINVAL, "process.args: must not be empty");
	*out = take_ptr(&spec);
	return 0;
}

int exec_process_groups(const struct exec_args *a, struct spec *spec, struct err *e)
{
	struct process_user *u = &spec->process.user;
	const size_t m = strv_len((char *const *) a->groups);

	if (!m)
		return 0;
	uint32_t *all = xalloc((u->n_groups + m) * sizeof(*all));
	keep(spec, all);
	if (u->n_groups)
		memcpy(all, u->groups, u->n_groups * sizeof(*all));
	for (size_t i = 0; i < m; i++) {
		if (str_to_id(a->groups[i], "--additional-gids", &all[u->n_groups + i], e) < 0)
			return -1;
	}
	u->groups = all;
	u->n_groups += m;
	return 0;
}
