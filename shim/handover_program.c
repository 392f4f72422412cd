/* Another program: whether it may be executed with root's rights, whether it can take over, and what this one is. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/util.h"
#include "shim/handover.h"
#include "version.h"

enum { ASK_MS = 5000, TRY_MS = 20000, ANSWER_BYTES = 4096, BUILD_BYTES = 32 };

/* ---- this one ---- */

/* The linker's note: a digest of the program. */
static const uint8_t *find_note(const uint8_t *p, size_t n, size_t *n_id)
{
	while (n >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) h;
		size_t name, all;

		memcpy(&h, p, sizeof(h));
		name = (h.n_namesz + 3) & ~(size_t) 3;
		all = sizeof(h) + name + ((h.n_descsz + 3) & ~(size_t) 3);
		if (all > n)
			return NULL;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 &&
		    memcmp(p + sizeof(h), "GNU", 4) == 0) {
			*n_id = h.n_descsz;
			return p + sizeof(h) + name;
		}
		p += all;
		n -= all;
	}
	return NULL;
}

/* Called for the program itself first, which is all that is wanted. */
static int take_note(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct handover_build *out = arg;
	const uint8_t *id = NULL;
	size_t n = 0;

	for (int i = 0; i < info->dlpi_phnum && !id; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			id = find_note((const uint8_t *) (info->dlpi_addr +
							  info->dlpi_phdr[i].p_vaddr),
				       info->dlpi_phdr[i].p_memsz, &n);
	for (size_t i = 0; id && i < MIN(n, (size_t) BUILD_BYTES); i++)
		(void) snprintf(out->s + 2 * i, 3, "%02x", id[i]);
	return 1;
}

struct handover_build handover_build(void)
{
	struct handover_build out = { "unknown" };

	(void) dl_iterate_phdr(take_note, &out);
	return out;
}

int handover_print_version(struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_str(w, "program", "carrel-shim");
	jw_str(w, "version", CARREL_VERSION);
	jw_str(w, "build", handover_build().s);
	jw_uint(w, "reads_from", HANDOVER_OLDEST);
	jw_uint(w, "reads_to", HANDOVER_FORMAT);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	return buf_puts(out, "\n", e);
}

/* ---- another one ---- */

int handover_open_program(const char *path, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return err_set(e, EACCES, "%s: it is no program", path);
	if (st.st_uid != 0)
		return err_set(e, EPERM,
			       "%s: it belongs to uid %u, not to root, who would run it", path,
			       st.st_uid);
	if (st.st_mode & 0022)
		return err_set(e, EPERM,
			       "%s: others than root may write it (mode %04o); make it 0755",
			       path, st.st_mode & 07777);
	return take_fd(&fd);
}

static int run(int fd, char *const *argv, const int *keep, size_t n_keep, int ms,
	       struct buf *out, struct buf *errout, struct child_status *st, struct err *e)
{
	struct child_spec spec = CHILD_SPEC_NONE;

	spec.exec_fd = fd;
	spec.argv = argv;
	spec.envp = environ;
	spec.keep_fds = keep;
	spec.n_keep_fds = n_keep;
	spec.parent_death_signal = SIGKILL;
	return child_run(&spec, NULL, 0, out, errout, ms, st, e);
}

struct answer {
	const char *program, *version, *build;
	uint64_t from, to;
};

static int decode(const struct json *v, struct answer *a, struct err *e)
{
	static const struct json_field fields[] = {
		{ "program", json_decode_str, offsetof(struct answer, program), JSON_REQUIRED },
		{ "version", json_decode_str, offsetof(struct answer, version), JSON_REQUIRED },
		{ "build", json_decode_str, offsetof(struct answer, build), JSON_REQUIRED },
		{ "reads_from", json_decode_u64, offsetof(struct answer, from), JSON_REQUIRED },
		{ "reads_to", json_decode_u64, offsetof(struct answer, to), JSON_REQUIRED },
	};

	return json_decode_object(v, NULL, fields, ARRAY_SIZE(fields), JSON_UNKNOWN_IGNORE, a,
				  e);
}

static int read_answer(struct buf *text, const char *path, bool *same, struct err *e)
{
	static const struct json_limits limits = { .bytes = ANSWER_BYTES,
						   .depth = 2,
						   .nodes = 64 };
	auto_json struct json_doc *doc = NULL;
	struct err why = ERR_NONE;
	struct answer a = { 0 };

	if (json_parse(buf_str(text), buf_len(text), &limits, &doc, &why) < 0 ||
	    decode(json_root(doc), &a, &why) < 0 || strcmp(a.program, "carrel-shim") != 0)
		return err_set(e, ENOEXEC, "%s: it is no carrel-shim that can take over", path);
	if (a.from > HANDOVER_FORMAT || a.to < HANDOVER_FORMAT)
		return err_set(e, EPROTO,
			       "%s: version %s takes over formats %llu to %llu, and this one, "
			       "version %s, has %d",
			       path, a.version, (unsigned long long) a.from,
			       (unsigned long long) a.to, CARREL_VERSION, HANDOVER_FORMAT);
	*same = strcmp(a.build, handover_build().s) == 0;
	return 0;
}

int handover_ask_program(int fd, const char *path, bool *same, struct err *e)
{
	char *argv[] = { "carrel-shim", "--handover-version", NULL };
	auto_buf struct buf out = BUF_LIMIT(ANSWER_BYTES), errout = BUF_LIMIT(ANSWER_BYTES);
	struct child_status st;

	if (run(fd, argv, NULL, 0, ASK_MS, &out, &errout, &st, e) < 0)
		return err_wrap(e, "%s", path);
	if (st.signalled || st.code != 0)
		return err_set(
			e, ENOEXEC,
			"%s: it is no carrel-shim that can take over (it ended with %s %d)",
			path, st.signalled ? "signal" : "status", st.code);
	return read_answer(&out, path, same, e);
}

int handover_try_program(int fd, const char *path, const char *dir, const struct handover *h,
			 struct err *e)
{
	char *argv[] = { "carrel-shim", "--dir", (char *) dir, "--check-resume", "3", NULL };
	auto_buf struct buf out = BUF_LIMIT(ANSWER_BYTES), errout = BUF_LIMIT(ANSWER_BYTES);
	const int keep[] = { h->own_fd, h->front_fd };
	struct child_status st;

	if (run(fd, argv, keep, ARRAY_SIZE(keep), TRY_MS, &out, &errout, &st, e) < 0)
		return err_wrap(e, "%s", path);
	if (!st.signalled && st.code == 0)
		return 0;
	while (buf_len(&errout) > 0 && errout.data[errout.tail - 1] == '\n')
		errout.tail--;
	return err_set(e, EPROTO, "%s: it cannot take over: %s (%s %d)", path,
		       buf_len(&errout) ? buf_str(&errout) : "it does not say why",
		       st.signalled ? "signal" : "status", st.code);
}
