#include "base/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"

enum { FILE_MAX_BYTES = 64 * 1024, USER_BYTES = 256 };

static const char *const kinds[] = { [VOLUME_LOOP] = "loop", [VOLUME_QUOTA] = "quota" };

const char *volume_kind_name(enum volume_kind k)
{
	return kinds[k];
}

int volume_kind_parse(const char *s, enum volume_kind *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(s, kinds[i]) != 0)
			continue;
		*out = (enum volume_kind) i;
		return 0;
	}
	return err_set(e, EINVAL, "\"%.40s\" is none of loop, quota", s);
}

bool volume_name_valid(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strlen(name);

	return n > 0 && n <= VOLUME_NAME_MAX && strspn(name, allowed) == n &&
	       !strchr("_.-", name[0]);
}

/* ---- volume.json ---- */

static int decode_kind(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	struct err why = ERR_NONE;
	const char *s = NULL;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	return volume_kind_parse(s, out, &why) < 0 ? json_err(at, e, "%s", why.msg) : 0;
}

static int decode_name(const struct json *v, const struct json_at *at, void *out, struct err *e)
{
	const char *s = NULL;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	if (!volume_name_valid(s))
		return json_err(at, e, "\"%.80s\" is no name of a volume", s);
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

static int decode_created(const struct json *v, const struct json_at *at, void *out,
			  struct err *e)
{
	const char *s = NULL;

	if (json_decode_str(v, at, &s, e) < 0)
		return -1;
	return str_copy(out, sizeof(((struct volume_info *) 0)->created), s, "created", e);
}

struct file {
	uint32_t version;
	struct volume_info info;
};

#define FIELD(name, decode)                                                                    \
	{                                                                                      \
#name, decode, offsetof(struct file, info.name), JSON_REQUIRED                 \
	}

static const struct json_field fields[] = {
	{ "version", json_decode_u32, offsetof(struct file, version), JSON_REQUIRED },
	FIELD(name, decode_name),
	FIELD(kind, decode_kind),
	FIELD(size, json_decode_u64),
	FIELD(inodes, json_decode_u64),
	FIELD(project, json_decode_u32),
	FIELD(growing, json_decode_bool),
	FIELD(created, decode_created),
};

static int check(const struct file *f, struct err *e)
{
	if (f->version != 1)
		return err_set(e, ENOTSUP, "version: %u is not known; this version reads 1",
			       f->version);
	if (f->info.size < VOLUME_SIZE_MIN || f->info.size > VOLUME_SIZE_MAX ||
	    f->info.size % VOLUME_BLOCK)
		return err_set(e, EINVAL, "size: %llu is no size of a volume",
			       (unsigned long long) f->info.size);
	if (f->info.kind == VOLUME_QUOTA && f->info.project == 0)
		return err_set(e, EINVAL, "project: 0 has no limit");
	return 0;
}

int volume_info_parse(const char *text, size_t n, struct volume_info *out, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	struct file f = { 0 };

	if (json_parse(text, n, NULL, &doc, e) < 0 ||
	    json_decode_object(json_root(doc), NULL, fields, ARRAY_SIZE(fields),
			       JSON_UNKNOWN_REJECT, &f, e) < 0 ||
	    check(&f, e) < 0)
		return err_wrap(e, "volume.json");
	*out = f.info;
	return 0;
}

int volume_info_read(int dir_fd, struct volume_info *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(FILE_MAX_BYTES + 1);

	if (fd_read_file(dir_fd, "volume.json", FILE_MAX_BYTES, &text, e) < 0)
		return -1;
	return volume_info_parse(buf_str(&text), buf_len(&text), out, e);
}

int volume_info_print(const struct volume_info *v, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, false);

	jw_object(w, NULL);
	jw_int(w, "version", 1);
	jw_str(w, "name", v->name);
	jw_str(w, "kind", volume_kind_name(v->kind));
	jw_uint(w, "size", v->size);
	jw_uint(w, "inodes", v->inodes);
	jw_uint(w, "project", v->project);
	jw_bool(w, "growing", v->growing);
	jw_str(w, "created", v->created);
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return err_wrap(e, "volume.json");
	return buf_puts(out, "\n", e);
}

/* ---- locks ---- */

static int lock_waiting(int fd, int how)
{
	int r;

	do
		r = flock(fd, how);
	while (r < 0 && errno == EINTR);
	return r;
}

/* Whoever removes a volume holds its lock meanwhile: having waited for it, the name may lead elsewhere. */
static int still_named(int at_fd, const char *name, int fd)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
	       fstatat(at_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static const char *plain_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int volume_open(int at_fd, const char *name, enum volume_lock lock, struct volume *out,
		struct err *e)
{
	auto_volume struct volume v = VOLUME_NONE;

	if (!volume_name_valid(plain_name(name)))
		return err_set(
			e, EINVAL,
			"\"%.80s\" is no name of a volume: letters, digits, _ . - are allowed, "
			"first a letter or digit, %d at most",
			plain_name(name), VOLUME_NAME_MAX);
	v.dir_fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (v.dir_fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "volume %s: there is no such volume",
			       plain_name(name));
	if (v.dir_fd < 0 ||
	    lock_waiting(v.dir_fd, lock == VOLUME_TO_USE ? LOCK_SH : LOCK_EX) < 0)
		return err_sys(e, "volume %s", plain_name(name));
	if (!still_named(at_fd, name, v.dir_fd))
		return err_set(e, ENOENT, "volume %s: it was removed", plain_name(name));
	if (volume_info_read(v.dir_fd, &v.info, e) < 0)
		return err_wrap(e, "volume %s", plain_name(name));
	if (strcmp(v.info.name, plain_name(name)) != 0)
		return err_set(e, EINVAL, "volume %s: its volume.json is of volume %s",
			       plain_name(name), v.info.name);
	*out = v;
	v = VOLUME_NONE;
	return 0;
}

void volume_close(struct volume *v)
{
	fd_close(&v->content_fd);
	fd_close(&v->dir_fd);
}

void volume_settle(struct volume *v)
{
	fd_close(&v->dir_fd);
}

static int open_content(const struct volume *v, struct err *e)
{
	const bool loop = v->info.kind == VOLUME_LOOP;
	int fd = openat(v->dir_fd, loop ? VOLUME_DISK : VOLUME_DATA,
			O_CLOEXEC | O_NOFOLLOW | (loop ? O_RDWR : O_RDONLY | O_DIRECTORY));

	return fd < 0 ? err_sys(e, "volume %s: its content", v->info.name) : fd;
}

static int refuse(const struct volume *v, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(USER_BYTES + 1);
	struct err ignored = ERR_NONE;
	const char *user = "somebody";

	if (fd_read_file(v->dir_fd, "user", USER_BYTES, &text, &ignored) == 0)
		user = buf_str(&text);
	return err_set(e, ETXTBSY,
		       "volume %s: %.*s uses it, and one at a time may; end that first",
		       v->info.name, (int) strcspn(user, "\n"), user);
}

int volume_claim(struct volume *v, const char *user, struct err *e)
{
	auto_close int fd = open_content(v, e);

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? refuse(v, e)
					    : err_sys(e, "volume %s: lock", v->info.name);
	if (user) {
		auto_free char *line = xasprintf("%s\n", user);

		if (fd_write_atomic(v->dir_fd, "user", line, strlen(line), 0600, false, e) < 0)
			return err_wrap(e, "volume %s", v->info.name);
	}
	v->content_fd = take_fd(&fd);
	return 0;
}

/* /proc/locks has a line for each: "1: FLOCK  ADVISORY  WRITE 812 fe:00:262145 0 EOF". Trying the lock instead would refuse
 * it, for that moment, to who really wants it. */
bool volume_in_use(const struct volume *v)
{
	auto_buf struct buf text = BUF_LIMIT(16 << 20);
	struct err ignored = ERR_NONE;
	auto_close int fd = open_content(v, &ignored);
	char where[64], *line, *save = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    fd_read_file(AT_FDCWD, "/proc/locks", 15 << 20, &text, &ignored) < 0)
		return false;
	(void) snprintf(where, sizeof(where), " %02x:%02x:%lu ", major(st.st_dev),
			minor(st.st_dev), (unsigned long) st.st_ino);
	line = strtok_r((char *) buf_str(&text), "\n", &save);
	for (; line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, " FLOCK ") && strstr(line, " WRITE ") && strstr(line, where))
			return true;
	return false;
}
