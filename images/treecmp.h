/*
 * Are two directories the same to everybody who looks into them?
 *
 * Compared: names, types, modes, owners, devices, sizes, link targets, modification times (not those of
 * directories, which an archive need not say, nor of whiteouts), which names are hard links of each other, extended
 * attributes, contents. Nothing is followed.
 */
#ifndef CARREL_IMAGES_TREECMP_H
#define CARREL_IMAGES_TREECMP_H

#include <sys/types.h>

struct err;

enum { TREECMP_SAME = 0, TREECMP_DIFFERENT = 1 };

/* TREECMP_DIFFERENT with what differs first, and where, in *why; -1 when it cannot be told. */
int treecmp(int a_fd, int b_fd, struct err *why, struct err *e);

/* The same for one name that both directories have, but for times and what lies below it. a_links: how many
 * names it counts as having in the first. */
int treecmp_name(int a_fd, int b_fd, const char *name, nlink_t a_links, struct err *why,
		 struct err *e);

#endif
