/*
 * carrel-sessiond: the command line.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/util.h"
#include "sessiond/config.h"
#include "sessiond/db.h"
#include "sessiond/keys.h"
#include "sessiond/serve.h"
#include "sessiond/tiers.h"

enum { EXIT_USAGE = 2, FILES_WANTED = 65536, FILES_ENOUGH = 4096 };

#define AT(member) offsetof(struct config, member)
/* clang-format off */
static const struct opt options[] = {
	{ "config", 'c', OPT_STRING, AT(file), "FILE", "carrel.yaml; options win over it" },
	{ "listen", 'l', OPT_LIST, AT(listen), "ADDRESS", "127.0.0.1:7681, [::1]:7681 or unix:/path[,group=NAME]; may be repeated" },
	{ "tls-certificate", 0, OPT_STRING, AT(tls_certificate), "FILE", "serve HTTPS with this certificate and its chain (PEM); SIGHUP reads it again" },
	{ "tls-key", 0, OPT_STRING, AT(tls_key), "FILE", "its key (PEM, without a password)" },
	{ "insecure-listen", 0, OPT_SWITCH, AT(insecure_listen), NULL, "allow --listen on an address that is not loopback, without TLS" },
	{ "origin", 0, OPT_LIST, AT(origins), "ORIGIN", "a web origin that may use the API, as https://host; may be repeated" },
	{ "run-dir", 0, OPT_STRING, AT(run_dir), "DIR", "live sandboxes (/run/carrel)" },
	{ "state-dir", 0, OPT_STRING, AT(state_dir), "DIR", "database (/var/lib/carrel)" },
	{ "store", 0, OPT_STRING, AT(store), "DIR", "image store (STATE-DIR/store)" },
	{ "volumes", 0, OPT_STRING, AT(volumes), "DIR", "users' volumes (STATE-DIR/volumes)" },
	{ "tiers", 0, OPT_STRING, AT(tiers), "FILE", "tiers.yaml" },
	{ "policies", 0, OPT_STRING, AT(policies), "FILE", "policies.yaml, for tiers that name a policy and requests that ask for one" },
	{ "web", 0, OPT_STRING, AT(web), "DIR", "the page's files" },
	{ "bin-dir", 0, OPT_STRING, AT(bin_dir), "DIR", "where carrel-shim, carrel-runtime, carrel-init and carrel-image lie" },
	{ "seccomp", 0, OPT_STRING, AT(seccomp), "FILE", "seccomp profile of the sandboxes" },
	{ "cgroup", 0, OPT_STRING, AT(cgroup), "PATH", "parent of the sandboxes' cgroups (/carrel)" },
	{ "network", 0, OPT_STRING, AT(network), "ADDRESS/PREFIX", "IPv4 network of sandboxes whose tier has one (10.209.0.0/16)" },
	{ "image", 0, OPT_STRING, AT(default_image), "IMAGE", "image of a sandbox whose request names none (default)" },
	{ "keep-ended", 0, OPT_DURATION, AT(keep_ended_ms), "TIME", "how long an ended sandbox can be asked about (10m)" },
	{ "uid-base", 0, OPT_UINT, AT(uid_base), "N", "first host id of the first sandbox (524288)" },
	{ "uid-slots", 0, OPT_UINT, AT(uid_slots), "N", "how many ranges of 65536 ids there are (4096)" },
	{ "upgrade-shims", 0, OPT_STRING, AT(upgrade_shims), "WHEN", "at-start: sandboxes that outlived another daemon go on with this one's carrel-shim; by-hand: when carrel upgrade says so (by-hand)" },
	{ "first-use-key", 0, OPT_SWITCH, AT(first_use_key), NULL, "print an address with a key that opens one browser session" },
	{ "ephemeral", 0, OPT_SWITCH, AT(ephemeral), NULL, "end all sandboxes when the daemon is stopped" },
	{ "log-format", 0, OPT_STRING, AT(log_format), "FORMAT", "text or json (text)" },
	{ "log-level", 0, OPT_STRING, AT(log_level), "LEVEL", "debug, info, warn or error (info)" },
	{ 0 },
};
#undef AT

struct key_options {
	const char *user, *tier;
	bool admin, first_use, json;
	uint64_t expires_ms;
};

static const struct opt key_rows[] = {
	{ "user", 'u', OPT_STRING, offsetof(struct key_options, user), "USER", "whose key it is" },
	{ "tier", 't', OPT_STRING, offsetof(struct key_options, tier), "TIER", "free, pro, ... as in tiers.yaml" },
	{ "admin", 0, OPT_SWITCH, offsetof(struct key_options, admin), NULL, "may manage keys and everybody's sandboxes" },
	{ "first-use", 0, OPT_SWITCH, offsetof(struct key_options, first_use), NULL, "good for opening one browser session" },
	{ "expires", 0, OPT_DURATION, offsetof(struct key_options, expires_ms), "TIME", "valid that long, such as 24h (for ever)" },
	{ "json", 0, OPT_SWITCH, offsetof(struct key_options, json), NULL, "ls: print JSON" },
	{ 0 },
};
/* clang-format on */

static int fail(const struct err *e)
{
	(void) fprintf(stderr, "carrel-sessiond: %s\n", e->msg);
	return EXIT_FAILURE;
}

/* ---- serve ---- */

static void ready(const char *const *addresses, const char *key)
{
	for (; *addresses; addresses++) {
		/* A browser cannot open a unix socket. */
		bool with_key = key && strncmp(*addresses, "http", 4) == 0;

		(void) printf("%s%s%s\n", *addresses, with_key ? "/#key=" : "",
			      with_key ? key : "");
		if (with_key)
			key = NULL;
	}
	if (key)
		(void) printf("key %s\n", key);
	(void) fflush(stdout);
}

/* A terminal that opens takes a few descriptors at once, a live sandbox one for good. */
static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = MIN(l.rlim_max, (rlim_t) FILES_WANTED);
	if (setrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur < FILES_ENOUGH)
		log_warn("%llu open files are allowed; %d would do for 1024 connections and "
			 "as many sandboxes",
			 (unsigned long long) l.rlim_cur, FILES_ENOUGH);
}

static int run_serve(void *global, const char **operands, int n, void *opts)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct err e = ERR_NONE;

	/* A client that goes away while it is written to is an error of that write. */
	(void) sigaction(SIGPIPE, &ignore, NULL);
	raise_files();
	return serve_run(global, ready, &e) < 0 ? fail(&e) : EXIT_SUCCESS;
}

/* ---- key ---- */

static int key_add_cmd(const struct config *c, struct db *db, const struct key_options *o,
		       struct err *e)
{
	char key[KEY_LEN + 1], id[KEY_ID_LEN + 1];
	struct tiers tiers;
	struct key_spec spec = {
		.user = o->user,
		.tier = o->tier,
		.admin = o->admin,
		.first_use = o->first_use,
		.expires_ms = o->expires_ms ? clock_real_ms() + o->expires_ms : 0,
	};
	bool known;

	if (!o->user || !o->tier)
		return err_set(e, EINVAL, "key add: --user and --tier are needed");
	if (tiers_load(c->tiers, &tiers, e) < 0)
		return -1;
	known = tiers_find(&tiers, o->tier) != NULL;
	tiers_fini(&tiers);
	if (!known)
		return err_set(e, ENOENT, "key add: there is no tier %s in %s", o->tier,
			       c->tiers);
	if (key_add(db, &spec, key, id, e) < 0)
		return -1;
	(void) printf("%s\n", key);
	return 0;
}

static bool print_row(void *arg, const struct key_row *row)
{
	struct json_writer *w = arg;
	const char *kind = row->admin ? "admin" : row->first_use ? "first-use" : "-";
	struct clock_stamp created = clock_rfc3339_ms((uint64_t) row->created_ms);

	if (!w) {
		(void) printf("%-12s  %-20s  %-12s  %-9s  %s\n", row->id, row->user, row->tier,
			      kind, created.s);
		return true;
	}
	jw_object(w, NULL);
	jw_str(w, "id", row->id);
	jw_str(w, "user", row->user);
	jw_str(w, "tier", row->tier);
	jw_bool(w, "admin", row->admin);
	jw_bool(w, "first_use", row->first_use);
	jw_str(w, "created_at", created.s);
	jw_close(w);
	return true;
}

static int key_ls_cmd(struct db *db, const struct key_options *o, struct err *e)
{
	auto_buf struct buf out = BUF_LIMIT(64 << 20);
	auto_json_writer struct json_writer *w = NULL;

	if (!o->json) {
		(void) printf("%-12s  %-20s  %-12s  %-9s  %s\n", "ID", "USER", "TIER", "KIND",
			      "CREATED");
		return key_each(db, print_row, NULL, e);
	}
	w = json_writer_new(&out, false);
	jw_array(w, NULL);
	if (key_each(db, print_row, w, e) < 0)
		return -1;
	jw_close(w);
	if (json_writer_end(w, e) < 0)
		return -1;
	(void) printf("%s\n", buf_str(&out));
	return 0;
}

static int key_rm_cmd(struct db *db, const char *id, struct err *e)
{
	int r;

	if (!id)
		return err_set(e, EINVAL, "key rm: the ID of a key is needed");
	r = key_remove(db, id, e);
	return r == 0 ? err_set(e, ENOENT, "key rm: there is no key %s", id) : r;
}

static int run_key(void *global, const char **operands, int n, void *opts)
{
	const struct config *c = global;
	const char *verb = operands[0], *id = n > 1 ? operands[1] : NULL;
	struct db *db = NULL;
	struct err e = ERR_NONE;
	int r;

	if (serve_open_db(c, &db, &e) < 0)
		return fail(&e);
	if (strcmp(verb, "add") == 0 && !id)
		r = key_add_cmd(c, db, opts, &e);
	else if (strcmp(verb, "ls") == 0 && !id)
		r = key_ls_cmd(db, opts, &e);
	else if (strcmp(verb, "rm") == 0)
		r = key_rm_cmd(db, id, &e);
	else
		r = err_set(&e, EINVAL, "key: the verbs are add, ls and rm ID");
	db_close(db);
	return r < 0 ? fail(&e) : EXIT_SUCCESS;
}

/* ---- the whole ---- */

static const char program_text[] =
	"The front door of Carrel: keys, tiers and quotas, the REST API, WebSocket terminals "
	"and the page. Sandboxes belong to their shims: the daemon may be stopped, killed and "
	"started again at any time, and every terminal lives on.\n"
	"\n"
	"Without a command it serves.\n"
	"\n"
	"# FILES\n"
	"- STATE-DIR/carrel.db: keys (as hashes), sandboxes, counters\n"
	"- STATE-DIR/store: images\n"
	"- STATE-DIR/volumes: users' volumes\n"
	"- STATE-DIR/audit.jsonl: what policies found\n"
	"- STATE-DIR/policy.key: the key of its fingerprints; made when it is not there\n"
	"- RUN-DIR/sandboxes: one directory per live sandbox\n"
	"\n"
	"# EXIT STATUS\n"
	"0 after SIGTERM or SIGINT, 1 when something failed, 2 for a wrong command line.\n"
	"\n"
	"# SIGNALS\n"
	"SIGTERM and SIGINT stop the daemon in order; sandboxes live on unless --ephemeral was "
	"given. SIGHUP reads the TLS certificate and its key again; connections that are open keep theirs.";

static const char key_text[] =
	"A key is printed once, by add; the database has its hash. It may be used while the "
	"daemon runs.\n"
	"\n"
	" carrel-sessiond key add --user ann --tier free\n"
	" carrel-sessiond key ls\n"
	" carrel-sessiond key rm ID";

static const struct opt_cmd commands[] = {
	{ .name = "serve",
	  .run = run_serve,
	  .help = "answer requests (also without a command)" },
	{ .name = "key",
	  .operands = "add|ls|rm [ID]",
	  .min_operands = 1,
	  .max_operands = 2,
	  .opts = key_rows,
	  .opts_size = sizeof(struct key_options),
	  .run = run_key,
	  .help = "make, list and remove API keys",
	  .text = key_text },
	{ 0 },
};

static const struct opt_program program = {
	.name = "carrel-sessiond",
	.summary = "Serves sandboxes with web terminals.",
	.text = program_text,
	.opts = options,
	.cmds = commands,
	.command = "serve",
	.section = 1,
};

static int show(enum opt_result what, const struct opt_cmd *cmd)
{
	auto_buf struct buf out = BUF_LIMIT(1 << 20);
	struct err e = ERR_NONE;

	if (opt_render(&program, what, cmd, &out, &e) < 0)
		return fail(&e);
	return fputs(buf_str(&out), stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int find_exe_dir(char out[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return err_sys(e, "/proc/self/exe");
	out[n] = 0;
	slash = strrchr(out, '/');
	*slash = 0;
	return 0;
}

static int run_parsed(struct config *c, const struct opt_parsed *p)
{
	char exe_dir[PATH_MAX];
	struct err e = ERR_NONE;

	if (find_exe_dir(exe_dir, &e) < 0 || config_complete(c, exe_dir, &e) < 0 ||
	    log_open_named(STDERR_FILENO, c->log_format, c->log_level, &e) < 0)
		return fail(&e);
	return p->cmd->run(c, p->operands, p->n_operands, p->opts);
}

int main(int argc, char **argv)
{
	struct config c = { 0 };
	struct opt_parsed p = { 0 };
	struct err e = ERR_NONE;
	int r;

	if (argc == 2 && strcmp(argv[1], "--man") == 0)
		return show(OPT_MAN, NULL);
	r = opt_parse(&program, argc, argv, &c, &p, &e);
	if (r < 0) {
		(void) fail(&e);
		r = EXIT_USAGE;
	} else if (r == OPT_RUN) {
		r = run_parsed(&c, &p);
	} else {
		r = show((enum opt_result) r, p.cmd);
	}
	opt_parsed_fini(&p);
	config_fini(&c);
	return r;
}
