/* What the runtime itself adds to a spec that was read. */
#include <string.h>

#include "base/err.h"
#include "runtime/spec.h"
#include "runtime/spec_parts.h"

int spec_add_mount(struct spec *s, const char *target, const char *source,
		   const char *const *options, struct err *e)
{
	struct mount_spec *all = xalloc((s->n_mounts + 1) * sizeof(*all));
	struct mount_spec *m = &all[s->n_mounts];
	char *to = xstrdup(target), *from = xstrdup(source);

	spec_own(s, all);
	spec_own(s, to);
	spec_own(s, from);
	if (s->n_mounts)
		memcpy(all, s->mounts, s->n_mounts * sizeof(*all));
	*m = (struct mount_spec){ .target = to, .source = from };
	s->mounts = all;
	s->n_mounts++;
	return mount_parse_options(options, m, e);
}

void spec_add_env(struct spec *s, const char *text)
{
	const char *const *old = s->process.env;
	const size_t n = strv_len((char *const *) old);
	const char **all = xalloc((n + 2) * sizeof(*all));
	char *copy = xstrdup(text);

	spec_own(s, all);
	spec_own(s, copy);
	if (n)
		memcpy(all, old, n * sizeof(*all));
	all[n] = copy;
	s->process.env = all;
}
