/*
 * Any bytes as a tar stream: entries keep the reader's promises, and unpacking them never leaves the directory.
 * Files are made without owners and whiteouts, as for an archive of images, so that no root is needed.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/util.h"
#include "images/extract.h"
#include "images/limits.h"
#include "images/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	const uint8_t *data;
	size_t n;
};

static ssize_t feed(void *arg, const void **p, struct err *e)
{
	struct input *in = arg;
	size_t n = MIN(in->n, 997U);

	*p = in->data;
	in->data += n;
	in->n -= n;
	return (ssize_t) n;
}

static void check_name(const char *s)
{
	const char *p = s;

	if (*s == '/')
		abort();
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 0 || n > NAME_MAX || (n == 1 && *p == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			abort();
		p += n + (p[n] == '/' && p[n + 1]);
		if (*p == '/')
			abort();
	}
}

static void check_entry(const struct tar_entry *en)
{
	check_name(en->path);
	if (en->kind == TAR_HARDLINK)
		check_name(en->link);
	if ((en->kind == TAR_SYMLINK || en->kind == TAR_HARDLINK) != (en->link != NULL))
		abort();
	if (en->uid == UINT32_MAX || en->gid == UINT32_MAX || en->mode > 07777)
		abort();
}

static void unpack(struct tar *t, int root)
{
	const struct extract_policy policy = { 0 };
	auto_extract struct extract *x = extract_new(root, &policy);
	struct extract_stats stats;
	struct tar_entry en;
	struct err e = ERR_NONE;

	while (tar_next(t, &en, &e) == 1) {
		check_entry(&en);
		if (extract_entry(x, t, &en, &e) < 0)
			break;
	}
	(void) extract_finish(x, &stats, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct image_limits limits = IMAGE_LIMITS_DEFAULT;
	struct input in = { .data = data, .n = n };
	auto_tar struct tar *t = NULL;
	struct err e = ERR_NONE;
	char dir[] = "/dev/shm/carrel-fuzz-XXXXXX", path[64];

	limits.bytes = 1 << 20;
	limits.entries = 64;
	if (tar_open(feed, &in, &limits, &t, &e) < 0)
		return 0;
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/tree", dir);
	if (mkdir(path, 0700) < 0)
		abort();
	auto_close int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unpack(t, root);
	/* Beside the tree, nothing may have come to be: then its parent is empty. */
	auto_close int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd_remove_tree(parent, "tree", &e) < 0 || rmdir(dir) < 0)
		abort();
	return 0;
}
