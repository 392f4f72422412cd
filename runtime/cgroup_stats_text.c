/*
 * The kernel's texts about a cgroup into numbers. A line that does not look as it should is passed over, a list that
 * grows beyond all machines is cut: nothing here can fail but for memory.
 */
#include "runtime/cgroup_stats.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"

enum { ROWS_MAX = 16384, CPUS_MAX = 8192 };

/* Room for one more element; NULL when there are too many. */
static void *grow(void *v, size_t *n, size_t size)
{
	if (*n >= ROWS_MAX)
		return NULL;
	/* Doubling at powers of two. */
	if ((*n & (*n - 1)) == 0) {
		v = realloc(v, (*n ? *n * 2 : 1) * size);
		if (!v)
			abort();
	}
	memset((char *) v + *n * size, 0, size);
	(*n)++;
	return v;
}

static void add_u64(struct stats_u64s *l, uint64_t value)
{
	void *v = grow(l->v, &l->n, sizeof(*l->v));

	if (!v)
		return;
	l->v = v;
	l->v[l->n - 1] = value;
}

static void add_io(struct stats_ios *l, const uint64_t dev[2], const char *op, uint64_t value)
{
	void *v = grow(l->v, &l->n, sizeof(*l->v));

	if (!v)
		return;
	l->v = v;
	l->v[l->n - 1] = (struct stats_io){ .major = dev[0], .minor = dev[1], .value = value };
	snprintf(l->v[l->n - 1].op, sizeof(l->v[0].op), "%s", op);
}

/* Digits at *p up to something that is none; moves on. False: there are none, or too many. */
static bool take_u64(const char **p, uint64_t *out)
{
	uint64_t v = 0;
	const char *s = *p;

	if (!isdigit((unsigned char) *s))
		return false;
	for (; isdigit((unsigned char) *s); s++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t) (*s - '0'), &v))
			return false;
	*p = s;
	*out = v;
	return true;
}

static bool ends(const char *p)
{
	return *p == '\0' || *p == '\n' || *p == ' ';
}

int stats_parse_u64(const char *text, uint64_t *out)
{
	const char *p = text;
	uint64_t v;

	if (str_has_prefix(text, "max") || str_has_prefix(text, "-1")) {
		*out = UINT64_MAX;
		return 0;
	}
	if (!take_u64(&p, &v) || !ends(p))
		return -1;
	*out = v;
	return 0;
}

/* Calls for each line with its key; rest is what follows the blank. */
#define each_line(line, text)                                                                  \
	for (const char *line = (text), *next_ = NULL;                                         \
	     *line && ((next_ = line + strcspn(line, "\n")), 1);                               \
	     line = next_ + (*next_ == '\n'))

static bool pair_of(const char *line, size_t *key_n, uint64_t *value)
{
	const char *p;

	*key_n = strcspn(line, " \n");
	if (*key_n == 0 || line[*key_n] != ' ')
		return false;
	p = line + *key_n + 1;
	return take_u64(&p, value) && ends(p);
}

void stats_parse_pairs(const char *text, struct stats_pairs *out)
{
	size_t n;
	uint64_t value;

	each_line(line, text)
	{
		void *v;

		if (!pair_of(line, &n, &value))
			continue;
		v = grow(out->v, &out->n, sizeof(*out->v));
		if (!v)
			return;
		out->v = v;
		out->v[out->n - 1] =
			(struct stats_pair){ .key = xstrndup(line, n), .value = value };
	}
}

void stats_parse_keys(const char *text, const struct stats_key *rows, size_t n, void *out)
{
	size_t key_n;
	uint64_t value;

	each_line(line, text)
	{
		if (!pair_of(line, &key_n, &value))
			continue;
		for (size_t i = 0; i < n; i++)
			if (strlen(rows[i].key) == key_n &&
			    strncmp(rows[i].key, line, key_n) == 0)
				*(uint64_t *) ((char *) out + rows[i].offset) =
					value * rows[i].factor;
	}
}

void stats_parse_numbers(const char *text, struct stats_u64s *out)
{
	uint64_t v;

	for (const char *p = text; *p;) {
		p += strspn(p, " \n");
		if (!take_u64(&p, &v) || !ends(p))
			return;
		add_u64(out, v);
	}
}

void stats_parse_percpu(const char *text, struct stats_u64s *user, struct stats_u64s *kernel)
{
	each_line(line, text)
	{
		uint64_t cpu, u, k;
		const char *p = line;

		if (!take_u64(&p, &cpu) || *p++ != ' ' || !take_u64(&p, &u) || *p++ != ' ' ||
		    !take_u64(&p, &k) || !ends(p))
			continue;
		add_u64(user, u);
		add_u64(kernel, k);
	}
}

int stats_parse_set(const char *text, struct stats_u64s *out)
{
	const char *p = text;

	while (!ends(p)) {
		uint64_t from, to;

		if (!take_u64(&p, &from))
			return -1;
		to = from;
		if (*p == '-' && (p++, !take_u64(&p, &to)))
			return -1;
		if (from > to || to >= CPUS_MAX || (*p != ',' && !ends(p)))
			return -1;
		for (; from <= to; from++)
			add_u64(out, from);
		p += *p == ',';
	}
	return 0;
}

static bool take_device(const char **p, uint64_t dev[2])
{
	return take_u64(p, &dev[0]) && *(*p)++ == ':' && take_u64(p, &dev[1]) && **p == ' ' &&
	       (*p)++;
}

void stats_parse_blkio(const char *text, struct stats_ios *out)
{
	each_line(line, text)
	{
		const char *p = line;
		uint64_t dev[2], value;
		char op[16] = "";

		if (!take_device(&p, dev))
			continue;
		if (isalpha((unsigned char) *p)) {
			const size_t n = strcspn(p, " \n");

			if (n >= sizeof(op) || p[n] != ' ')
				continue;
			memcpy(op, p, n);
			p += n + 1;
		}
		if (take_u64(&p, &value) && ends(p))
			add_io(out, dev, op, value);
	}
}

void stats_parse_io(const char *text, struct stats_ios *bytes, struct stats_ios *serviced)
{
	const struct {
		const char *key, *op;
		struct stats_ios *table;
	} keys[] = {
		{ "rbytes=", "Read", bytes },
		{ "wbytes=", "Write", bytes },
		{ "rios=", "Read", serviced },
		{ "wios=", "Write", serviced },
	};

	each_line(line, text)
	{
		const char *p = line;
		uint64_t dev[2];

		if (!take_device(&p, dev))
			continue;
		for (; *p && *p != '\n'; p += strcspn(p, " \n"), p += *p == ' ') {
			for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
				const char *v = p + strlen(keys[i].key);
				uint64_t value;

				if (str_has_prefix(p, keys[i].key) && take_u64(&v, &value) &&
				    ends(v))
					add_io(keys[i].table, dev, keys[i].op, value);
			}
		}
	}
}

void stats_parse_psi(const char *text, struct stats_psi *out)
{
	each_line(line, text)
	{
		struct stats_psi_line l = { 0 };
		unsigned long long total;
		char kind[8];

		/* The numbers are short: "%" of a hundred and microseconds. */
		if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%llu", kind,
			   &l.avg10, &l.avg60, &l.avg300, &total) != 5)
			continue;
		l.total = total;
		/* JSON knows neither infinities nor what is no number. */
		if (!(l.avg10 >= 0 && l.avg10 <= 1e9 && l.avg60 >= 0 && l.avg60 <= 1e9 &&
		      l.avg300 >= 0 && l.avg300 <= 1e9))
			continue;
		if (strcmp(kind, "some") == 0)
			out->some = l;
		else if (strcmp(kind, "full") == 0)
			out->full = l;
		else
			continue;
		out->set = true;
	}
}

void stats_parse_netdev(const char *text, struct stats_interfaces *out)
{
	each_line(line, text)
	{
		struct stats_interface i = { 0 };
		const char *p = line + strspn(line, " ");
		const size_t n = strcspn(p, ":|\n");
		uint64_t v[16];
		size_t k = 0;
		void *list;

		if (p[n] != ':' || n == 0 || n >= sizeof(i.name) || memchr(p, ' ', n))
			continue;
		memcpy(i.name, p, n);
		for (p += n + 1; k < ARRAY_SIZE(v); k++) {
			p += strspn(p, " ");
			if (!take_u64(&p, &v[k]))
				break;
		}
		if (k < ARRAY_SIZE(v) || strcmp(i.name, "lo") == 0)
			continue;
		memcpy(i.rx, v, sizeof(i.rx));
		memcpy(i.tx, v + 8, sizeof(i.tx));
		list = grow(out->v, &out->n, sizeof(*out->v));
		if (!list)
			return;
		out->v = list;
		out->v[out->n - 1] = i;
	}
}
