/*
 * Images from recipes: mmdebstrap makes a root filesystem, the importer takes it.
 */
#ifndef CARREL_IMAGES_BUILD_H
#define CARREL_IMAGES_BUILD_H

#include "images/digest.h"

struct err;
struct store;

/* dir: a recipe's directory. name NULL: the recipe's. Progress goes to stderr. */
int build_recipe(const struct store *s, const char *dir, const char *name, struct digest *out,
		 struct err *e);

#endif
