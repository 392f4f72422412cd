/*
 * JSON as a tree in one arena, decoded into structs by tables, and written through a buffer.
 *
 * The only file that knows yajl. Input is untrusted: size, depth and node count are capped, invalid
 * UTF-8, duplicate keys and trailing bytes are errors. Nodes and strings live as long as their
 * document; a struct decoded from it borrows its strings.
 */
#ifndef CARREL_BASE_JSON_H
#define CARREL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

struct err;
struct buf;

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_INT,
	JSON_UINT,
	JSON_REAL,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json {
	enum json_type type;
	uint32_t count;	   /* members or elements; of a string: whether it holds a NUL byte */
	const char *key;   /* in an object: this member's name, else NULL */
	struct json *next; /* sibling, in source order */
	union {
		bool boolean;
		int64_t i;  /* JSON_INT: fits int64 */
		uint64_t u; /* JSON_UINT: above INT64_MAX */
		double real;
		struct {
			const char
				*s; /* NUL-terminated; may hold NUL bytes inside: see count */
			size_t n;
		} str;
		struct {
			struct json *first, *last;
		} kids;
	};
};

struct json_limits {
	size_t bytes; /* of text */
	unsigned depth;
	size_t nodes;
};

/* 1 MiB, 64 levels, 200,000 nodes: more than any config.json or manifest needs. */
extern const struct json_limits json_limits_default;

struct json_doc; /* the arena; root below */
#define auto_json auto_cleanup(json_doc_free_ptr)

/* limits NULL = default. Errors name line and column. *out is the caller's to free. */
int json_parse(const char *text, size_t n, const struct json_limits *limits,
	       struct json_doc **out, struct err *e);
/* Of a text that the document takes, so that its strings need no copy; `text` is empty afterwards, unless it is too long. */
int json_parse_buf(struct buf *text, const struct json_limits *limits, struct json_doc **out,
		   struct err *e);
int json_parse_file(int dirfd, const char *path, const struct json_limits *limits,
		    struct json_doc **out, struct err *e);
struct json *json_root(struct json_doc *doc);
void json_doc_free(struct json_doc *doc);
void json_doc_free_ptr(struct json_doc **doc);

/* NULL when absent or when obj is no object (or NULL). */
struct json *json_get(const struct json *obj, const char *key);
/* The same through several levels: json_find(root, "linux", "resources", NULL). */
struct json *json_find(const struct json *obj, ...) __attribute__((sentinel));
struct json *json_at_index(const struct json *array, size_t i);
/* The elements or members; none when `container` is NULL or neither array nor object. */
#define json_each(it, container)                                                               \
	for (struct json *it = (container) && (container)->type >= JSON_ARRAY                  \
				       ? (container)->kids.first                               \
				       : NULL;                                                 \
	     it; it = it->next)

/* Quick reads with a fallback for absent members; a wrong type counts as absent (for our own files). */
const char *json_str_or(const struct json *obj, const char *key, const char *fallback);
int64_t json_int_or(const struct json *obj, const char *key, int64_t fallback);
bool json_bool_or(const struct json *obj, const char *key, bool fallback);

/* Building and changing. New nodes belong to doc. json_set replaces a member of the same name. */
struct json_doc *json_doc_new(void); /* root: an empty object */
struct json *json_new(struct json_doc *doc, enum json_type type);
struct json *json_new_str(struct json_doc *doc, const char *s);
struct json *json_new_int(struct json_doc *doc, int64_t i);
struct json *json_new_bool(struct json_doc *doc, bool b);
struct json *json_copy(struct json_doc *doc, const struct json *v); /* deep */
void json_set(struct json_doc *doc, struct json *obj, const char *key, struct json *value);
void json_append(struct json *array, struct json *value);
bool json_remove(struct json *obj, const char *key);

/* Compact text of a tree, or two-space indented. */
int json_print(const struct json *v, bool pretty, struct buf *out, struct err *e);

/* ---- decoding by table ---- */

/* Where a value stands, for error messages: "linux.resources.memory.limit", "mounts[3].options[0]". */
struct json_at {
	const struct json_at *up;
	const char *name; /* or, when NULL, an array index */
	size_t index;
};

/* Sets e to "<path>: <fmt>", EINVAL. Always returns -1. */
int json_err(const struct json_at *at, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define json_err(...)                                                                          \
	({                                                                                     \
		json_err(__VA_ARGS__);                                                         \
		-1;                                                                            \
	})

/* Decodes v into the member at `out`. */
typedef int (*json_decode_fn)(const struct json *v, const struct json_at *at, void *out,
			      struct err *e);

enum json_field_flags {
	JSON_REQUIRED = 1 << 0,
	JSON_NULL_IS_ABSENT =
		1 << 1, /* explicit null is skipped, as Go's encoders produce it */
};

struct json_field {
	const char *name;
	json_decode_fn decode;
	size_t offset;
	unsigned flags;
};

/* ANY_CASE: as Go's decoders, whose input this is: unknown members are ignored, but one that is a field's name but for
 * the case of its letters is that field; of two the later counts. */
enum json_unknown { JSON_UNKNOWN_IGNORE, JSON_UNKNOWN_REJECT, JSON_ANY_CASE };

/* v must be an object. Runs the table's rows over its members; `out` must be initialised by the
 * caller with the defaults of absent members. */
int json_decode_object(const struct json *v, const struct json_at *at,
		       const struct json_field *fields, size_t n_fields,
		       enum json_unknown unknown, void *out, struct err *e);

/* Arrays of structs or values: `out` points at struct json_list; elements are calloc'ed in one block
 * that the caller frees with free(list->items), also after an error: what the first elements own is
 * theirs even when a later one is refused (the rest is zero). At most 65,536 elements. */
struct json_list {
	void *items;
	size_t n;
};
int json_decode_list(const struct json *v, const struct json_at *at, size_t elem_size,
		     json_decode_fn decode, struct json_list *out, struct err *e);

/* An array of strings that all go into the one `out`, as words that are flags do: `decode` gets each. */
int json_decode_words(const struct json *v, const struct json_at *at, json_decode_fn decode,
		      void *out, struct err *e);

/* Standard decoders; `out` is of the type in the comment. Strings are borrowed from the document and
 * hold no NUL byte. */
int json_decode_bool(const struct json *v, const struct json_at *at, void *out,
		     struct err *e); /* bool */
int json_decode_i32(const struct json *v, const struct json_at *at, void *out,
		    struct err *e); /* int32_t */
int json_decode_u32(const struct json *v, const struct json_at *at, void *out,
		    struct err *e); /* uint32_t */
int json_decode_i64(const struct json *v, const struct json_at *at, void *out,
		    struct err *e); /* int64_t */
int json_decode_u64(const struct json *v, const struct json_at *at, void *out,
		    struct err *e); /* uint64_t */
/* A count of bytes as a number or with a unit ("512Mi"), above 0; out: uint64_t. Its range is the caller's to check. */
int json_decode_size(const struct json *v, const struct json_at *at, void *out, struct err *e);
int json_decode_str(const struct json *v, const struct json_at *at, void *out,
		    struct err *e); /* const char * */
/* `const char **`, NULL-terminated, malloc'ed array of borrowed strings; the caller frees the array. */
int json_decode_strv(const struct json *v, const struct json_at *at, void *out, struct err *e);
/* Refuses the field: "<path>: not supported by this version". For fields that are known but not built. */
int json_decode_unsupported(const struct json *v, const struct json_at *at, void *out,
			    struct err *e);
/* Accepts anything and keeps the node: `const struct json *`. */
int json_decode_node(const struct json *v, const struct json_at *at, void *out, struct err *e);

/* ---- writing as you go ---- */

/* Errors stick: the first one is returned by json_writer_end, calls after it do nothing. */
struct json_writer;
#define auto_json_writer auto_cleanup(json_writer_free_ptr)
struct json_writer *json_writer_new(struct buf *out, bool pretty);
void json_writer_free_ptr(struct json_writer **w);
void jw_object(struct json_writer *w, const char *key); /* key NULL at the top or in an array */
void jw_array(struct json_writer *w, const char *key);
void jw_close(struct json_writer *w); /* the innermost object or array */
void jw_str(struct json_writer *w, const char *key,
	    const char *s); /* NULL writes null; bad UTF-8 becomes U+FFFD */
/* NULL-terminated; nothing at all when v is NULL. */
/* n bytes, NUL among them too. */
void jw_strn(struct json_writer *w, const char *key, const char *s, size_t n);
void jw_strings(struct json_writer *w, const char *key, const char *const *v);
void jw_int(struct json_writer *w, const char *key, int64_t i);
void jw_uint(struct json_writer *w, const char *key, uint64_t u);
void jw_bool(struct json_writer *w, const char *key, bool b);
void jw_real(struct json_writer *w, const char *key, double d);
void jw_null(struct json_writer *w, const char *key);
void jw_node(struct json_writer *w, const char *key, const struct json *v);
int json_writer_end(struct json_writer *w, struct err *e);

#endif
