/*
 * The way back of inflate.h: bytes in, a compressed file out, both sides hashed. The same bytes give the same
 * file: no times, no names, one level.
 */
#ifndef CARREL_IMAGES_PACK_H
#define CARREL_IMAGES_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "images/digest.h"
#include "images/inflate.h"

struct err;

struct pack;
#define auto_pack auto_cleanup(pack_free_ptr)

/* out_fd is borrowed. COMPRESSION_FOREIGN is EINVAL. */
int pack_new(enum compression c, int out_fd, struct pack **out, struct err *e);
void pack_free_ptr(struct pack **p);

int pack_write(struct pack *p, const void *data, size_t n, struct err *e);
/* Ends it: the sha256 of what went in, a layer's diff-id. */
int pack_finish(struct pack *p, struct digest *in, struct err *e);

#endif
