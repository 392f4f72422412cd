/*
 * Compiled filters on disk: 256 files at most, each with the whole profile that it was made from.
 *
 * A filter from here is loaded unseen, so a file is only believed when nobody but us could have written it: the
 * directory and the file belong to our effective user and nobody else may write to either, and the file is
 * opened without following links. A profile is found by a short hash and recognised by comparing all its bytes,
 * so that neither a collision nor an old version can pass for it. Anything else counts as "not there".
 */
#include "runtime/seccomp_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"
#include "version.h"

enum { MAX_FILE = 8 << 20 };

/* In front of a file; lengths in host order, as the instructions are. */
struct head {
	char magic[8];
	uint32_t canonical, insns;
};

static const char magic[8] = "CRLSCMP1";

/* ---- the profile as bytes ---- */

static int put(struct buf *b, const void *p, size_t n, struct err *e)
{
	return buf_append(b, p, n, e);
}

static int put_u32(struct buf *b, uint32_t v, struct err *e)
{
	return put(b, &v, sizeof(v), e);
}

static int put_rule(struct buf *b, const struct filter_rule *r, struct err *e)
{
	if (put_u32(b, r->action, e) < 0 || put_u32(b, (uint32_t) r->n_args, e) < 0)
		return -1;
	for (size_t i = 0; i < r->n_args; i++) {
		const struct filter_arg *a = &r->args[i];

		if (put_u32(b, a->index, e) < 0 || put_u32(b, (uint32_t) a->op, e) < 0 ||
		    put(b, &a->value, sizeof(a->value), e) < 0 ||
		    put(b, &a->value_two, sizeof(a->value_two), e) < 0)
			return -1;
	}
	for (const char *const *name = r->names; *name; name++)
		if (put(b, *name, strlen(*name) + 1, e) < 0)
			return -1;
	/* An empty name ends the list: no rule can run into the next. */
	return put(b, "", 1, e);
}

int filter_canonical(const struct filter_spec *s, struct buf *out, struct err *e)
{
	const struct scmp_version *v = seccomp_version();
	uint32_t lib = v ? v->major << 16 | v->minor << 8 | v->micro : 0;

	/* Another compiler or another library may give another program. */
	if (put(out, CARREL_VERSION, sizeof(CARREL_VERSION), e) < 0 ||
	    put_u32(out, lib, e) < 0 || put_u32(out, seccomp_arch_native(), e) < 0 ||
	    put_u32(out, s->default_action, e) < 0 ||
	    put_u32(out, (uint32_t) s->n_arches, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n_arches; i++)
		if (put_u32(out, s->arches[i], e) < 0)
			return -1;
	for (size_t i = 0; i < s->n_rules; i++)
		if (put_rule(out, &s->rules[i], e) < 0)
			return -1;
	return 0;
}

/* ---- files ---- */

struct file_name {
	char s[16];
};

/* FNV-1a, folded: it only has to spread profiles over 256 names. */
static struct file_name name_of(const struct buf *canonical)
{
	const uint8_t *p = buf_bytes(canonical);
	uint64_t h = 0xcbf29ce484222325u;
	struct file_name name;

	for (size_t i = 0; i < buf_len(canonical); i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h ^= h >> 16;
	snprintf(name.s, sizeof(name.s), "%02x.bpf", (unsigned) (h ^ h >> 8) & 0xff);
	return name;
}

static bool only_ours(int fd, mode_t type)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() &&
	       (st.st_mode & 022) == 0;
}

static bool trusted_dir(int cache_fd)
{
	if (only_ours(cache_fd, S_IFDIR))
		return true;
	log_debug("seccomp cache not used: its directory is not ours alone");
	return false;
}

/* The layout is exact: head, profile, instructions, end of file. */
static int take(const struct buf *file, const struct buf *canonical, struct filter_program *out)
{
	const uint8_t *p = buf_bytes(file);
	struct head h;
	size_t n;

	if (buf_len(file) < sizeof(h))
		return 0;
	memcpy(&h, p, sizeof(h));
	n = (size_t) h.insns * sizeof(struct sock_filter);
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.canonical != buf_len(canonical) ||
	    h.insns == 0 || h.insns > BPF_MAXINSNS ||
	    buf_len(file) != sizeof(h) + h.canonical + n)
		return 0;
	if (memcmp(p + sizeof(h), buf_bytes(canonical), h.canonical) != 0)
		return 0;
	out->insns = malloc(n);
	if (!out->insns)
		return 0;
	memcpy(out->insns, p + sizeof(h) + h.canonical, n);
	out->n = (uint16_t) h.insns;
	return 1;
}

int filter_cache_read(int cache_fd, const struct buf *canonical, struct filter_program *out)
{
	auto_buf struct buf file = BUF_LIMIT(MAX_FILE);
	struct file_name name = name_of(canonical);
	struct err ignored = ERR_NONE;
	auto_close int fd = -1;

	if (!trusted_dir(cache_fd))
		return 0;
	fd = openat(cache_fd, name.s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !only_ours(fd, S_IFREG))
		return 0;
	if (fd_read_all(fd, MAX_FILE - 1, &file, &ignored) < 0)
		return 0;
	return take(&file, canonical, out);
}

/* The file has no name before it is whole: nothing of a runtime that is killed meanwhile stays, and nobody would ever
 * look for it here. Where a filesystem has no such files it is a rename. */
static int write_whole(int cache_fd, const char *name, const struct buf *file, struct err *e)
{
	auto_close int fd = openat(cache_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char path[32];

	if (fd < 0)
		return fd_write_atomic(cache_fd, name, buf_bytes(file), buf_len(file), 0600,
				       false, e);
	if (fd_write_all(fd, buf_bytes(file), buf_len(file), e) < 0)
		return -1;
	(void) unlinkat(cache_fd, name, 0); /* another profile's, or a damaged one */
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, cache_fd, name, AT_SYMLINK_FOLLOW) < 0)
		return err_sys(e, "link");
	return 0;
}

void filter_cache_write(int cache_fd, const struct buf *canonical,
			const struct filter_program *p)
{
	auto_buf struct buf file = BUF_LIMIT(MAX_FILE);
	struct file_name name = name_of(canonical);
	struct head h = { .canonical = (uint32_t) buf_len(canonical), .insns = p->n };
	struct err why = ERR_NONE;

	memcpy(h.magic, magic, sizeof(h.magic));
	if (!trusted_dir(cache_fd))
		return;
	if (buf_append(&file, &h, sizeof(h), &why) < 0 ||
	    buf_append(&file, buf_bytes(canonical), buf_len(canonical), &why) < 0 ||
	    buf_append(&file, p->insns, p->n * sizeof(*p->insns), &why) < 0 ||
	    write_whole(cache_fd, name.s, &file, &why) < 0)
		log_debug("seccomp cache not written: %s", why.msg);
}
