/*
 * What carrel-registry gives away before it speaks to anybody: other users' rights, files, programs, most of the
 * kernel. What stays: the network, the resolver's files, its descriptors.
 */
#ifndef CARREL_IMAGES_REGISTRY_HARDEN_H
#define CARREL_IMAGES_REGISTRY_HARDEN_H

struct err;

/* After everything that loads libraries. What the kernel refuses is an error; Landlock alone may be absent. */
int harden(struct err *e);

#endif
