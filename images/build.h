/*
 * Images from recipes: mmdebstrap makes a root filesystem, the importer takes it.
 */
#ifndef CARREL_IMAGES_BUILD_H
#define CARREL_IMAGES_BUILD_H

#include "images/digest.h"
#include "images/layer.h"

struct err;
struct store;

/* dir: a recipe's directory. name NULL: the recipe's. format: of the layers that are made. Progress goes to stderr. */
int build_recipe(const struct store *s, const char *dir, const char *name,
		 enum layer_format format, struct digest *out, struct err *e);

#endif
