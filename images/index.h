/*
 * The store's index.json: which manifests are images, and under which names.
 *
 * Replaced atomically, so readers need no lock; changes are serialised by index.lock.
 */
#ifndef CARREL_IMAGES_INDEX_H
#define CARREL_IMAGES_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/digest.h"

struct err;
struct json_writer;
struct store;

struct index_entry {
	char *name; /* NULL: without a name */
	char *media_type;
	struct digest digest; /* of the manifest */
	uint64_t size;
	bool dropped; /* while the index is changed: not written back */
};

struct index {
	struct index_entry *v;
	size_t n;
};
#define auto_index auto_cleanup(index_fini)

/* The lock on changing the index, held until the descriptor is closed. Removes what writers that were
 * killed have left. */
int index_lock(const struct store *s, struct err *e);

int index_load(const struct store *s, struct index *out, struct err *e);
void index_fini(struct index *ix);

/* By a whole digest; else by name, also by another way to write a registry's (docker.io/x for
 * docker.io/library/x:latest, HOST/x:1@DIGEST for HOST/x@DIGEST); else by a registry's name and digest, where the name
 * came with a tag; else by at least six digits of the digest, which have to be unique. NULL with *e (ENOENT) when there
 * is none. */
const struct index_entry *index_find(const struct index *ix, const char *image, struct err *e);
/* The same; *by_name says whether that name alone is meant, or all that the digest has. */
const struct index_entry *index_search(const struct index *ix, const char *image, bool *by_name,
				       struct err *e);
bool index_named(const struct index_entry *en, const char *name);

/* Adds the image. A name moves to it from whatever had it before; without a name it is added only if the
 * digest is not there. */
int index_put(const struct store *s, const struct index_entry *entry, struct err *e);

/* Removes the name, or every entry of the digest. ENOENT when there is none. */
int index_remove(const struct store *s, const char *image, struct err *e);

/* One member of the "manifests" of an index.json; arch NULL: without a platform. */
void index_write_entry(struct json_writer *w, const struct index_entry *en, const char *arch);

/* A name that can stand in an index and on a command line: letters, digits, and . _ - / : @ + [ ] inside; no digest. */
int index_check_name(const char *name, struct err *e);

#endif
