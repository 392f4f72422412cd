/*
 * A recipe: what an image is made of, as recipe.yaml says it. Data only; everything that becomes part of
 * a command line is checked here.
 */
#ifndef CARREL_IMAGES_RECIPE_H
#define CARREL_IMAGES_RECIPE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct json;
struct json_doc;

struct recipe_user {
	const char *name, *home, *shell;
	uint32_t uid;
};

/* Strings are borrowed from the document. Lists end with NULL; absent ones are NULL. */
struct recipe {
	const char *name;    /* the image's */
	const char *base;    /* directory of the recipe below this one; NULL: none */
	const char *suite;   /* "bookworm" */
	const char *variant; /* mmdebstrap's */
	const char **components;
	const char **packages;
	const char **exclude, **include; /* dpkg's path-exclude and path-include */
	const char **remove;		 /* globs below the root, removed at the end */
	const struct json *files;	 /* path: text */
	struct recipe_user user;	 /* name NULL: none is made */
	const char **env, **entrypoint, **cmd;
	const char *workdir;
	struct json_doc *doc;
};
#define auto_recipe auto_cleanup(recipe_fini)

/* With a base, suite, variant and components are the base's and may not be given; what is absent of user, cmd,
 * entrypoint and workdir is the base's as well. */
int recipe_parse(const char *text, size_t n, struct recipe *out, struct err *e);
void recipe_fini(struct recipe *r);

#endif
