/*
 * Which machine an image is for: OS/ARCHITECTURE[/VARIANT], as Go names them. Only linux.
 */
#ifndef CARREL_IMAGES_PLATFORM_H
#define CARREL_IMAGES_PLATFORM_H

struct err;

struct platform {
	char arch[32];
	char variant[16]; /* "": what every machine of this architecture runs */
};

/* The machine this runs on. */
struct platform platform_host(void);
/* "linux/arm64/v8", "arm64". */
int platform_parse(const char *text, struct platform *out, struct err *e);
/* "linux/arm64/v8", for messages. */
struct platform_text {
	char s[64];
} platform_text(const struct platform *p);

/* How well what an index says about a manifest fits: 0: not; more is better. NULL: it does not say. */
unsigned platform_fits(const struct platform *want, const char *os, const char *arch,
		       const char *variant);

#endif
