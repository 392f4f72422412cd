/*
 * The checked string functions that Debian's static libseccomp and yajl call: they were compiled against glibc, and
 * musl has the unchecked ones only. The checks themselves are kept.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __fprintf_chk(FILE *f, int flag, const char *fmt, ...);
int __snprintf_chk(char *s, size_t n, int flag, size_t room, const char *fmt, ...);
int __sprintf_chk(char *s, int flag, size_t room, const char *fmt, ...);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);

int __fprintf_chk(FILE *f, int flag, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const int r = vfprintf(f, fmt, ap);
	va_end(ap);
	return r;
}

int __snprintf_chk(char *s, size_t n, int flag, size_t room, const char *fmt, ...)
{
	va_list ap;

	if (n > room)
		abort();
	va_start(ap, fmt);
	const int r = vsnprintf(s, n, fmt, ap);
	va_end(ap);
	return r;
}

int __sprintf_chk(char *s, int flag, size_t room, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const int r = vsnprintf(s, room, fmt, ap);
	va_end(ap);
	if (r >= 0 && (size_t) r >= room)
		abort();
	return r;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memcpy(to, from, n);
}
