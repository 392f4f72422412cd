/*
 * Between the spec*.c files: the decoders of config.json's parts, and memory that lives as long as the spec.
 *
 * The outermost json_at of a decode is embedded in a spec_root, so that a decoder that allocates finds the
 * spec that will own the block. Nobody outside spec*.c includes this.
 */
#ifndef CARREL_RUNTIME_SPEC_PARTS_H
#define CARREL_RUNTIME_SPEC_PARTS_H

#include "base/json.h"
#include "base/util.h"

struct spec;

struct spec_root {
	struct json_at at; /* first: up is NULL */
	struct spec *spec;
};

struct spec *spec_of(const struct json_at *at);
/* Frees p with the spec. Accepts NULL. */
void spec_keep(const struct json_at *at, void *p);
void spec_own(struct spec *s, void *p);
void spec_warn(const struct json_at *at, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* json_decode_list and json_decode_strv whose memory the spec owns. */
int spec_list(const struct json *v, const struct json_at *at, size_t elem_size,
	      json_decode_fn decode, struct json_list *out, struct err *e);
int spec_strv(const struct json *v, const struct json_at *at, void *out, struct err *e);
/* An object whose members are all strings, as pairs of pointers {key, value} (struct spec_pair). */
struct spec_pair {
	const char *key, *value;
};
int spec_pairs(const struct json *v, const struct json_at *at, struct json_list *out,
	       struct err *e);
/* For what the spec has and we have not: null, {} and [] ask for nothing and pass. */
int spec_unsupported(const struct json *v, const struct json_at *at, void *out, struct err *e);

/* One of n names: the matching row's value. */
struct spec_name {
	const char *name;
	uint64_t value;
};
int spec_name_decode(const struct json *v, const struct json_at *at,
		     const struct spec_name *names, size_t n, uint64_t *out, struct err *e);

#define SPEC_FIELDS(t) (t), ARRAY_SIZE(t), JSON_ANY_CASE
#define SPEC_OPTIONAL  JSON_NULL_IS_ABSENT
#define SPEC_STR(n, s, m)                                                                      \
	{                                                                                      \
		n, json_decode_str, offsetof(struct s, m), SPEC_OPTIONAL                       \
	}

/* Decoders; `out` is what the comment says. */
int spec_decode_process(const struct json *v, const struct json_at *at, void *out,
			struct err *e); /* struct process_spec */
int spec_decode_mounts(const struct json *v, const struct json_at *at, void *out,
		       struct err *e); /* struct spec */
int spec_decode_hooks(const struct json *v, const struct json_at *at, void *out,
		      struct err *e); /* struct hooks_spec */
int spec_decode_linux(const struct json *v, const struct json_at *at, void *out,
		      struct err *e); /* struct spec */
int spec_decode_inherited(const struct json *v, const struct json_at *at, void *out,
			  struct err *e); /* struct spec */
int spec_decode_resources(const struct json *v, const struct json_at *at, void *out,
			  struct err *e); /* struct cgroup_resources */
int spec_decode_blkio(const struct json *v, const struct json_at *at, void *out,
		      struct err *e); /* struct cgroup_blkio */
int spec_decode_rdma(const struct json *v, const struct json_at *at, void *out,
		     struct err *e); /* struct cgroup_resources */
int spec_decode_network(const struct json *v, const struct json_at *at, void *out,
			struct err *e); /* struct cgroup_network */
/* int64 that 0 leaves unset. */
int spec_decode_limit(const struct json *v, const struct json_at *at, void *out, struct err *e);
int spec_decode_seccomp(const struct json *v, const struct json_at *at, void *out,
			struct err *e); /* struct filter_spec */
int spec_decode_netdevs(const struct json *v, const struct json_at *at, void *out,
			struct err *e); /* struct spec */
/* One annotation: what is ours to honour, to refuse or to warn of. Those that change what other fields say act only with
 * spec_apply_annotations, when all are read. */
int spec_take_annotation(const struct json *v, const struct json_at *at, struct err *e);
void spec_apply_annotations(struct spec *s);
/* The value of the annotation io.carrel.network: fills in spec_of(at). */
int spec_take_network(const struct json *v, const struct json_at *at, struct err *e);
int spec_check_network(const struct spec *s, struct err *e);
int spec_decode_idmap(const struct json *v, const struct json_at *at, void *out,
		      struct err *e); /* struct idmap */

#endif
