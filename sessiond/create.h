/*
 * What POST /v1/sandboxes may ask for, decoded and checked against the asker's tier. Pure.
 *
 * Everything that will stand in another program's argument list is checked here for its form: nothing
 * begins with a dash, nothing holds a character that its place does not need.
 */
#ifndef CARREL_SESSIOND_CREATE_H
#define CARREL_SESSIOND_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct json;
struct tier;

enum {
	CREATE_ARGS_MAX = 256,
	CREATE_ENV_MAX = 100,
	CREATE_LABELS_MAX = 32,
	CREATE_SIZE_MAX = 1000, /* columns, rows */
	EXEC_TIMEOUT_MAX_S = 3600,
	EXEC_OUTPUT_MAX = 512 * 1024, /* six times as much in JSON at worst: below REPLY_MAX */
	EXEC_OUTPUT_DEFAULT = 256 * 1024,
};

/* Strings are borrowed from the document; the two arrays are create_fini's. */
struct create {
	const char *image, *tier, *cwd, *user;
	const char
		*policy; /* the tier's, or what was asked for where it has none; NULL: none */
	const char **command; /* NULL-terminated; NULL: the image's */
	char **env;	      /* "K=V" */
	const struct json *labels;
	/* The volume; name NULL: a tmpfs. */
	struct create_workspace {
		const char *name;
		bool none; /* null was asked for */
	} workspace;
	uint32_t cols, rows;
	uint64_t idle_ms, lifetime_ms;
};

/* Fills in what the tier allows where the body is silent. default_image NULL: `image` is required. EACCES: another policy than the
 * tier's. Whether there is such a policy is the caller's to ask (policies_has). */
int create_decode(const struct json *body, const struct tier *tier, const char *default_image,
		  struct create *out, struct err *e);
void create_fini(struct create *c);

/* What POST .../exec and POST .../terminals may ask for: strings borrowed, arrays exec_body_fini's. */
struct exec_body {
	const char **command;
	char **env;
	const char *cwd, *user, *tag, *input;
	uint32_t cols, rows;
	uint64_t timeout_ms, output_limit;
	bool terminal;
};
int exec_decode(const struct json *body, struct exec_body *out, struct err *e);
int terminal_decode(const struct json *body, struct exec_body *out, struct err *e);
void exec_body_fini(struct exec_body *b);

struct resize {
	uint32_t cols, rows;
};
int resize_decode(const struct json *body, struct resize *out, struct err *e);

/* How long a sandbox is to live at least, from now; 0: as long as its tier gives. */
int extend_decode(const struct json *body, uint64_t *ms, struct err *e);

#endif
