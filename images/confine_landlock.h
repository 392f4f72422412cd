/*
 * Landlock for the unpacking children: files below "/" may be made, nothing may be executed.
 */
#ifndef CARREL_IMAGES_CONFINE_LANDLOCK_H
#define CARREL_IMAGES_CONFINE_LANDLOCK_H

#include "images/confine.h"

/* 0 when the kernel has none, or one that is too old to allow hard links between directories. */
int confine_landlock_version(void);

/* Without Landlock it does nothing: the pivoted root and the filter bound the child by themselves. */
int confine_landlock(enum confine_kind kind, struct err *e);

#endif
