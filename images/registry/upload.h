/*
 * The steps of an upload: begun by POST (or over at once, when the registry has the blob elsewhere and mounts it),
 * content by one PUT or in parts by PATCH, named by the PUT that ends it.
 */
#ifndef CARREL_IMAGES_REGISTRY_UPLOAD_H
#define CARREL_IMAGES_REGISTRY_UPLOAD_H

#include "images/registry/job.h"

int upload_first(struct job *j, struct err *e);
void upload_prepare(struct job *j, struct http *h);
/* A step has succeeded. */
int upload_went(struct job *j, struct err *e);
/* Something has to be done again: all of it, for the registry may have forgotten the session. */
void upload_rewind(struct job *j);

/* job.c's, for here */
void job_done(struct job *j, enum registry_outcome outcome);
void job_go(struct job *j, enum job_step step);
void job_again(struct job *j, const struct err *why);

#endif
