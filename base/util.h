/*
 * The few words that every file uses: cleanup attributes, giving ownership away, small allocations.
 *
 * The destructors behind auto_* preserve errno.
 */
#ifndef CARREL_BASE_UTIL_H
#define CARREL_BASE_UTIL_H

#include <stddef.h>
#include <stdlib.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define auto_cleanup(f) __attribute__((cleanup(f)))
#define auto_free	auto_cleanup(util_free_ptr)
#define auto_strv	auto_cleanup(util_free_strv)
#define unused_arg	__attribute__((unused))

/* For auto_free; `pp` is a `T **`. */
void util_free_ptr(void *pp);

/* A NULL-terminated array of strings, each its own allocation. */
void util_free_strv(char ***pv);
size_t strv_len(char *const *v);

/* Small, bounded allocations (never a size that comes from outside): abort when memory is gone.
 * xalloc returns zeroed memory. */
void *xalloc(size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Returns *pp and leaves NULL behind. */
#define take_ptr(pp)                                                                           \
	({                                                                                     \
		__typeof__(pp) pp_ = (pp);                                                     \
		__typeof__(*pp_) p_ = *pp_;                                                    \
		*pp_ = NULL;                                                                   \
		p_;                                                                            \
	})

#endif
