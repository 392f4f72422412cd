/*
 * The sandbox's range of ids as a user namespace, which idmapped mounts refer to.
 */
#ifndef CARREL_SHIM_IDMAP_H
#define CARREL_SHIM_IDMAP_H

#include <stdint.h>

struct err;

/* A descriptor of a new user namespace that maps 0..count-1 to base.. */
int idmap_userns(uint32_t base, uint32_t count, struct err *e);

#endif
