/* volume: a table of what can be done with volumes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "images/cli/cli.h"
#include "images/volume.h"

enum { OUTPUT_MAX = 16 << 20 };

static const char default_dir[] = "/var/lib/carrel/volumes";

static double mib(uint64_t bytes)
{
	return (double) bytes / (1 << 20);
}

static void write_state(struct json_writer *w, const struct volume_state *s, const char *dir)
{
	const struct volume_info *v = &s->info;
	auto_free char *content = xasprintf("%s/%s/%s", dir, v->name,
					    v->kind == VOLUME_LOOP ? VOLUME_DISK : VOLUME_DATA);

	jw_object(w, NULL);
	jw_str(w, "name", v->name);
	jw_str(w, "kind", volume_kind_name(v->kind));
	jw_uint(w, "size", v->size);
	jw_uint(w, "inodes", v->inodes);
	if (s->measured) {
		jw_uint(w, "used", s->used_bytes);
		jw_uint(w, "used_inodes", s->used_inodes);
	} else {
		jw_null(w, "used");
		jw_null(w, "used_inodes");
	}
	jw_bool(w, "in_use", s->in_use);
	jw_bool(w, "growing", v->growing);
	if (v->kind == VOLUME_QUOTA)
		jw_uint(w, "project", v->project);
	jw_str(w, "created", v->created);
	jw_str(w, "content", content);
	jw_close(w);
}

static int end_json(struct json_writer *w, struct buf *out, struct err *e)
{
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

static const char *state_word(const struct volume_state *s)
{
	if (s->info.growing)
		return "growing";
	return s->in_use ? "in use" : "idle";
}

static int ls_table(const struct volume_state *v, size_t n, struct buf *out, struct err *e)
{
	int width = (int) strlen("NAME");

	for (size_t i = 0; i < n; i++)
		width = MAX(width, (int) strlen(v[i].info.name));
	if (buf_printf(out, e, "%-*s  %-5s  %14s  %-7s  %s\n", width, "NAME", "KIND", "SIZE",
		       "STATE", "CREATED") < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (buf_printf(out, e, "%-*s  %-5s  %10.1f MiB  %-7s  %.19s\n", width,
			       v[i].info.name, volume_kind_name(v[i].info.kind),
			       mib(v[i].info.size), state_word(&v[i]), v[i].info.created) < 0)
			return -1;
	}
	return 0;
}

static void complain(const char *name, const struct err *why)
{
	log_warn("carrel-image volume ls: %s: %s", name, why->msg);
}

static int do_ls(const struct volumes *vs, const char *name, const struct opts_volume *o,
		 struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = NULL;
	auto_free struct volume_state *v = NULL;
	size_t n;
	bool json;

	(void) name;
	if (cli_format(o->format, &json, e) < 0 || volumes_list(vs, complain, &v, &n, e) < 0)
		return -1;
	if (!json)
		return ls_table(v, n, out, e);
	w = json_writer_new(out, true);
	jw_array(w, NULL);
	for (size_t i = 0; i < n; i++)
		write_state(w, &v[i], vs->path);
	jw_close(w);
	return end_json(w, out, e);
}

static int do_inspect(const struct volumes *vs, const char *name, const struct opts_volume *o,
		      struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = NULL;
	struct volume_state s;

	(void) o;
	if (volume_inspect(vs, name, &s, e) < 0)
		return -1;
	w = json_writer_new(out, true);
	write_state(w, &s, vs->path);
	return end_json(w, out, e);
}

static int do_create(const struct volumes *vs, const char *name, const struct opts_volume *o,
		     struct buf *out, struct err *e)
{
	const struct volume_spec spec = { .name = name,
					  .size = o->size,
					  .inodes = o->inodes,
					  .kind = o->kind,
					  .sparse = o->sparse,
					  .keep = o->keep };

	(void) out;
	return volume_create(vs, &spec, e);
}

static int do_rm(const struct volumes *vs, const char *name, const struct opts_volume *o,
		 struct buf *out, struct err *e)
{
	(void) o;
	(void) out;
	return volume_remove(vs, name, e);
}

static int do_resize(const struct volumes *vs, const char *name, const struct opts_volume *o,
		     struct buf *out, struct err *e)
{
	(void) out;
	return volume_resize(vs, name, o->size, e);
}

/* Opening them has swept. */
static int do_gc(const struct volumes *vs, const char *name, const struct opts_volume *o,
		 struct buf *out, struct err *e)
{
	(void) vs;
	(void) name;
	(void) o;
	(void) out;
	(void) e;
	return 0;
}

static const struct action {
	const char *name;
	bool named, sized;
	int (*run)(const struct volumes *vs, const char *name, const struct opts_volume *o,
		   struct buf *out, struct err *e);
} actions[] = {
	{ "create", true, true, do_create },	{ "ls", false, false, do_ls },
	{ "inspect", true, false, do_inspect }, { "rm", true, false, do_rm },
	{ "resize", true, true, do_resize },	{ "gc", false, false, do_gc },
};

static const struct action *find(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(name, actions[i].name) == 0)
			return &actions[i];
	}
	(void) err_set(e, EINVAL, "\"%.40s\" is none of create, ls, inspect, rm, resize, gc",
		       name);
	return NULL;
}

static int check(const struct action *a, const char *name, const struct opts_volume *o,
		 struct err *e)
{
	if (a->named && !name)
		return err_set(e, EINVAL, "%s: the volume's name is missing", a->name);
	if (!a->named && name)
		return err_set(e, EINVAL, "%s: takes no name", a->name);
	if (a->sized && !o->size)
		return err_set(e, EINVAL,
			       "%s: --size: missing; a volume without a limit is not to be had",
			       a->name);
	return 0;
}

static int exit_code(const struct err *e)
{
	if (e->code == ENOENT)
		return CLI_NOT_IN_STORE;
	return e->code == ETXTBSY ? CLI_IN_USE : 1;
}

int cli_volume(void *global, const char **operands, int n, void *opts)
{
	const struct opts_volume *o = opts;
	const char *name = n > 1 ? operands[1] : NULL;
	auto_buf struct buf out = BUF_LIMIT(OUTPUT_MAX);
	auto_volumes struct volumes vs = VOLUMES_NONE;
	struct err e = ERR_NONE;
	const struct action *a = find(operands[0], &e);

	(void) global;
	if (!a || check(a, name, o, &e) < 0 ||
	    volumes_open(o->volumes ? o->volumes : default_dir, &vs, &e) < 0)
		return cli_fail("volume", &e);
	if (a->run(&vs, name, o, &out, &e) < 0) {
		(void) cli_fail("volume", &e);
		return a->named ? exit_code(&e) : 1;
	}
	return cli_print("volume", &out);
}
