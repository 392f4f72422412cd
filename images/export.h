/*
 * Images of the store as files for others: an OCI layout (directory or tar) or a docker-archive. The same images make
 * the same bytes, whenever and wherever: entries are sorted, owned by 0 and of the year 1970.
 */
#ifndef CARREL_IMAGES_EXPORT_H
#define CARREL_IMAGES_EXPORT_H

#include <stddef.h>

struct err;
struct store;

enum export_format { EXPORT_OCI, EXPORT_DOCKER };

/* "oci", "docker". */
int export_format_parse(const char *s, enum export_format *out, struct err *e);

/* to: an existing directory, which has to be empty, or a name that ends in "/": a directory. "-": standard output. Anything
 * else: a tar file, replaced at the end if it is there. Of what fails nothing stays. Layers stay compressed as they are. Every blob's digest is checked. */
int export_images(const struct store *s, const char *const *images, size_t n,
		  enum export_format format, const char *to, struct err *e);

/* The file that is written until the archive is whole; NULL: there is none for this destination. malloc'ed. */
char *export_partial(const char *to);

#endif
