/*
 * Uid slots: a file per range in use, made with O_EXCL, holding the sandbox's ID. The file is the reservation; there is
 * no other book to disagree with it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "sessiond/launch_internal.h"

struct slot_name {
	char s[16];
};

static struct slot_name slot_name(uint32_t slot)
{
	struct slot_name n;

	(void) snprintf(n.s, sizeof(n.s), "%u", slot);
	return n;
}

/* ".ID" with the ID in it, to be linked to the slot's number: no slot file is ever seen empty. */
static int write_claim(struct launch *l, const char *claim, const char *id, struct err *e)
{
	auto_close int fd = openat(l->uids_fd, claim,
				   O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "%s/%s", l->uids, claim);
	return fd_write_all(fd, id, strlen(id), e);
}

static int link_claim(struct launch *l, const char *claim, uint32_t *slot, struct err *e)
{
	for (uint32_t i = 0; i < l->config.uid_slots; i++) {
		uint32_t n = (l->next_slot + i) % l->config.uid_slots;

		if (linkat(l->uids_fd, claim, l->uids_fd, slot_name(n).s, 0) == 0) {
			l->next_slot = n + 1;
			*slot = n;
			return 0;
		}
		if (errno != EEXIST)
			return err_sys(e, "%s/%u", l->uids, n);
	}
	return err_set(e, ENOSPC, "all %u are in use", l->config.uid_slots);
}

int launch_slot_take(struct launch *l, const char *id, uint32_t *slot, struct err *e)
{
	char claim[72];
	int r;

	(void) snprintf(claim, sizeof(claim), ".%s", id);
	r = write_claim(l, claim, id, e) < 0 ? -1 : link_claim(l, claim, slot, e);
	(void) unlinkat(l->uids_fd, claim, 0);
	return r < 0 ? err_wrap(e, "uid range") : 0;
}

void launch_slot_release(struct launch *l, uint32_t slot)
{
	struct slot_name name = slot_name(slot);

	(void) unlinkat(l->uids_fd, name.s, 0);
}

/* The ID that a slot file holds; "" when it cannot be read. */
static void slot_owner(struct launch *l, const char *name, char id[65])
{
	auto_close int fd = openat(l->uids_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, id, 64);

	id[n < 0 ? 0 : n] = '\0';
}

/* Calls fn for each slot file with its owner. */
static int each_slot(struct launch *l,
		     void (*fn)(struct launch *, const char *, const char *, const void *),
		     const void *arg, struct err *e)
{
	int fd = openat(l->uids_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char id[65];

	if (!d) {
		(void) err_sys(e, "list %s", l->uids);
		fd_close(&fd);
		return -1;
	}
	for (struct dirent *entry; (entry = readdir(d));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		slot_owner(l, entry->d_name, id);
		fn(l, entry->d_name, id, arg);
	}
	(void) closedir(d);
	return 0;
}

static void release_orphan(struct launch *l, const char *name, const char *id,
			   unused_arg const void *arg)
{
	if (!launch_id_valid(id))
		return;
	if (faccessat(l->sandboxes_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		(void) unlinkat(l->uids_fd, name, 0);
}

int launch_slots_sweep(struct launch *l, struct err *e)
{
	return each_slot(l, release_orphan, NULL, e);
}

static void release_of(struct launch *l, const char *name, const char *id, const void *arg)
{
	if (strcmp(id, arg) == 0)
		(void) unlinkat(l->uids_fd, name, 0);
}

void launch_slot_release_id(struct launch *l, const char *id)
{
	struct err ignored;

	(void) each_slot(l, release_of, id, &ignored);
}
