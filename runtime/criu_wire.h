/*
 * What is said to CRIU and what it answers: the part of its protocol buffers that is used, to bytes and back.
 *
 * A request is put together field by field, in any order; the first failure sticks (wire.r). An answer comes
 * from another program that has read images of unknown origin: it is decoded with bounds, fields that are not
 * known are skipped, a known one of another type is an error.
 */
#ifndef CARREL_RUNTIME_CRIU_WIRE_H
#define CARREL_RUNTIME_CRIU_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct err;

enum criu_type {
	CRIU_DUMP = 1,
	CRIU_RESTORE = 2,
	CRIU_PRE_DUMP = 4,
	CRIU_NOTIFY = 6,
	CRIU_FEATURES = 9,
	CRIU_VERSION = 10,
};

/* Fields of a request's options. */
enum criu_field {
	CRIU_IMAGES_DIR_FD = 1,
	CRIU_PID = 2,
	CRIU_LEAVE_RUNNING = 3,
	CRIU_EXT_UNIX_SK = 4,
	CRIU_TCP_ESTABLISHED = 5,
	CRIU_EVASIVE_DEVICES = 6,
	CRIU_SHELL_JOB = 7,
	CRIU_FILE_LOCKS = 8,
	CRIU_LOG_LEVEL = 9,
	CRIU_LOG_FILE = 10,
	CRIU_PAGE_SERVER = 11, /* address and port */
	CRIU_NOTIFY_SCRIPTS = 12,
	CRIU_ROOT = 13,
	CRIU_PARENT_IMG = 14,
	CRIU_TRACK_MEM = 15,
	CRIU_AUTO_DEDUP = 16,
	CRIU_WORK_DIR_FD = 17,
	CRIU_LINK_REMAP = 18,
	CRIU_EXT_MNT = 23, /* pair: place in the container, name or source */
	CRIU_MANAGE_CGROUPS = 24,
	CRIU_CG_ROOT = 25, /* pair: controllers, path */
	CRIU_RST_SIBLING = 26,
	CRIU_INHERIT_FD = 27, /* key and descriptor */
	CRIU_MANAGE_CGROUPS_MODE = 34,
	CRIU_EXTERNAL = 37,
	CRIU_EMPTY_NS = 38,
	CRIU_JOIN_NS = 39, /* pair: kind, file */
	CRIU_FREEZE_CGROUP = 44,
	CRIU_TCP_SKIP_IN_FLIGHT = 46,
	CRIU_LAZY_PAGES = 48,
	CRIU_ORPHAN_PTS_MASTER = 50,
	CRIU_CONFIG_FILE = 51,
	CRIU_TCP_CLOSE = 52,
	CRIU_LSM_PROFILE = 53,
	CRIU_LSM_MOUNT_CONTEXT = 63,
};

enum { CRIU_REQUEST_MAX = 1 << 20 };

struct wire {
	struct buf out;
	struct err *e;
	int r; /* 0, or -1 with *e set */
};
#define WIRE_TO(err) ((struct wire){ .out = BUF_LIMIT(CRIU_REQUEST_MAX), .e = (err) })
#define auto_wire    auto_cleanup(wire_fini)
void wire_fini(struct wire *w);

void wire_int(struct wire *w, unsigned field, int64_t v); /* also booleans */
void wire_str(struct wire *w, unsigned field, const char *s);
/* A message of two strings, or of a string and a number, as fields 1 and 2. */
void wire_pair(struct wire *w, unsigned field, const char *key, const char *value);
void wire_keyed(struct wire *w, unsigned field, const char *key, int64_t v);

/* Whole requests. options: what was put together, or NULL. */
int criu_encode(enum criu_type t, const struct wire *options, struct buf *out, struct err *e);
int criu_encode_features(bool mem_track, bool lazy_pages, struct buf *out, struct err *e);
int criu_encode_notified(bool success, struct buf *out, struct err *e);

struct criu_reply {
	int type;
	bool success;
	char script[64];   /* of a notification; "" otherwise */
	int32_t pid;	   /* of a notification or a restore; 0: not given */
	int32_t error;	   /* an errno, or 0 */
	char message[256]; /* printable; "" when there is none */
	bool mem_track, lazy_pages;
	unsigned version; /* major * 10000 + minor * 100 + sublevel; 0: not given */
};
int criu_decode(const void *p, size_t n, struct criu_reply *out, struct err *e);

#endif
