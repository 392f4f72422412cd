/* commit: what was changed above an image becomes an image. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "images/cli/cli.h"
#include "images/cli/interrupt.h"
#include "images/commit.h"
#include "images/store.h"

static int parse_compression(const char *s, enum compression *out, struct err *e)
{
	static const struct {
		const char *name;
		enum compression kind;
	} rows[] = { { "gzip", COMPRESSION_GZIP },
		     { "zstd", COMPRESSION_ZSTD },
		     { "none", COMPRESSION_NONE } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!s || strcmp(s, rows[i].name) == 0) {
			*out = rows[i].kind;
			return 0;
		}
	}
	return err_set(e, EINVAL, "--compression %.40s: is none of gzip, zstd, none", s);
}

static int parse_options(const struct opts_commit *o, struct commit_options *out, struct err *e)
{
	if (!o->upper || !o->base)
		return err_set(e, EINVAL, "--%s: missing", o->upper ? "base" : "upper");
	if (o->uid_base + o->uid_count > UINT32_MAX || (o->uid_base && !o->uid_count))
		return err_set(e, EINVAL,
			       "--uid-base and --uid-count: no range of ids below 2^32-1");
	out->base = o->base;
	out->comment = o->message;
	out->by = "carrel-image commit";
	out->upper = (struct upper_options){ .uid_base = (uint32_t) o->uid_base,
					     .uid_count = (uint32_t) o->uid_count,
					     .userxattr = o->userxattr };
	if (o->format && layer_format_parse(o->format, &out->format, e) < 0)
		return -1;
	return parse_compression(o->compression, &out->compression, e);
}

static void warn_of(const struct upper_stats *st)
{
	const struct {
		uint64_t n;
		const char *what;
	} rows[] = {
		{ st->skipped_sockets, "sockets" },
		{ st->skipped_devices, "device nodes" },
		{ st->dropped_xattrs, "extended attributes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].n)
			log_warn("carrel-image commit: %llu %s left out: images have none",
				 (unsigned long long) rows[i].n, rows[i].what);
	}
}

int cli_commit(void *global, const char **operands, int n, void *opts)
{
	const struct cli *c = global;
	const struct opts_commit *o = opts;
	struct commit_options options = { .name = operands[0] };
	auto_buf struct buf out = BUF_LIMIT(4096);
	auto_store struct store s = STORE_NONE;
	struct upper_stats stats;
	struct err e = ERR_NONE;
	struct digest d;

	interrupt_arm(c->store, NULL);
	if (parse_options(o, &options, &e) < 0 || store_open(c->store, STORE_WORK, &s, &e) < 0)
		return cli_fail("commit", &e);
	auto_close int upper = open(o->upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (upper < 0) {
		(void) err_sys(&e, "--upper %s", o->upper);
		return cli_fail("commit", &e);
	}
	if (commit_upper(&s, upper, &options, &d, &stats, &e) < 0)
		return cli_fail("commit", &e);
	warn_of(&stats);
	if (buf_printf(&out, &e, "%s\n", digest_text(&d).s) < 0)
		return cli_fail("commit", &e);
	return cli_print("commit", &out);
}
