/*
 * A YAML file as a JSON tree: operators write YAML, every decoder reads the same nodes.
 *
 * Plain scalars become null, bool, integer, real or string by the YAML 1.2 core schema; quoted ones are
 * strings. One document; anchors, aliases, tags, merge keys, non-string keys and duplicate keys are
 * refused with line and column. Limits as for JSON.
 */
#ifndef CARREL_BASE_YAML_H
#define CARREL_BASE_YAML_H

#include <stddef.h>

struct err;
struct json_doc;

int yaml_parse(const char *text, size_t n, struct json_doc **out, struct err *e);
int yaml_parse_file(int dirfd, const char *path, struct json_doc **out, struct err *e);

#endif
