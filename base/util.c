#include "base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void util_free_ptr(void *pp)
{
	int saved = errno;
	void **p = pp;

	free(*p);
	*p = NULL;
	errno = saved;
}

void util_free_strv(char ***pv)
{
	int saved = errno;

	for (char **s = *pv; s && *s; s++)
		free(*s);
	free(*pv);
	*pv = NULL;
	errno = saved;
}

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

void *xalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p)
		abort();
	return p;
}

char *xstrndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (!p)
		abort();
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);

	if (!p)
		abort();
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char small[256], *p = NULL;

	/* vasprintf formats twice, the first time for the length alone. */
	va_start(ap, fmt);
	const int n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t) n < sizeof(small))
		return xstrndup(small, (size_t) n);
	va_start(ap, fmt);
	if (vasprintf(&p, fmt, ap) < 0)
		abort();
	va_end(ap);
	return p;
}
