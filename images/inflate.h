/*
 * Compressed streams: told apart by their first bytes, unpacked from one descriptor into another.
 */
#ifndef CARREL_IMAGES_INFLATE_H
#define CARREL_IMAGES_INFLATE_H

#include <stddef.h>

struct err;

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

/* Reads in_fd to the end and writes what it unpacks to. For a confined child: needs read and write only.
 * Trailing bytes that belong to no stream are an error. */
int inflate_stream(int in_fd, int out_fd, struct err *e);

#endif
