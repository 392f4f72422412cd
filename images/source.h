/*
 * Where an image comes from: a directory or an archive, told apart by content, never by name.
 */
#ifndef CARREL_IMAGES_SOURCE_H
#define CARREL_IMAGES_SOURCE_H

#include <stdbool.h>

#include "images/blob.h"
#include "images/inflate.h"
#include "images/limits.h"

struct err;
struct buf;
struct store_work;

enum source_kind { SOURCE_ANY, SOURCE_OCI, SOURCE_DOCKER, SOURCE_ROOTFS };

/* "oci", "docker-archive", "rootfs". */
int source_kind_parse(const char *s, enum source_kind *out, struct err *e);

struct source {
	enum source_kind kind;
	int dir_fd;  /* SOURCE_OCI, SOURCE_DOCKER: the files */
	bool own;    /* they are in our work directory: nobody else writes to them */
	int file_fd; /* SOURCE_ROOTFS: the archive, at its beginning */
	bool own_file;
	enum compression compression; /* SOURCE_ROOTFS */
};
#define SOURCE_NONE ((struct source){ .dir_fd = -1, .file_fd = -1 })
#define auto_source auto_cleanup(source_close)

/* want SOURCE_ANY: by content. An archive of images is unpacked into the work directory for that. */
int source_open(struct store_work *w, const char *path, enum source_kind want,
		const struct image_limits *limits, struct source *out, struct err *e);
void source_close(struct source *s);

/* A small file of the source (index.json, manifest.json, a config) into out. */
int source_read(const struct source *s, const char *path, struct buf *out, struct err *e);
/* A file of the source becomes a staged blob; expect and limit as in blob_stage_fd. */
int source_stage(const struct source *s, struct store_work *w, const char *path,
		 const struct blob *expect, const struct image_limits *limits, struct blob *out,
		 struct err *e);

#endif
