/*
 * What a tier says of a sandbox's workspace: the words of tiers.yaml in one place, for the two programs that read them.
 *
 *   workspace:
 *     kind: persistent   # or tmpfs, the default: memory-backed and gone with the sandbox
 *     size: 1Gi          # of a new volume; of a tmpfs instead of its share of `disk`
 *     path: /workspace   # persistent: where it is mounted (default: there)
 *     volumes: 1         # persistent: how many a user may have (default: 1)
 *     volume: auto       # persistent: quota, loop, or the better of what there is
 */
#ifndef CARREL_BASE_WORKSPACE_H
#define CARREL_BASE_WORKSPACE_H

#include <stdint.h>

struct err;
struct json;
struct json_at;

enum workspace_kind { WORKSPACE_TMPFS, WORKSPACE_PERSISTENT };

#define WORKSPACE_PATH "/workspace"

struct workspace {
	enum workspace_kind kind;
	uint64_t size;	  /* bytes; 0: a tmpfs of its share */
	uint32_t volumes; /* persistent */
	char path[128];
	char volume[8]; /* "auto", "quota", "loop" */
};
/* What a tier without the member has. */
#define WORKSPACE_DEFAULT                                                                      \
	((struct workspace){ .volumes = 1, .path = WORKSPACE_PATH, .volume = "auto" })

/* A json_decode_fn; out is a struct workspace, initialised. */
int workspace_decode(const struct json *v, const struct json_at *at, void *out, struct err *e);

#endif
