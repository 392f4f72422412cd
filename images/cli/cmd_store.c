/* import, build, rm, gc: what changes the store. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "images/build.h"
#include "images/cli/cli.h"
#include "images/cli/interrupt.h"
#include "images/export.h"
#include "images/gc.h"
#include "images/import.h"
#include "images/index.h"
#include "images/user.h"

enum { GROUPS_MAX = 1 << 20 };

int cli_print_digest(const char *command, const struct digest *d)
{
	auto_buf struct buf out = BUF_LIMIT(4096);
	struct err e = ERR_NONE;

	if (buf_printf(&out, &e, "%s\n", digest_text(d).s) < 0)
		return cli_fail(command, &e);
	return cli_print(command, &out);
}

void cli_set_limits(const struct opts_limits *o, struct image_limits *l)
{
	const struct {
		uint64_t given, *limit;
	} rows[] = {
		{ o->max_bytes, &l->bytes }, { o->max_blob_bytes, &l->blob_bytes },
		{ o->max_ratio, &l->ratio }, { o->max_entries, &l->entries },
		{ o->max_depth, &l->depth }, { (o->max_ms + 999) / 1000, &l->seconds },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].given)
			*rows[i].limit = rows[i].given;
	}
}

int cli_import(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_import *o = opts;
	struct import_options options = { .name = o->name,
					  .ref = o->ref,
					  .all = o->all,
					  .skip_devices = o->limits.skip_devices,
					  .limits = IMAGE_LIMITS_DEFAULT };
	auto_store struct store s = STORE_NONE;
	struct err e = ERR_NONE;
	auto_free struct digest *d = NULL;
	size_t n_images = 0;
	int code = 0;

	interrupt_arm(c->store, NULL);
	cli_set_limits(&o->limits, &options.limits);
	if ((o->format && layer_format_parse(o->format, &options.format, &e) < 0) ||
	    (o->platform && platform_parse(o->platform, &options.platform, &e) < 0) ||
	    (o->as && source_kind_parse(o->as, &options.as, &e) < 0) ||
	    store_open(c->store, STORE_WORK, &s, &e) < 0 ||
	    import_path(&s, operands[0], &options, &d, &n_images, &e) < 0)
		return cli_fail("import", &e);
	for (size_t i = 0; i < n_images && code == 0; i++)
		code = cli_print_digest("import", &d[i]);
	return code;
}

int cli_export(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_export *o = opts;
	enum export_format format = EXPORT_OCI;
	auto_free char *partial = export_partial(operands[n - 1]);
	auto_store struct store s = STORE_NONE;
	struct err e = ERR_NONE;

	interrupt_arm(c->store, partial);
	if ((o->format && export_format_parse(o->format, &format, &e) < 0) ||
	    store_open(c->store, STORE_READ, &s, &e) < 0 ||
	    export_images(&s, operands, (size_t) n - 1, format, operands[n - 1], &e) < 0)
		return cli_fail("export", &e);
	return 0;
}

int cli_build(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_build *o = opts;
	auto_store struct store s = STORE_NONE;
	struct err e = ERR_NONE;
	enum layer_format format = LAYER_DEFAULT;
	struct digest d;

	if ((o->format && layer_format_parse(o->format, &format, &e) < 0) ||
	    store_open(c->store, STORE_WORK, &s, &e) < 0 ||
	    build_recipe(&s, operands[0], o->name, format, &d, &e) < 0)
		return cli_fail("build", &e);
	return cli_print_digest("build", &d);
}

int cli_tag(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	auto_store struct store s = STORE_NONE;
	auto_index struct index ix = { 0 };
	const struct index_entry *from;
	struct err e = ERR_NONE;

	if (index_check_name(operands[1], &e) < 0 ||
	    store_open(c->store, STORE_SHARED, &s, &e) < 0 || index_load(&s, &ix, &e) < 0)
		return cli_fail("tag", &e);
	from = index_find(&ix, operands[0], &e);
	if (!from)
		return cli_fail("tag", &e);
	struct index_entry to = *from;

	to.name = (char *) operands[1];
	/* An image without a name is to keep none beside the new one; index_put sees to it. */
	return index_put(&s, &to, &e) < 0 ? cli_fail("tag", &e) : 0;
}

int cli_rm(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	auto_store struct store s = STORE_NONE;
	struct err e = ERR_NONE;
	int code = 0;

	if (store_open(c->store, STORE_SHARED, &s, &e) < 0)
		return cli_fail("rm", &e);
	/* One that is not there does not keep the others. */
	for (int i = 0; i < n; i++) {
		e = ERR_NONE;
		if (index_remove(&s, operands[i], &e) < 0)
			code = cli_fail("rm", &e);
	}
	return code;
}

/* Not by getgrnam: a static program has no name services. */
static int find_group(const char *name, gid_t *out, struct err *e)
{
	auto_buf struct buf groups = BUF_LIMIT(GROUPS_MAX);
	auto_free char *spec = xasprintf("0:%s", name);
	struct user u;

	if (fd_read_file(AT_FDCWD, "/etc/group", GROUPS_MAX, &groups, e) < 0)
		return -1;
	if (user_resolve(spec, "", buf_str(&groups), &u, e) < 0)
		return err_set(e, e->code, "--group %.60s: not in /etc/group", name);
	*out = u.gid;
	return 0;
}

int cli_share(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_share *o = opts;
	auto_store struct store s = STORE_NONE;
	struct err e = ERR_NONE;
	gid_t gid = (gid_t) -1;

	if ((o->group != NULL) + o->all + o->off != 1) {
		(void) err_set(&e, EINVAL, "one of --group, --all and --off is needed");
		return cli_fail("share", &e);
	}
	if ((o->group && find_group(o->group, &gid, &e) < 0) ||
	    store_open(c->store, STORE_SHARED, &s, &e) < 0 ||
	    store_share(&s,
			o->off	 ? 0700
			: o->all ? 0755
				 : 0750,
			gid, &e) < 0)
		return cli_fail("share", &e);
	return 0;
}

int cli_gc(void *global, const char **operands, int n, void *opts)
{
	const struct opts_gc *o = opts;
	const struct cli *c = global;
	auto_store struct store s = STORE_NONE;
	auto_buf struct buf out = BUF_LIMIT(4096);
	struct gc_result r;
	struct err e = ERR_NONE;

	if (store_open(c->store, o->dry_run ? STORE_SHARED : STORE_EXCLUSIVE, &s, &e) < 0 ||
	    gc_run(&s, o->dry_run, &r, &e) < 0)
		return cli_fail("gc", &e);
	if (buf_printf(&out, &e,
		       "{\"blobs\":%llu,\"layers\":%llu,\"bytes\":%llu,\"busy\":%llu}\n",
		       (unsigned long long) r.blobs, (unsigned long long) r.layers,
		       (unsigned long long) r.bytes, (unsigned long long) r.busy) < 0)
		return cli_fail("gc", &e);
	return cli_print("gc", &out);
}
