/*
 * Compressed streams: told apart by their first bytes, unpacked from a descriptor into memory of the caller's.
 *
 * gzip is inflated by ISA-L, several times as fast as zlib. Debian has that library as a shared one only, and
 * carrel-image is static, so it lives in a helper, carrel-inflate (inflate_isal.c). zlib does the same where the helper
 * is not installed.
 */
#ifndef CARREL_IMAGES_INFLATE_H
#define CARREL_IMAGES_INFLATE_H

#include <stddef.h>

struct err;
struct ring;

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_ZSTD,
	COMPRESSION_FOREIGN, /* xz, bzip2, lz4, ...: known, and not accepted */
};

const char *compression_name(enum compression c);

/* Looks at the first n bytes of a stream (6 are enough). */
enum compression compression_detect(const void *p, size_t n);
/* The same for an open file, at its beginning; moves no position. */
int compression_of_file(int fd, enum compression *out, struct err *e);

/* Each reads in_fd to the end and fills the ring's slots. For a confined child: they take read, send and memory only.
 * Several streams one after the other are one; bytes that belong to no stream are an error. */
int inflate_zlib(int in_fd, struct ring *to, struct err *e);
/* Refuses windows above 32 MiB, which would have to be kept in memory. */
int inflate_zstd(int in_fd, struct ring *to, struct err *e);
int inflate_isal(int in_fd, struct ring *to, struct err *e); /* in carrel-inflate only */

#endif
