/* Reading what a container uses: which file holds which number, on cgroup v1 and v2. */
#include "runtime/cgroup_stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/util.h"
#include "runtime/cgroup_impl.h"

enum { TEXT_MAX = 1 << 20, SIZES_MAX = 32 };

int cgroup_stats_read(const struct cgroup *cg, struct cgroup_stats *out, struct err *e)
{
	struct cgroup_stats s = CGROUP_STATS_NONE;
	const struct cgroup_hier *h = cgroup_main_hier(cg);

	if (!cg->be || !h)
		return err_set(e, ENOTSUP, "no statistics: the container has no cgroup");
	/* Gone: all numbers would be 0. */
	if (cgroup_dir(h, e) < 0)
		return -1;
	if (cg->be->stats(cg, &s, e) < 0) {
		cgroup_stats_fini(&s);
		return -1;
	}
	*out = s;
	return 0;
}

void cgroup_stats_fini(struct cgroup_stats *s)
{
	free(s->cpu.percpu.v);
	free(s->cpu.percpu_kernel.v);
	free(s->cpu.percpu_user.v);
	free(s->cpuset.cpus.v);
	free(s->cpuset.mems.v);
	for (size_t i = 0; i < s->memory.raw.n; i++)
		free(s->memory.raw.v[i].key);
	free(s->memory.raw.v);
	for (int i = 0; i < STATS_IO_TABLES; i++)
		free(s->io[i].v);
	free(s->hugetlb);
	*s = CGROUP_STATS_NONE;
}

/* ENOENT: an older or newer kernel, or a controller that is off. EOPNOTSUPP: there, and not counted. */
static void keep_first(const struct err *why, struct err *e)
{
	if (!e->code && why->code != ENOENT && why->code != EOPNOTSUPP)
		*e = *why;
}

char *stats_file(const struct cgroup_hier *h, const char *file, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX);
	struct err why = ERR_NONE;
	const int dir = cgroup_dir(h, &why);

	if (dir < 0 || fd_read_file(dir, file, TEXT_MAX - 1, &text, &why) < 0) {
		keep_first(&why, e);
		return NULL;
	}
	return xstrdup(buf_str(&text));
}

bool stats_number(const struct cgroup_hier *h, const char *file, uint64_t *out, struct err *e)
{
	auto_free char *text = stats_file(h, file, e);

	return text && stats_parse_u64(text, out) == 0;
}

void stats_page_sizes(const struct cgroup_hier *h, const char *suffix, struct cgroup_stats *out,
		      struct err *e)
{
	struct err why = ERR_NONE;
	const int dir = cgroup_dir(h, &why);
	const int fd = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list) {
		if (dir >= 0)
			(void) err_sys(&why, "list the cgroup");
		keep_first(&why, e);
		if (fd >= 0)
			close(fd);
		return;
	}
	out->hugetlb = xalloc(SIZES_MAX * sizeof(*out->hugetlb));
	while ((d = readdir(list)) != NULL && out->n_hugetlb < SIZES_MAX) {
		const char *size = d->d_name + strlen("hugetlb.");
		size_t n = strcspn(str_has_prefix(d->d_name, "hugetlb.") ? size : "", ".");

		if (n == 0 || n >= sizeof(out->hugetlb->page_size) ||
		    strcmp(size + n, suffix) != 0)
			continue;
		memcpy(out->hugetlb[out->n_hugetlb++].page_size, size, n);
	}
	closedir(list);
}
