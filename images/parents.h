/*
 * The parents that an upper layer does not describe (images/implied.h), as the layers below have them.
 *
 * Overlayfs shows of a directory what the uppermost layer says that has it. A layer is unpacked once for all images, so what it
 * says of such a directory cannot be right for each. Where it differs from what the nearest layer below describes, the image gets
 * one layer more, above the others: those directories and the way to them, empty, with the right modes, owners, times and
 * attributes. It lies in the store by the chain-id of all layers, which no layer has as diff-id, when it is needed, and else not.
 */
#ifndef CARREL_IMAGES_PARENTS_H
#define CARREL_IMAGES_PARENTS_H

#include <stdbool.h>
#include <stddef.h>

struct digest;
struct err;
struct store;
struct store_work;

/* OCI's chain-id of all layers. */
int parents_name(const struct digest *diff_ids, size_t n, struct digest *out, struct err *e);

/* The layers are in the store (pinned) or staged. What is needed and not in the store is staged. */
int parents_stage(struct store_work *w, const struct digest *diff_ids, size_t n, struct err *e);
/* Stages it also when the store has it: 1; 0 when none is needed. */
int parents_stage_anew(struct store_work *w, const struct digest *diff_ids, size_t n,
		       struct digest *name, struct err *e);

/* The layer's root directory in the store, opened, and its name; -1 with ENOENT when there is none. */
int parents_open(const struct store *s, const struct digest *diff_ids, size_t n,
		 struct digest *name, struct err *e);
/* Whether this layer of the store is such a one: there is no blob that it came from. */
bool parents_is(const struct store *s, const char *hex);

#endif
