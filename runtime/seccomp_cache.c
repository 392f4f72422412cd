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

enum { MAX_FILE = 8 << 20, CHUNK = 4096 };

/* In front of a file; lengths in host order, as the instructions are. */
struct head {
	char magic[8];
	uint32_t canonical, insns;
};

static const char magic[8] = "CRLSCMP1";

/* ---- the profile as bytes: equal bytes, equal program ---- */

/* Where the bytes go as they come, for nothing needs all of them at once but a new file. */
struct sink {
	void (*take)(void *to, const void *p, size_t n);
	void *to;
};

static void put(const struct sink *k, const void *p, size_t n)
{
	k->take(k->to, p, n);
}

static void put_u32(const struct sink *k, uint32_t v)
{
	put(k, &v, sizeof(v));
}

static void put_rule(const struct sink *k, const struct filter_rule *r)
{
	put_u32(k, r->action);
	put_u32(k, (uint32_t) r->n_args);
	for (size_t i = 0; i < r->n_args; i++) {
		const struct filter_arg *a = &r->args[i];

		put_u32(k, a->index);
		put_u32(k, (uint32_t) a->op);
		put(k, &a->value, sizeof(a->value));
		put(k, &a->value_two, sizeof(a->value_two));
	}
	for (const char *const *name = r->names; *name; name++)
		put(k, *name, strlen(*name) + 1);
	/* An empty name ends the list: no rule can run into the next. */
	put(k, "", 1);
}

static void put_profile(const struct sink *k, const struct filter_spec *s)
{
	const struct scmp_version *v = seccomp_version();

	/* Another compiler or another library may give another program. */
	put(k, CARREL_VERSION, sizeof(CARREL_VERSION));
	put_u32(k, v ? v->major << 16 | v->minor << 8 | v->micro : 0);
	put_u32(k, seccomp_arch_native());
	put_u32(k, s->default_action);
	put_u32(k, (uint32_t) s->n_arches);
	for (size_t i = 0; i < s->n_arches; i++)
		put_u32(k, s->arches[i]);
	for (size_t i = 0; i < s->n_rules; i++)
		put_rule(k, &s->rules[i]);
}

/* ---- its length and its file's name ---- */

struct digest {
	uint64_t h;
	size_t n;
};

/* FNV-1a, eight bytes at a time: it only has to spread profiles over 256 names. */
static void digest_take(void *to, const void *p, size_t n)
{
	struct digest *d = to;

	d->n += n;
	for (const uint8_t *at = p; n > 0;) {
		const size_t k = MIN(n, sizeof(uint64_t));
		uint64_t word = 0;

		if (k == sizeof(word))
			memcpy(&word, at, sizeof(word));
		for (size_t i = 0; k < sizeof(word) && i < k; i++)
			word = word << 8 | at[i];
		d->h = (d->h ^ word) * 0x100000001b3u;
		d->h ^= d->h >> 32;
		at += k;
		n -= k;
	}
}

static struct digest digest_of(const struct filter_spec *s)
{
	struct digest d = { .h = 0xcbf29ce484222325u };

	put_profile(&(struct sink){ digest_take, &d }, s);
	return d;
}

struct file_name {
	char s[16];
};

static struct file_name name_of(const struct digest *d)
{
	struct file_name name;

	snprintf(name.s, sizeof(name.s), "%02x.bpf",
		 (unsigned) (d->h ^ d->h >> 16 ^ d->h >> 8) & 0xff);
	return name;
}

/* ---- reading ---- */

static bool only_ours(int fd, mode_t type, struct stat *st)
{
	return fstat(fd, st) == 0 && (st->st_mode & S_IFMT) == type &&
	       st->st_uid == geteuid() && (st->st_mode & 022) == 0;
}

static bool trusted_dir(int cache_fd)
{
	struct stat st;

	if (only_ours(cache_fd, S_IFDIR, &st))
		return true;
	log_debug("seccomp cache not used: its directory is not ours alone");
	return false;
}

/* A file in pieces, as what is compared with it comes in pieces. */
struct reader {
	int fd;
	size_t at, have;
	bool same;
	uint8_t chunk[CHUNK];
};

static bool fill(struct reader *r)
{
	const ssize_t n = read(r->fd, r->chunk, sizeof(r->chunk));

	r->at = 0;
	r->have = n > 0 ? (size_t) n : 0;
	return r->have > 0;
}

static bool next_bytes(struct reader *r, void *p, size_t n)
{
	for (uint8_t *to = p; n > 0;) {
		if (r->at == r->have && !fill(r))
			return false;
		const size_t k = MIN(n, r->have - r->at);

		memcpy(to, r->chunk + r->at, k);
		r->at += k;
		to += k;
		n -= k;
	}
	return true;
}

static void compare_take(void *to, const void *p, size_t n)
{
	struct reader *r = to;

	for (const uint8_t *at = p; n > 0 && r->same;) {
		if (r->at == r->have && !fill(r)) {
			r->same = false;
			return;
		}
		const size_t k = MIN(n, r->have - r->at);

		r->same = memcmp(r->chunk + r->at, at, k) == 0;
		r->at += k;
		at += k;
		n -= k;
	}
}

/* The layout is exact: head, profile, instructions, end of file. */
static int take(int fd, off_t size, const struct filter_spec *s, size_t canonical,
		struct filter_program *out)
{
	struct reader r = { .fd = fd, .same = true };
	struct head h;

	if (!next_bytes(&r, &h, sizeof(h)) || memcmp(h.magic, magic, sizeof(magic)) != 0 ||
	    h.canonical != canonical || h.insns == 0 || h.insns > BPF_MAXINSNS)
		return 0;
	const size_t n = (size_t) h.insns * sizeof(struct sock_filter);
	if ((size_t) size != sizeof(h) + canonical + n)
		return 0;
	put_profile(&(struct sink){ compare_take, &r }, s);
	if (!r.same)
		return 0;
	struct filter_program p = { .insns = xalloc(n), .n = (uint16_t) h.insns };
	if (!next_bytes(&r, p.insns, n)) {
		filter_program_fini(&p);
		return 0;
	}
	*out = p;
	return 1;
}

int filter_cache_read(int cache_fd, const struct filter_spec *s, struct filter_program *out)
{
	const struct digest d = digest_of(s);
	const struct file_name name = name_of(&d);
	struct stat st;

	if (!trusted_dir(cache_fd))
		return 0;
	auto_close int fd =
		openat(cache_fd, name.s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || !only_ours(fd, S_IFREG, &st))
		return 0;
	return take(fd, st.st_size, s, d.n, out);
}

/* ---- writing ---- */

struct gathered {
	struct buf *b;
	struct err *e;
	bool failed;
};

static void gather_take(void *to, const void *p, size_t n)
{
	struct gathered *g = to;

	if (!g->failed)
		g->failed = buf_append(g->b, p, n, g->e) < 0;
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

static int render(const struct filter_spec *s, const struct digest *d,
		  const struct filter_program *p, struct buf *out, struct err *e)
{
	struct head h = { .canonical = (uint32_t) d->n, .insns = p->n };
	struct gathered g = { .b = out, .e = e };

	memcpy(h.magic, magic, sizeof(h.magic));
	if (buf_append(out, &h, sizeof(h), e) < 0)
		return -1;
	put_profile(&(struct sink){ gather_take, &g }, s);
	return g.failed ? -1 : buf_append(out, p->insns, p->n * sizeof(*p->insns), e);
}

void filter_cache_write(int cache_fd, const struct filter_spec *s,
			const struct filter_program *p)
{
	auto_buf struct buf file = BUF_LIMIT(MAX_FILE);
	const struct digest d = digest_of(s);
	struct err why = ERR_NONE;

	if (!trusted_dir(cache_fd))
		return;
	if (render(s, &d, p, &file, &why) < 0 ||
	    write_whole(cache_fd, name_of(&d).s, &file, &why) < 0)
		log_debug("seccomp cache not written: %s", why.msg);
}
