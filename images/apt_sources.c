#include "images/apt_sources.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/str.h"
#include "base/util.h"

enum { ANSWER_LIMIT = 1 << 20, TIMEOUT_MS = 30000 };

static bool wants_release(const char *release, const char *suite)
{
	static const char *const pockets[] = { "", "-updates", "-security", "/updates" };

	if (!str_has_prefix(release, suite))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(pockets); i++) {
		if (strcmp(release + strlen(suite), pockets[i]) == 0)
			return true;
	}
	return false;
}

static bool listed(const char **v, const char *s)
{
	for (size_t i = 0; v[i]; i++) {
		if (strcmp(v[i], s) == 0)
			return true;
	}
	return false;
}

static int add_line(char *line, const char *suite, const char **components, struct buf *out,
		    struct err *e)
{
	char *save = NULL;
	const char *uri = strtok_r(line, "|", &save);
	const char *release = strtok_r(NULL, "|", &save);
	const char *component = strtok_r(NULL, "|", &save);

	if (!component || !wants_release(release, suite) || !listed(components, component))
		return 0;
	return buf_printf(out, e, "deb %s %s %s\n", uri, release, component);
}

int apt_sources_filter(const char *answer, const char *suite, const char **components,
		       struct buf *out, struct err *e)
{
	auto_free char *copy = xstrdup(answer);
	size_t before = buf_len(out);
	char *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (add_line(l, suite, components, out, e) < 0)
			return -1;
	}
	if (buf_len(out) == before)
		return err_set(e, ENOENT,
			       "apt has no source for %s; add one to its sources "
			       "(sources.list(5))",
			       suite);
	return 0;
}

int apt_sources(const char *suite, const char **components, struct buf *out, struct err *e)
{
	auto_buf struct buf answer = BUF_LIMIT(ANSWER_LIMIT);
	char *argv[] = { "apt-get",
			 "indextargets",
			 "--format",
			 "$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
			 "Created-By: Packages",
			 NULL };
	char *envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	struct child_spec spec = CHILD_SPEC_NONE;
	struct child_status st;

	spec.path = "/usr/bin/apt-get";
	spec.argv = argv;
	spec.envp = envp;
	if (child_run(&spec, NULL, 0, &answer, NULL, TIMEOUT_MS, &st, e) < 0)
		return err_wrap(e, "ask apt for its sources");
	if (st.signalled || st.code != 0)
		return err_set(e, EIO, "ask apt for its sources: apt-get ended with %d",
			       st.code);
	return apt_sources_filter(buf_str(&answer), suite, components, out, e);
}
