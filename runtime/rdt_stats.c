#include "runtime/rdt_stats.h"

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
#include "runtime/rdt.h"

enum { TEXT_MAX = 64 << 10, DOMAINS_MAX = 256 };

/* The text, without blanks around it; NULL when it is not there or cannot be read. */
static char *read_text(int dir_fd, const char *file)
{
	auto_buf struct buf text = BUF_LIMIT(TEXT_MAX + 1);
	struct err ignored = ERR_NONE;

	if (fd_read_file(dir_fd, file, TEXT_MAX, &text, &ignored) < 0)
		return NULL;
	const char *s = buf_str(&text) + strspn(buf_str(&text), " \t\n");
	size_t n = strlen(s);

	while (n && strchr(" \t\n", s[n - 1]))
		n--;
	return xstrndup(s, n);
}

static bool read_number(int dir_fd, const char *file, uint64_t *out)
{
	auto_free char *text = read_text(dir_fd, file);
	struct err ignored = ERR_NONE; /* "Unavailable" is no number: then there is none */

	*out = 0;
	return text && str_to_u64(text, UINT64_MAX, file, out, &ignored) == 0;
}

/* ---- shares ---- */

/* The kernel sets its lines off to the right. */
static char **split_lines(char *text)
{
	size_t n = 0, room = 2;
	char *save = NULL;

	for (const char *p = text; *p; p++)
		room += *p == '\n';
	char **lines = xalloc(room * sizeof(*lines));
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		lines[n++] = xstrdup(l + strspn(l, " \t"));
	return lines;
}

/* With code and data apart the last of the two lines, as engines have it from other runtimes. */
static char *line_of(char *const *lines, const char *resource)
{
	const char *found = NULL;

	for (; lines && *lines; lines++) {
		if (str_has_prefix(*lines, resource))
			found = *lines;
	}
	return found ? xstrdup(found) : NULL;
}

static void read_l3(int root_fd, struct rdt_resource *r)
{
	r->mask = read_text(root_fd, "info/L3/cbm_mask");
	r->set = r->mask;
	(void) read_number(root_fd, "info/L3/min_cbm_bits", &r->min_bits);
	(void) read_number(root_fd, "info/L3/num_closids", &r->classes);
}

static void read_mb(int root_fd, struct rdt_resource *r)
{
	r->set = read_number(root_fd, "info/MB/min_bandwidth", &r->min_bandwidth);
	(void) read_number(root_fd, "info/MB/bandwidth_gran", &r->granularity);
	(void) read_number(root_fd, "info/MB/delay_linear", &r->linear);
	(void) read_number(root_fd, "info/MB/num_closids", &r->classes);
}

static int read_shares(int root_fd, int class_fd, struct rdt_stats *s, struct err *e)
{
	auto_free char *all = read_text(root_fd, "schemata");
	auto_free char *own = read_text(class_fd, "schemata");

	if (!own)
		return err_sys(e, "intelRdt: schemata");
	auto_strv char **lines = all ? split_lines(all) : NULL;
	s->schemata = split_lines(own);
	read_l3(root_fd, &s->l3);
	read_mb(root_fd, &s->mb);
	if (s->l3.set) {
		s->l3.root = line_of(lines, "L3");
		s->l3.own = line_of(s->schemata, "L3");
	}
	if (s->mb.set) {
		s->mb.root = line_of(lines, "MB");
		s->mb.own = line_of(s->schemata, "MB");
	}
	return 0;
}

/* ---- monitors ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct rdt_domain *) a)->name,
		      ((const struct rdt_domain *) b)->name);
}

static void read_domain(int data_fd, struct rdt_domain *d)
{
	const int fd =
		openat(data_fd, d->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	d->has_total = read_number(fd, "mbm_total_bytes", &d->total);
	d->has_local = read_number(fd, "mbm_local_bytes", &d->local);
	d->has_occupancy = read_number(fd, "llc_occupancy", &d->occupancy);
	(void) close(fd);
}

static void read_domains(DIR *dir, struct rdt_stats *s)
{
	const struct dirent *d;

	s->domains = xalloc(DOMAINS_MAX * sizeof(*s->domains));
	while (s->n_domains < DOMAINS_MAX && (d = readdir(dir))) {
		struct rdt_domain *one = &s->domains[s->n_domains];

		if (!str_has_prefix(d->d_name, "mon_L3_") ||
		    !memccpy(one->name, d->d_name, '\0', sizeof(one->name)))
			continue;
		read_domain(dirfd(dir), one);
		s->n_domains++;
	}
	qsort(s->domains, s->n_domains, sizeof(*s->domains), by_name);
}

static int read_monitors(const struct rdt_place *p, int root_fd, int class_fd,
			 struct rdt_stats *s, struct err *e)
{
	auto_free char *features = read_text(root_fd, "info/L3_MON/mon_features");
	auto_free char *path = p->monitoring ? xasprintf("mon_groups/%s/mon_data", p->id)
					     : xstrdup("mon_data");

	if (!features)
		return 0;
	s->bandwidth =
		strstr(features, "mbm_total_bytes") || strstr(features, "mbm_local_bytes");
	s->occupancy = strstr(features, "llc_occupancy");
	auto_close int fd = openat(class_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(e, "intelRdt: %s of class %s", path, p->clos);
	(void) take_fd(&fd);
	read_domains(dir, s);
	(void) closedir(dir);
	return 0;
}

int rdt_stats_read(const struct rdt_place *p, struct rdt_stats *out, struct err *e)
{
	*out = RDT_STATS_NONE;
	if (!p->set)
		return 0;
	auto_close int root_fd = rdt_root_open(e);
	if (root_fd < 0)
		return err_wrap(e, "intelRdt");
	auto_close int class_fd =
		openat(root_fd, p->clos, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (class_fd < 0)
		return err_sys(e, "intelRdt: class %s", p->clos);
	auto_rdt_stats struct rdt_stats s = { .set = true };
	if (read_shares(root_fd, class_fd, &s, e) < 0 ||
	    read_monitors(p, root_fd, class_fd, &s, e) < 0)
		return -1;
	*out = s;
	s = RDT_STATS_NONE;
	return 0;
}

static void resource_fini(struct rdt_resource *r)
{
	free(r->mask);
	free(r->root);
	free(r->own);
}

void rdt_stats_fini(struct rdt_stats *s)
{
	resource_fini(&s->l3);
	resource_fini(&s->mb);
	util_free_strv(&s->schemata);
	free(s->domains);
	*s = RDT_STATS_NONE;
}
