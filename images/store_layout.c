#include "images/store_layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/util.h"

enum { LAYOUT_MAX = 4096 };

const char store_layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";

static bool is_ours(const char *name)
{
	static const char *const names[] = { ".",	   "..",	  "blobs", "layers",
					     "tmp",	   "mountpoints", "lock",  "index.lock",
					     "index.json", "lost+found" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return str_has_prefix(name, ".tmp.");
}

static int check_empty(int dir_fd, struct err *e)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	int r = 0;

	if (!d) {
		(void) err_sys(e, "open");
		fd_close(&fd);
		return -1;
	}
	errno = 0;
	while (r == 0 && (ent = readdir(d))) {
		if (!is_ours(ent->d_name))
			r = err_set(e, ENOTEMPTY,
				    "it is no image store, and not empty (it holds %.80s)",
				    ent->d_name);
	}
	if (r == 0 && errno)
		r = err_sys(e, "read");
	closedir(d);
	return r;
}

int layout_check_version(const struct buf *text, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	const char *version;

	if (json_parse((const char *) buf_bytes(text), buf_len(text), NULL, &doc, e) < 0)
		return err_wrap(e, "oci-layout");
	version = json_str_or(json_root(doc), "imageLayoutVersion", "");
	if (strcmp(version, "1.0.0") != 0)
		return err_set(e, ENOTSUP,
			       "oci-layout: imageLayoutVersion '%.40s'; 1.0.0 is supported",
			       version);
	return 1;
}

int store_check_layout(int dir_fd, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(LAYOUT_MAX);
	struct err why = ERR_NONE;

	if (fd_read_file(dir_fd, "oci-layout", LAYOUT_MAX, &text, &why) < 0) {
		if (why.code == ENOENT)
			return check_empty(dir_fd, e);
		*e = why;
		return -1;
	}
	/* Every command comes by here. */
	if (strcmp(buf_str(&text), store_layout_text) == 0)
		return 1;
	return layout_check_version(&text, e);
}
