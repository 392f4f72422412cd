/*
 * Uid slots: a file per range in use, holding the sandbox's ID. The file is the reservation; there is no other book to
 * disagree with it. Taking one and removing one that was only read about happen under the directory's flock: between
 * the reading and the removal another process could have freed the slot and a third one have taken it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
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

/* Held for a few system calls by whoever has it: waiting for it in the loop is bounded. */
static int lock(struct launch *l, struct err *e)
{
	int r;

	do
		r = flock(l->uids_fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "lock %s", l->uids) : 0;
}

static void unlock(struct launch *l)
{
	(void) flock(l->uids_fd, LOCK_UN);
}

int launch_slot_take(struct launch *l, const char *id, uint32_t *slot, struct err *e)
{
	char claim[72];
	int r;

	if (lock(l, e) < 0)
		return err_wrap(e, "uid range");
	(void) snprintf(claim, sizeof(claim), ".%s", id);
	r = write_claim(l, claim, id, e) < 0 ? -1 : link_claim(l, claim, slot, e);
	(void) unlinkat(l->uids_fd, claim, 0);
	unlock(l);
	return r < 0 ? err_wrap(e, "uid range") : 0;
}

/* The ID that a slot file holds; "" when it cannot be read. */
static void slot_owner(struct launch *l, const char *name, char id[65])
{
	auto_close int fd = openat(l->uids_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, id, 64);

	id[n < 0 ? 0 : n] = '\0';
}

/* Calls fn for each slot file with its owner, and for the claim of a process that was killed over it. */
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

/* A file without an ID in it can only be a claim that was cut short. */
static void release_orphan(struct launch *l, const char *name, const char *id,
			   unused_arg const void *arg)
{
	if (*id && !launch_id_valid(id))
		return;
	if (!*id && name[0] != '.')
		return;
	if (!*id ||
	    (faccessat(l->sandboxes_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT))
		(void) unlinkat(l->uids_fd, name, 0);
}

int launch_slots_sweep(struct launch *l, struct err *e)
{
	int r;

	if (lock(l, e) < 0)
		return -1;
	r = each_slot(l, release_orphan, NULL, e);
	unlock(l);
	return r;
}

static void release_of(struct launch *l, const char *name, const char *id, const void *arg)
{
	if (strcmp(id, arg) == 0)
		(void) unlinkat(l->uids_fd, name, 0);
}

/* The slot's name as sandbox.json has it; false: there are no orders to read. */
static bool ordered_slot(int dir_fd, char name[16])
{
	auto_json struct json_doc *doc = NULL;
	struct err ignored;
	const char *path, *slash;

	if (json_parse_file(dir_fd, "sandbox.json", NULL, &doc, &ignored) < 0)
		return false;
	path = json_str_or(json_root(doc), "uid_slot", "");
	slash = strrchr(path, '/');
	return slash && slash[1] && slash[1] != '.' &&
	       str_copy(name, 16, slash + 1, "uid slot", &ignored) == 0;
}

void launch_slot_release_id(struct launch *l, const char *id, int dir_fd)
{
	struct err ignored;
	char name[16], owner[65];

	if (lock(l, &ignored) < 0)
		return; /* the next sweep finds it */
	if (ordered_slot(dir_fd, name)) {
		slot_owner(l, name, owner);
		release_of(l, name, owner, id);
	} else {
		(void) each_slot(l, release_of, id, &ignored);
	}
	unlock(l);
}
