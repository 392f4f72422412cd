#include "images/inflate.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"

static const struct {
	enum compression kind;
	const char *name;
	size_t n;
	unsigned char magic[6];
} magics[] = {
	{ COMPRESSION_GZIP, "gzip", 2, { 0x1f, 0x8b } },
	{ COMPRESSION_ZSTD, "zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 3, { 'B', 'Z', 'h' } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 4, { 0x04, 0x22, 0x4d, 0x18 } },
	{ COMPRESSION_FOREIGN, "a foreign compression", 4, { 'P', 'K', 3, 4 } },
};

const char *compression_name(enum compression c)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		if (magics[i].kind == c)
			return magics[i].name;
	}
	return "no compression";
}

/* A skippable frame of zstd, which may come before the others: 0x184D2A50 to 0x184D2A5F. */
static bool skippable(const unsigned char *p, size_t n)
{
	return n >= 4 && (p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18;
}

enum compression compression_detect(const void *p, size_t n)
{
	if (skippable(p, n))
		return COMPRESSION_ZSTD;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		if (n >= magics[i].n && memcmp(p, magics[i].magic, magics[i].n) == 0)
			return magics[i].kind;
	}
	return COMPRESSION_NONE;
}

int compression_of_file(int fd, enum compression *out, struct err *e)
{
	unsigned char first[8];
	ssize_t n = pread(fd, first, sizeof(first), 0);

	if (n < 0)
		return err_sys(e, "read");
	*out = compression_detect(first, (size_t) n);
	return 0;
}
