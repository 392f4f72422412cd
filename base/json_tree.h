/*
 * The inside of JSON documents, for json*.c and yaml.c alone: the arena, and a builder that turns a
 * parser's events into a tree under the limits.
 *
 * Everyone else uses base/json.h.
 */
#ifndef CARREL_BASE_JSON_TREE_H
#define CARREL_BASE_JSON_TREE_H

#include "base/json.h"

/* hint: bytes that the first block should hold; 0 = small. */
struct json_doc *json_doc_alloc(size_t hint);
void json_doc_set_root(struct json_doc *doc, struct json *root);

/* Aborts when memory is gone: what parsers put here is bounded by struct json_limits. */
void *json_arena_alloc(struct json_doc *doc, size_t n);
char *json_arena_strndup(struct json_doc *doc, const char *s, size_t n);

/* What the buffer holds becomes the document's, for strings that stay where they are; returns it. */
char *json_doc_own(struct json_doc *doc, struct buf *text);

/*
 * Events in, tree out. Every json_build_* returns 0 or -1 and then `err` says why, without position:
 * the parser knows that. Values land in the innermost open container, under the pending key. A string that lies in
 * `own` is not copied: it is JSON's own text without escapes, so that its end is a quote, which becomes a NUL byte.
 */
struct json_builder {
	struct json_doc *doc;
	struct json_limits limits;
	struct json **open; /* limits.depth places */
	unsigned depth;
	size_t nodes;
	const char *key;
	char *own; /* the document's text, or NULL */
	size_t own_len;
	struct err *err;
};

void json_build_init(struct json_builder *b, struct json_doc *doc,
		     const struct json_limits *limits, struct err *e);
/* The next value of the builder's place; its union is for the caller to fill. NULL beyond a limit. */
struct json *json_build_value(struct json_builder *b, enum json_type type);
int json_build_str(struct json_builder *b, const char *s, size_t n);
int json_build_key(struct json_builder *b, const char *s, size_t n);
int json_build_open(struct json_builder *b, enum json_type type);
int json_build_close(struct json_builder *b);

/* Text of an integer or a real, in JSON's syntax or YAML's decimal one. */
int json_build_number(struct json_builder *b, const char *s, size_t n);

/* Puts "line 3, column 7" of a byte offset in front of e; columns count characters. Returns -1. */
int json_err_place(const char *text, size_t offset, struct err *e);

#endif
