/*
 * An image's configuration: what to run as whom, and the digests of its unpacked layers.
 */
#ifndef CARREL_IMAGES_IMAGECONFIG_H
#define CARREL_IMAGES_IMAGECONFIG_H

#include <stddef.h>

#include "images/digest.h"

struct err;
struct json_doc;

/* Strings are borrowed from the document; absent ones are NULL. */
struct imageconfig {
	const char *os, *arch, *created;
	const char *user;
	const char *workdir;
	const char **env; /* "NAME=value"; NULL when absent, else NULL-terminated */
	const char **entrypoint;
	const char **cmd;
	struct digest *diff_ids;
	size_t n_diff_ids;
	struct json_doc *doc;
};
#define auto_imageconfig auto_cleanup(imageconfig_fini)

/* Checks: linux, diff_ids valid, every environment string NAME=value with a plain name. Labels, volumes,
 * ports and health checks are not looked at: an image does not configure the host. */
int imageconfig_parse(const char *text, size_t n, struct imageconfig *out, struct err *e);
void imageconfig_fini(struct imageconfig *c);

/* Go's name of the machine this runs on ("amd64"). */
const char *imageconfig_host_arch(void);

/* "NAME=value" with NAME made of letters, digits and "_", not beginning with a digit, and a value without
 * control characters other than tab and newline. */
int imageconfig_check_env(const char *s, struct err *e);

#endif
