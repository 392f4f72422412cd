#include "base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json_tree.h"

struct reader {
	yaml_parser_t parser;
	struct json_builder build;
	unsigned documents;
	const char *text;
	size_t n;
	struct err *e;
};

static bool one_of(const char *s, size_t n, const char *const *words)
{
	for (; *words; words++) {
		if (strlen(*words) == n && memcmp(*words, s, n) == 0)
			return true;
	}
	return false;
}

static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const trues[] = { "true", "True", "TRUE", NULL };
static const char *const falses[] = { "false", "False", "FALSE", NULL };
static const char *const not_finite[] = {
	".inf",	 ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
	"-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL,
};

static size_t count_digits(const char *s, size_t n, size_t i)
{
	size_t from = i;

	while (i < n && isdigit((unsigned char) s[i]))
		i++;
	return i - from;
}

/* [-+]? ( . digits | digits ( . digits? )? ) ( [eE] [-+]? digits )? */
static bool is_decimal(const char *s, size_t n)
{
	size_t i = n && (*s == '-' || *s == '+'), whole, part = 0;

	whole = count_digits(s, n, i);
	i += whole;
	if (i < n && s[i] == '.') {
		part = count_digits(s, n, i + 1);
		i += 1 + part;
	}
	if (!whole && !part)
		return false;
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		size_t exp;

		i++;
		i += i < n && (s[i] == '-' || s[i] == '+');
		exp = count_digits(s, n, i);
		if (!exp)
			return false;
		i += exp;
	}
	return i == n;
}

/* "0o17" and "0x1F": the base, or 0. */
static unsigned radix_of(const char *s, size_t n)
{
	size_t i = 2;

	if (n < 3 || s[0] != '0' || (s[1] != 'o' && s[1] != 'x'))
		return 0;
	while (i < n &&
	       (s[1] == 'x' ? isxdigit((unsigned char) s[i]) : s[i] >= '0' && s[i] <= '7'))
		i++;
	if (i < n)
		return 0;
	return s[1] == 'x' ? 16 : 8;
}

static int build_radix(struct json_builder *b, const char *s, size_t n, unsigned radix)
{
	uint64_t u = 0;
	struct json *v;

	for (size_t i = 2; i < n; i++) {
		unsigned d = isdigit((unsigned char) s[i])
				     ? (unsigned) (s[i] - '0')
				     : (unsigned) ((s[i] | 32) - 'a' + 10);

		if (__builtin_mul_overflow(u, radix, &u) || __builtin_add_overflow(u, d, &u))
			return err_set(b->err, ERANGE, "the number %.*s is too large",
				       (int) MIN(n, 40u), s);
	}
	v = json_build_value(b, u > INT64_MAX ? JSON_UINT : JSON_INT);
	if (!v)
		return -1;
	v->u = u;
	return 0;
}

/* The YAML 1.2 core schema. */
static bool is_plain_string(const char *s, size_t n)
{
	return !one_of(s, n, nulls) && !one_of(s, n, trues) && !one_of(s, n, falses) &&
	       !one_of(s, n, not_finite) && !is_decimal(s, n) && !radix_of(s, n);
}

static int build_plain(struct json_builder *b, const char *s, size_t n)
{
	bool yes = one_of(s, n, trues);

	if (one_of(s, n, nulls))
		return json_build_value(b, JSON_NULL) ? 0 : -1;
	if (yes || one_of(s, n, falses)) {
		struct json *v = json_build_value(b, JSON_BOOL);

		if (!v)
			return -1;
		v->boolean = yes;
		return 0;
	}
	if (one_of(s, n, not_finite))
		return err_set(b->err, EINVAL, "%.*s is not a number that is accepted here",
			       (int) n, s);
	if (radix_of(s, n))
		return build_radix(b, s, n, radix_of(s, n));
	if (is_decimal(s, n))
		return json_build_number(b, s, n);
	return json_build_str(b, s, n);
}

/* True when the next event is a member's name. */
static bool at_key(const struct json_builder *b)
{
	return b->depth && b->open[b->depth - 1]->type == JSON_OBJECT && !b->key;
}

static int on_scalar(struct reader *r, const yaml_event_t *ev)
{
	const char *s = (const char *) ev->data.scalar.value;
	size_t n = ev->data.scalar.length;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (ev->data.scalar.anchor)
		return err_set(r->e, EINVAL, "anchors are not accepted");
	if (ev->data.scalar.tag)
		return err_set(r->e, EINVAL, "tags are not accepted");
	if (!at_key(&r->build))
		return plain ? build_plain(&r->build, s, n) : json_build_str(&r->build, s, n);
	if (plain && n == 2 && memcmp(s, "<<", 2) == 0)
		return err_set(r->e, EINVAL, "merge keys (<<) are not accepted");
	if (plain && !is_plain_string(s, n))
		return err_set(r->e, EINVAL, "the name \"%.*s\" is not a string: quote it",
			       (int) MIN(n, 80u), s);
	return json_build_key(&r->build, s, n);
}

static int on_open(struct reader *r, enum json_type type, const void *anchor, const void *tag)
{
	if (anchor)
		return err_set(r->e, EINVAL, "anchors are not accepted");
	if (tag)
		return err_set(r->e, EINVAL, "tags are not accepted");
	if (at_key(&r->build))
		return err_set(r->e, EINVAL, "a member's name must be a string");
	return json_build_open(&r->build, type);
}

static int on_document(struct reader *r, const yaml_event_t *ev)
{
	if (ev->data.document_start.tag_directives.start !=
	    ev->data.document_start.tag_directives.end)
		return err_set(r->e, EINVAL, "tags are not accepted");
	if (r->documents++)
		return err_set(r->e, EINVAL, "a second document");
	return 0;
}

static int on_event(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(r, ev);
	case YAML_SCALAR_EVENT:
		return on_scalar(r, ev);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(r, JSON_ARRAY, ev->data.sequence_start.anchor,
			       ev->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_open(r, JSON_OBJECT, ev->data.mapping_start.anchor,
			       ev->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return json_build_close(&r->build);
	case YAML_ALIAS_EVENT:
		return err_set(r->e, EINVAL, "aliases are not accepted");
	default:
		return 0;
	}
}

static int parse_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "not YAML";

	if (p->error == YAML_MEMORY_ERROR)
		return err_set(r->e, ENOMEM, "no memory");
	err_set(r->e, EINVAL, "%s", problem);
	if (p->error == YAML_READER_ERROR)
		return json_err_place(r->text, MIN(p->problem_offset, r->n), r->e);
	return err_wrap(r->e, "line %zu, column %zu", p->problem_mark.line + 1,
			p->problem_mark.column + 1);
}

static int read_events(struct reader *r)
{
	for (;;) {
		yaml_event_t ev;
		bool end;

		if (!yaml_parser_parse(&r->parser, &ev))
			return parse_error(r);
		end = ev.type == YAML_STREAM_END_EVENT;
		if (on_event(r, &ev) < 0) {
			err_wrap(r->e, "line %zu, column %zu", ev.start_mark.line + 1,
				 ev.start_mark.column + 1);
			yaml_event_delete(&ev);
			return -1;
		}
		yaml_event_delete(&ev);
		if (end)
			return 0;
	}
}

int yaml_parse(const char *text, size_t n, struct json_doc **out, struct err *e)
{
	const struct json_limits *limits = &json_limits_default;
	auto_json struct json_doc *doc = NULL;
	struct reader r = { .text = text, .n = n, .e = e };
	int result;

	if (n > limits->bytes)
		return err_set(e, EFBIG, "%zu bytes of YAML; the limit is %zu", n,
			       limits->bytes);
	if (!yaml_parser_initialize(&r.parser))
		return err_set(e, ENOMEM, "no memory");
	yaml_parser_set_input_string(&r.parser, (const unsigned char *) text, n);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);

	doc = json_doc_alloc(2 * n);
	json_build_init(&r.build, doc, limits, e);
	result = read_events(&r);
	yaml_parser_delete(&r.parser);
	if (result < 0)
		return -1;
	if (!json_root(doc))
		json_doc_set_root(doc, json_new(doc, JSON_NULL));
	*out = take_ptr(&doc);
	return 0;
}

int yaml_parse_file(int dirfd, const char *path, struct json_doc **out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(json_limits_default.bytes);

	if (fd_read_file(dirfd, path, json_limits_default.bytes, &text, e) < 0)
		return -1;
	if (yaml_parse(buf_str(&text), buf_len(&text), out, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}
