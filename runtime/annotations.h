/* Annotations that are more than text to this runtime; spec_annotations.c says what each does. */
#ifndef CARREL_RUNTIME_ANNOTATIONS_H
#define CARREL_RUNTIME_ANNOTATIONS_H

/* crun's: the additional groups of the caller stay, those of process.user are not set. */
#define KEEP_GROUPS_ANNOTATION "run.oci.keep_original_groups"

/* What an engine must not pass on from those that it does not trust, NULL-terminated; a name that ends in a dot stands
 * for all that begin with it. */
extern const char *const annotation_unsafe[];

#endif
