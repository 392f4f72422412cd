#include "base/json_tree.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"

enum { BLOCK_FIRST = 2048, BLOCK_MAX = 64 * 1024, OF_HINT = 4 };

struct block {
	struct block *next;
	size_t used, size;
	max_align_t data[];
};

struct json_doc {
	struct json *root;
	char *text;	      /* json_doc_own */
	struct block *blocks; /* newest first; only it has room */
	size_t next_size;
};

static void add_block(struct json_doc *doc, size_t size)
{
	struct block *b = malloc(sizeof(*b) + size);

	if (!b)
		abort();
	b->next = doc->blocks;
	b->used = 0;
	b->size = size;
	doc->blocks = b;
}

void *json_arena_alloc(struct json_doc *doc, size_t n)
{
	struct block *b = doc->blocks;
	void *p;

	n = (n + 7) & ~(size_t) 7;
	if (!b || b->size - b->used < n) {
		/* After a first block of the size that was expected a small part of it may be enough. */
		const bool expected = b == NULL && doc->next_size > BLOCK_FIRST;

		add_block(doc, MAX(doc->next_size, n));
		doc->next_size = expected ? MAX(doc->next_size / OF_HINT, (size_t) BLOCK_FIRST)
					  : MIN(doc->next_size * 2, (size_t) BLOCK_MAX);
		b = doc->blocks;
	}
	p = (char *) b->data + b->used;
	b->used += n;
	return p;
}

char *json_arena_strndup(struct json_doc *doc, const char *s, size_t n)
{
	char *p = json_arena_alloc(doc, n + 1);

	if (n)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

struct json_doc *json_doc_alloc(size_t hint)
{
	struct json_doc *doc = xalloc(sizeof(*doc));

	doc->next_size = MIN(MAX(hint, (size_t) BLOCK_FIRST), (size_t) BLOCK_MAX);
	return doc;
}

struct json_doc *json_doc_new(void)
{
	struct json_doc *doc = json_doc_alloc(0);

	doc->root = json_new(doc, JSON_OBJECT);
	return doc;
}

char *json_doc_own(struct json_doc *doc, struct buf *text)
{
	doc->text = buf_take_str(text);
	return doc->text;
}

void json_doc_set_root(struct json_doc *doc, struct json *root)
{
	doc->root = root;
}

struct json *json_root(struct json_doc *doc)
{
	return doc->root;
}

void json_doc_free(struct json_doc *doc)
{
	int saved = errno;

	if (!doc)
		return;
	for (struct block *b = doc->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(doc->text);
	free(doc);
	errno = saved;
}

void json_doc_free_ptr(struct json_doc **doc)
{
	json_doc_free(*doc);
	*doc = NULL;
}

/* ---- reading ---- */

struct json *json_get(const struct json *obj, const char *key)
{
	if (!obj || obj->type != JSON_OBJECT)
		return NULL;
	json_each (m, obj) {
		if (m->key[0] == key[0] && strcmp(m->key, key) == 0)
			return m;
	}
	return NULL;
}

struct json *json_find(const struct json *obj, ...)
{
	struct json *v = (struct json *) obj;
	const char *key;
	va_list ap;

	va_start(ap, obj);
	while (v && (key = va_arg(ap, const char *)))
		v = json_get(v, key);
	va_end(ap);
	return v;
}

struct json *json_at_index(const struct json *array, size_t i)
{
	if (!array || array->type != JSON_ARRAY)
		return NULL;
	json_each (v, array) {
		if (i-- == 0)
			return v;
	}
	return NULL;
}

const char *json_str_or(const struct json *obj, const char *key, const char *fallback)
{
	const struct json *v = json_get(obj, key);

	return v && v->type == JSON_STRING ? v->str.s : fallback;
}

int64_t json_int_or(const struct json *obj, const char *key, int64_t fallback)
{
	const struct json *v = json_get(obj, key);

	return v && v->type == JSON_INT ? v->i : fallback;
}

bool json_bool_or(const struct json *obj, const char *key, bool fallback)
{
	const struct json *v = json_get(obj, key);

	return v && v->type == JSON_BOOL ? v->boolean : fallback;
}

/* ---- building by hand ---- */

struct json *json_new(struct json_doc *doc, enum json_type type)
{
	struct json *v = json_arena_alloc(doc, sizeof(*v));

	*v = (struct json){ .type = type };
	if (type == JSON_STRING)
		v->str.s = "";
	return v;
}

struct json *json_new_str(struct json_doc *doc, const char *s)
{
	struct json *v = json_new(doc, JSON_STRING);

	v->str.n = strlen(s);
	v->str.s = json_arena_strndup(doc, s, v->str.n);
	return v;
}

struct json *json_new_int(struct json_doc *doc, int64_t i)
{
	struct json *v = json_new(doc, JSON_INT);

	v->i = i;
	return v;
}

struct json *json_new_bool(struct json_doc *doc, bool b)
{
	struct json *v = json_new(doc, JSON_BOOL);

	v->boolean = b;
	return v;
}

void json_append(struct json *array, struct json *value)
{
	if (array->kids.last)
		array->kids.last->next = value;
	else
		array->kids.first = value;
	array->kids.last = value;
	array->count++;
}

struct json *json_copy(struct json_doc *doc, const struct json *v)
{
	struct json *c = json_new(doc, v->type);

	switch (v->type) {
	case JSON_STRING:
		c->str.s = json_arena_strndup(doc, v->str.s, v->str.n);
		c->str.n = v->str.n;
		c->count = v->count;
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		json_each (kid, v) {
			struct json *k = json_copy(doc, kid);

			if (kid->key)
				k->key = json_arena_strndup(doc, kid->key, strlen(kid->key));
			json_append(c, k);
		}
		break;
	default:
		c->u = v->u; /* the union's widest plain member: covers the others */
		break;
	}
	return c;
}

/* The pointer that leads to the member, and the member before it. */
static struct json **find_link(struct json *obj, const char *key, struct json **before)
{
	struct json **link = &obj->kids.first;

	*before = NULL;
	while (*link && strcmp((*link)->key, key) != 0) {
		*before = *link;
		link = &(*link)->next;
	}
	return link;
}

void json_set(struct json_doc *doc, struct json *obj, const char *key, struct json *value)
{
	struct json *before, **link = find_link(obj, key, &before), *old = *link;

	if (!old) {
		value->key = json_arena_strndup(doc, key, strlen(key));
		json_append(obj, value);
		return;
	}
	value->key = old->key;
	value->next = old->next;
	*link = value;
	if (obj->kids.last == old)
		obj->kids.last = value;
}

bool json_remove(struct json *obj, const char *key)
{
	struct json *before, **link = find_link(obj, key, &before), *old = *link;

	if (!old)
		return false;
	*link = old->next;
	if (obj->kids.last == old)
		obj->kids.last = before;
	obj->count--;
	return true;
}
