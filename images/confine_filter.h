/*
 * The seccomp filters of the unpacking children: an allow-list each, everything else ends the child.
 */
#ifndef CARREL_IMAGES_CONFINE_FILTER_H
#define CARREL_IMAGES_CONFINE_FILTER_H

#include "images/confine.h"

/* Needs no_new_privs. */
int confine_filter(enum confine_kind kind, struct err *e);

#endif
