#include "runtime/hooks.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/util.h"

enum { HOOK_OUTPUT_MAX = 16384, HOOK_SHOWN_MAX = 300 };

const char *hook_kind_name(enum hook_kind k)
{
	static const char *const names[HOOK_COUNT] = {
		[HOOK_PRESTART] = "prestart",
		[HOOK_CREATE_RUNTIME] = "createRuntime",
		[HOOK_CREATE_CONTAINER] = "createContainer",
		[HOOK_START_CONTAINER] = "startContainer",
		[HOOK_POSTSTART] = "poststart",
		[HOOK_POSTSTOP] = "poststop",
	};

	return names[k];
}

static int run_one(const struct hook *h, const char *state_json, char *const *env,
		   struct err *e)
{
	const char *const path_only[] = { h->path, NULL };
	struct child_spec spec = CHILD_SPEC_NONE;
	auto_buf struct buf output = BUF_LIMIT(HOOK_OUTPUT_MAX);
	struct child_status status;

	spec.path = h->path;
	spec.argv = (char *const *) (h->args && h->args[0] ? h->args : path_only);
	spec.envp = h->env && h->env[0] ? (char *const *) h->env : env;
	if (child_run(&spec, state_json, strlen(state_json), &output, &output,
		      h->timeout_s * 1000, &status, e) < 0)
		return -1;
	if (!status.signalled && status.code == 0)
		return 0;
	const char *text = buf_str(&output);
	size_t n = strlen(text);
	while (n && text[n - 1] == '\n')
		n--;
	if (status.signalled) {
		auto_free char *name = xstrdup(strsignal(status.code));

		name[0] = (char) tolower((unsigned char) name[0]); /* inside a sentence */
		err_set(e, ECANCELED, "signal: %s", name);
	} else
		err_set(e, ECANCELED, "exit status %d", status.code);
	return n ? err_hint(e, "stdout and stderr: %.*s", (int) MIN(n, HOOK_SHOWN_MAX), text)
		 : -1;
}

int hooks_run(const struct hook_list *l, enum hook_kind k, const char *state_json,
	      struct err *e)
{
	return hooks_run_in(l, k, state_json, NULL, e);
}

int hooks_run_in(const struct hook_list *l, enum hook_kind k, const char *state_json,
		 char *const *env, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		if (run_one(&l->v[i], state_json, env, e) < 0)
			return err_wrap(e, "error running %s hook #%zu", hook_kind_name(k), i);
	}
	return 0;
}
