/*
 * carrel-scan: the program that looks at a sandbox's bytes. The shim starts one for each sandbox under a policy; an operator
 * checks a policies file with it; the daemon has it compile one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/opt.h"
#include "base/util.h"
#include "base/yaml.h"
#include "shim/scan/print.h"
#include "shim/scan/rules.h"
#include "shim/scan/seal.h"
#include "shim/scan/serve.h"
#include "shim/scan/stream.h"
#include "shim/scan_key.h"
#include "shim/scan_talk.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, FOUND = 3, FILE_LIMIT = 8 << 20, SOCKET_FD = 3 };

struct options {
	const char *check, *compile, *into, *policy, *direction, *serve, *key;
	int64_t key_fd;
	bool masked, man;
};

static const struct opt options[] = {
	{ "check", 0, OPT_STRING, offsetof(struct options, check), "FILE",
	  "check a policies file; with --policy, say what that one finds in standard input" },
	{ "policy", 0, OPT_STRING, offsetof(struct options, policy), "NAME",
	  "the policy to look with" },
	{ "direction", 0, OPT_STRING, offsetof(struct options, direction), "WORD",
	  "take the text as out (default), in or upload" },
	{ "masked", 0, OPT_SWITCH, offsetof(struct options, masked), NULL,
	  "write the text as it would go on to standard output, the findings to standard error" },
	{ "key", 0, OPT_STRING, offsetof(struct options, key), "FILE",
	  "say each finding's fingerprint under this host's key (STATE-DIR/policy.key)" },
	{ "compile", 0, OPT_STRING, offsetof(struct options, compile), "FILE",
	  "check a policies file and write each policy, compiled, into a directory" },
	{ "into", 0, OPT_STRING, offsetof(struct options, into), "DIR", "the directory" },
	{ "serve", 0, OPT_STRING, offsetof(struct options, serve), "DIR/NAME",
	  "serve a shim on descriptor 3 with a compiled policy" },
	{ "key-fd", 0, OPT_INT, offsetof(struct options, key_fd), "N",
	  "with --serve: findings have fingerprints under the key in this descriptor" },
	{ "man", 0, OPT_SWITCH, offsetof(struct options, man), NULL,
	  "print the manual page's source" },
	{ 0 }
};

static const struct opt_program program = {
	.name = "carrel-scan",
	.summary = "find and hide secrets in the bytes of terminals",
	.text = "Checks the rules of a policies file (docs/policies.md), and says what they find in a text:\n"
		"\n"
		"  carrel-scan --check policies.yaml --policy secrets < log\n"
		"\n"
		"prints one line for each finding: the rule, its action, where it begins (bytes from the start of the "
		"text) and how many characters it has; with --key the fingerprint, by which the same secret is found in an audit log. The rest is for other programs: carrel-sessiond has the file compiled "
		"at its start, and carrel-shim starts one scanner for each sandbox under a policy, which gives up all rights "
		"before it reads the first byte.\n"
		"\n"
		"Exit status: 0 when the file is good and nothing was found, 1 when it is not good, 2 for a wrong command "
		"line, 3 when something was found.",
	.opts = options,
	.section = 8,
};

static int complain(const struct err *e, int status)
{
	(void) fprintf(stderr, "carrel-scan: %s\n", e->msg);
	return status;
}

static int show(enum opt_result what)
{
	auto_buf struct buf text = BUF_LIMIT(65536);
	struct err e = ERR_NONE;

	if (opt_render(&program, what, NULL, &text, &e) < 0)
		return complain(&e, EXIT_FAILED);
	return fputs(buf_str(&text), stdout) < 0;
}

/* ---- a file of policies ---- */

static int load(const char *path, const char *name, struct rules *out, struct err *e)
{
	struct json_doc *doc = NULL;

	if (yaml_parse_file(AT_FDCWD, path, &doc, e) < 0)
		return err_wrap(e, "policies");
	return rules_compile(doc, name, NULL, 0, out, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* fn for each policy of the file. */
static int each_policy(const char *path, int (*fn)(void *, const struct rules *, struct err *),
		       void *arg, struct err *e)
{
	auto_json struct json_doc *doc = NULL;
	struct policies all;
	int r = 0;

	if (yaml_parse_file(AT_FDCWD, path, &doc, e) < 0)
		return err_wrap(e, "policies");
	if (policies_decode(doc, &all, e) < 0)
		return err_wrap(e, "%s", path);
	for (size_t i = 0; i < all.n && r == 0; i++) {
		struct rules rules;

		r = load(path, all.v[i].name, &rules, e);
		if (r < 0)
			break;
		r = fn(arg, &rules, e);
		rules_fini(&rules);
	}
	policies_fini(&all);
	return r;
}

static int say_good(void *arg, const struct rules *r, struct err *e)
{
	return printf("%s: %zu rules\n", r->policy->name, r->n) < 0 ? err_sys(e, "stdout") : 0;
}

static int write_policy(void *arg, const struct rules *r, struct err *e)
{
	auto_free char *json = xasprintf("%s.json", r->policy->name);
	auto_free char *db = xasprintf("%s.hs", r->policy->name);
	auto_buf struct buf text = BUF_LIMIT(FILE_LIMIT), bytes = BUF_LIMIT(FILE_LIMIT);
	const int *dir = arg;

	if (policy_print(r->policy, &text, e) < 0 || rules_database(r, &bytes, e) < 0 ||
	    fd_write_atomic(*dir, db, buf_bytes(&bytes), buf_len(&bytes), 0600, false, e) < 0)
		return -1;
	return fd_write_atomic(*dir, json, buf_bytes(&text), buf_len(&text), 0600, false, e);
}

static int compile(const char *file, const char *into, struct err *e)
{
	auto_close int dir = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, "%s", into);
	return each_policy(file, write_policy, &dir, e);
}

/* ---- fingerprints ---- */

static int read_key(int fd, struct print_key *out, struct err *e)
{
	uint8_t key[SCAN_KEY];
	int r = scan_key_read(fd, key, e);

	if (r == 0)
		print_key_set(out, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return r;
}

static int load_key(const char *path, struct print_key *out, struct err *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "%s", path) : read_key(fd, out, e);
}

/* ---- a text ---- */

struct reading {
	const struct rules *rules;
	FILE *to;
	bool found;
};

static void say_found(void *arg, const struct stream_event *ev)
{
	struct reading *r = arg;
	const struct policy_rule *p = r->rules->v[ev->rule].policy;

	r->found = true;
	(void) fprintf(r->to, "%s %s %llu %u%s%s\n", p->id, policy_action_name(p->action),
		       (unsigned long long) ev->offset, ev->characters,
		       ev->fingerprint[0] ? " " : "", ev->fingerprint);
}

static int pour(struct buf *out, bool wanted, struct err *e)
{
	int r = wanted ? fd_write_all(STDOUT_FILENO, buf_bytes(out), buf_len(out), e) : 0;

	buf_clear(out);
	return r;
}

static int read_all(struct stream *s, bool masked, struct err *e)
{
	auto_buf struct buf out = BUF_LIMIT(FILE_LIMIT);
	uint8_t bytes[8192];
	ssize_t n;

	while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
		if (stream_feed(s, bytes, (size_t) n, 0, &out, e) < 0 ||
		    pour(&out, masked, e) < 0)
			return -1;
	if (n < 0)
		return err_sys(e, "stdin");
	return stream_finish(s, &out, e) < 0 ? -1 : pour(&out, masked, e);
}

static int parse_direction(const char *word, enum policy_direction *out, struct err *e)
{
	for (enum policy_direction d = POLICY_OUT; d < POLICY_DIRECTIONS; d++)
		if (!word || strcmp(word, policy_direction_name(d)) == 0) {
			*out = d;
			return 0;
		}
	return err_set(e, EINVAL, "--direction: \"%s\" is none of out, in, upload", word);
}

static int look(const struct options *o, bool *found, struct err *e)
{
	struct rules rules;
	struct reading r = { .rules = &rules, .to = o->masked ? stderr : stdout };
	struct stream_spec spec = { .rules = &rules, .fn = say_found, .arg = &r };
	struct print_key key;
	struct stream *s;
	int result;

	if (o->key && load_key(o->key, &key, e) < 0)
		return -1;
	spec.key = o->key ? &key : NULL;
	if (parse_direction(o->direction, &spec.direction, e) < 0 ||
	    load(o->check, o->policy, &rules, e) < 0)
		return -1;
	result = stream_new(&spec, &s, e);
	if (result == 0)
		result = read_all(s, o->masked, e);
	if (result == 0)
		stream_free(s);
	rules_fini(&rules);
	*found = r.found;
	return result;
}

/* ---- for a shim ---- */

static int load_compiled(const char *path, struct rules *out, struct err *e)
{
	auto_free char *json = xasprintf("%s.json", path), *db = xasprintf("%s.hs", path);
	auto_buf struct buf bytes = BUF_LIMIT(FILE_LIMIT);
	const char *name = strrchr(path, '/');
	struct json_doc *doc = NULL;

	if (json_parse_file(AT_FDCWD, json, NULL, &doc, e) < 0)
		return -1;
	if (fd_read_file(AT_FDCWD, db, FILE_LIMIT, &bytes, e) < 0) {
		json_doc_free(doc);
		return -1;
	}
	return rules_compile(doc, name ? name + 1 : path, buf_bytes(&bytes), buf_len(&bytes),
			     out, e);
}

static int serve(const char *path, int key_fd)
{
	struct scan_head head = { .kind = SCAN_FAILED };
	struct err e = ERR_NONE, ignored = ERR_NONE;
	struct print_key key;
	struct rules rules;

	if ((key_fd < 0 || read_key(key_fd, &key, &e) == 0) &&
	    load_compiled(path, &rules, &e) == 0 && seal(SOCKET_FD, &e) == 0 &&
	    serve_front(&rules, key_fd < 0 ? NULL : &key, SOCKET_FD, &e) == 0)
		_exit(0);
	head.n = (uint32_t) strlen(e.msg);
	(void) scan_send(SOCKET_FD, &head, e.msg, &ignored); /* it may be gone */
	_exit(EXIT_FAILED); /* the libraries' own ends need calls that are forbidden now */
}

/* ---- the command line ---- */

static int run(const struct options *o)
{
	struct err e = ERR_NONE;
	bool found = false;
	int r;

	if (o->compile)
		r = compile(o->compile, o->into, &e);
	else if (o->policy)
		r = look(o, &found, &e);
	else
		r = each_policy(o->check, say_good, NULL, &e);
	if (r < 0)
		return complain(&e, EXIT_FAILED);
	return found ? FOUND : 0;
}

int main(int argc, char **argv)
{
	struct options o = { .key_fd = -1 };
	struct opt_parsed parsed = { 0 };
	struct err e = ERR_NONE;
	int r = opt_parse(&program, argc, argv, &o, &parsed, &e);
	size_t n = parsed.n_operands;

	opt_parsed_fini(&parsed);
	if (r < 0)
		return complain(&e, EXIT_USAGE);
	if (r != OPT_RUN || o.man)
		return show(o.man ? OPT_MAN : (enum opt_result) r);
	if (n > 0 || !o.check + !o.compile + !o.serve != 2 || !o.compile != !o.into) {
		(void) err_set(
			&e, EINVAL,
			"one of --check FILE and --compile FILE --into DIR is needed, and no operand");
		return complain(&e, EXIT_USAGE);
	}
	return o.serve ? serve(o.serve, (int) o.key_fd) : run(&o);
}
