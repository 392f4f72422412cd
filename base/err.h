/*
 * An error is a value: one sentence, built from the innermost cause outwards.
 *
 * No heap and nothing to free; the whole struct fits one socket message, so a child process hands
 * its parent the very error that the user will read. Functions of this project that can fail take
 * `struct err *e` last and return 0 (or a descriptor, pid or count >= 0) or -1. On -1 `*e` is set;
 * on success it is left alone. `e` is never NULL.
 *
 * Do not add: printing, logging, exit. Those belong to main.c and cli/ files.
 */
#ifndef CARREL_BASE_ERR_H
#define CARREL_BASE_ERR_H

struct err {
	int code; /* an errno value, or EINVAL/ENOTSUP/... chosen by err_set's caller; 0 = none */
	char msg[508]; /* "create web: mount /proc: openat2: Permission denied"; truncated with "..." */
};

#define ERR_NONE ((struct err){ 0 })

/* An error of our own. Always returns -1 so that callers can `return err_set(...)`. */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The system's: "<fmt>: strerror(errno)", code = errno. Always returns -1. Keeps errno. */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<fmt>: " in front of what is there. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends "; <fmt>", a remedy: "(mount it with ...)". Always returns -1. */
int err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What every one of them returns, in sight of the compiler and of analysers. */
#define err_set(...)                                                                           \
	({                                                                                     \
		err_set(__VA_ARGS__);                                                          \
		-1;                                                                            \
	})
#define err_sys(...)                                                                           \
	({                                                                                     \
		err_sys(__VA_ARGS__);                                                          \
		-1;                                                                            \
	})
#define err_wrap(...)                                                                          \
	({                                                                                     \
		err_wrap(__VA_ARGS__);                                                         \
		-1;                                                                            \
	})
#define err_hint(...)                                                                          \
	({                                                                                     \
		err_hint(__VA_ARGS__);                                                         \
		-1;                                                                            \
	})

#endif
