/*
 * The key of the fingerprints (shim/scan/print.h): 32 random bytes in a file that root alone reads, one for a host. Whoever needs it first
 * makes it; whoever removes it has the next sandbox begin with another one. It travels as a descriptor, and is in no
 * argument, environment or message.
 */
#ifndef CARREL_SHIM_SCAN_KEY_H
#define CARREL_SHIM_SCAN_KEY_H

#include <stdint.h>

struct err;

enum { SCAN_KEY = 32 };

/* A descriptor. Of two that make it at the same time both get the same one. A file that others may read, or that is no key, is refused. */
int scan_key_open(const char *path, struct err *e);
/* From the beginning of the file. */
int scan_key_read(int fd, uint8_t key[SCAN_KEY], struct err *e);

#endif
