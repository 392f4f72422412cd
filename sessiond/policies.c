#include "sessiond/policies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/helper.h"
#include "base/util.h"
#include "sessiond/config.h"
#include "sessiond/tiers.h"

enum { COMPILE_MS = 120000, WORDS = 4096 };

static char *own_dir(const struct config *c)
{
	return xasprintf("%s/policies", c->run_dir);
}

char *policies_scanner(const struct config *c)
{
	return helper_find_from(c->bin_dir, "carrel-scan");
}

/* Empty: what an earlier daemon compiled is not to be found any more. */
static int make_dir(const struct config *c, const char *dir, struct err *e)
{
	auto_close int run = -1;

	if (mkdir(c->run_dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "%s", c->run_dir);
	run = open(c->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run < 0)
		return err_sys(e, "%s", c->run_dir);
	if (fd_remove_tree(run, "policies", e) < 0)
		return err_wrap(e, "%s", c->run_dir);
	return mkdirat(run, "policies", 0700) < 0 ? err_sys(e, "%s", dir) : 0;
}

/* Its own words, without its name in front and the line's end. */
static int said(struct buf *words, struct err *e)
{
	const char *s = buf_str(words), *name = "carrel-scan: ";

	if (strncmp(s, name, strlen(name)) == 0)
		s += strlen(name);
	return err_set(e, EINVAL, "%.*s", (int) strcspn(s, "\n"), s);
}

int policies_compile(const char *scanner, const char *file, const char *into, struct err *e)
{
	char *argv[] = { (char *) "carrel-scan",    (char *) "--compile",
			 (char *) (uintptr_t) file, (char *) "--into",
			 (char *) (uintptr_t) into, NULL };
	struct child_spec spec = CHILD_SPEC_NONE;
	auto_buf struct buf words = BUF_LIMIT(WORDS);
	struct child_status st;

	spec.path = scanner;
	spec.argv = argv;
	if (child_run(&spec, NULL, 0, NULL, &words, COMPILE_MS, &st, e) < 0)
		return err_wrap(e, "%s", scanner);
	if (st.signalled)
		return err_set(e, EIO, "%s: it was killed by signal %d", scanner, st.code);
	return st.code == 0 ? 0 : said(&words, e);
}

bool policies_there(const char *dir, const char *name)
{
	auto_free char *file = xasprintf("%s/%s.json", dir, name);

	return access(file, R_OK) == 0;
}

bool policies_has(const struct config *c, const char *name)
{
	auto_free char *dir = own_dir(c);

	return policies_there(dir, name);
}

char *policies_path(const struct config *c, const char *name)
{
	return xasprintf("%s/policies/%s", c->run_dir, name);
}

static const struct tier *first_tier(const struct tiers *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].policy[0])
			return &t->v[i];
	return NULL;
}

static int check_tiers(const struct config *c, const struct tiers *t, struct err *e)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].policy[0] && !policies_has(c, t->v[i].policy))
			return err_set(e, ENOENT,
				       "tiers.%s.policy: there is no policy %s in %s",
				       t->v[i].name, t->v[i].policy, c->policies);
	return 0;
}

/* Who wants them, for a sentence. */
static char *asker(const struct tier *t)
{
	return t ? xasprintf("tiers.%s.policy", t->name) : xstrdup("policies");
}

int policies_prepare(const struct config *c, const struct tiers *t, bool *any, struct err *e)
{
	auto_free char *scanner = NULL, *dir = NULL, *who = NULL;
	const struct tier *first = first_tier(t);

	*any = first || c->policies_named;
	if (!*any)
		return 0;
	scanner = policies_scanner(c);
	dir = own_dir(c);
	who = asker(first);
	if (!scanner)
		return err_set(e, ENOENT,
			       "%s: there is no carrel-scan; build it with libvectorscan-dev "
			       "and libpcre2-dev, or take the policy away",
			       who);
	if (!c->policies)
		return err_set(e, ENOENT,
			       "%s: no policies.yaml was found; name one with --policies", who);
	if (make_dir(c, dir, e) < 0 || policies_compile(scanner, c->policies, dir, e) < 0)
		return -1;
	return check_tiers(c, t, e);
}
