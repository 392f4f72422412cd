/*
 * Is the store what it says it is? Everything is read again and compared with its name.
 *
 *   blob    hashed; its name is its digest
 *   image   manifest and configuration parse, and every blob and layer that they name is there
 *   layer   unpacked anew from its blob, in the same confinement as at first; the stream has to hash to
 *           the diff-id, and the tree that comes out has to be the tree that is there, file by file (treecmp.h)
 *
 * A tree cannot be turned back into the very tar that it came from, so the second unpacking is the proof; it
 * needs a writable store. Who only reads one gets blobs and images checked.
 */
#ifndef CARREL_IMAGES_VERIFY_H
#define CARREL_IMAGES_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct store;

struct verify_finding {
	const char *object; /* "blob sha256:...", "layer sha256:...", "image NAME" */
	const char *what;   /* what is wrong with it */
	const char *repair; /* what was done about it; NULL: nothing */
};

struct verify_options {
	/* Broken blobs are removed, so that an import brings them again; broken layers are replaced by what
	 * their blobs unpack to, unless a sandbox runs on them. */
	bool repair;
	void (*found)(void *arg, const struct verify_finding *f);
	void *arg;
};

struct verify_result {
	uint64_t blobs, layers, images; /* looked at */
	uint64_t bytes;			/* of the blobs */
	uint64_t broken;		/* objects */
	uint64_t repaired;		/* of these: layers that are whole again */
	bool layers_skipped;
};

/* The store may be open in any way but STORE_WORK. An error: it could not be looked at. What is broken is no
 * error, but a finding. */
int verify_store(const struct store *s, const struct verify_options *o,
		 struct verify_result *out, struct err *e);

#endif
