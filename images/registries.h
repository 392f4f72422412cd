/*
 * registries.yaml: how registries are reached, where short names go.
 *
 *   default: docker.io
 *   registries:
 *     docker.io:
 *       mirrors: [mirror.example.org/hub]
 *     mirror.example.org:
 *       ca: /etc/ssl/mirror.pem
 *     127.0.0.1:5000:
 *       plain: true
 */
#ifndef CARREL_IMAGES_REGISTRIES_H
#define CARREL_IMAGES_REGISTRIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"
#include "images/reference.h"

struct err;
struct json_doc;

enum { REGISTRIES_MIRRORS = 8 };

/* Strings are borrowed from the document. */
struct registry_entry {
	const char *host;
	bool plain;	/* HTTP without TLS */
	const char *ca; /* PEM file with the certificates to believe, instead of the system's */
	const char **mirrors; /* HOST[/PREFIX], in order; NULL: none */
};

struct registries {
	const char *default_host; /* NULL: short names are refused */
	struct registry_entry *v;
	size_t n;
	struct json_doc *doc;
};
#define auto_registries auto_cleanup(registries_fini)

/* file NULL: the first that is there of /etc/carrel/registries.yaml and share/carrel's; none at all is no error. */
int registries_load(const char *file, const char *prefix, struct registries *out,
		    struct err *e);
int registries_parse(const char *text, size_t n, struct registries *out, struct err *e);
void registries_fini(struct registries *r);

/* Where a reference is to be had: mirrors first, the registry itself last. */
struct endpoint {
	char host[REFERENCE_HOST + 1]; /* to connect to */
	char repo[REFERENCE_REPO + 1];
	const char *
		key; /* whose credentials and certificates: the host as it is written in files */
	bool plain, mirror;
	const char *ca;
};
/* out has room for REGISTRIES_MIRRORS + 1; returns how many. */
size_t registries_endpoints(const struct registries *r, const struct reference *ref,
			    struct endpoint *out);

#endif
