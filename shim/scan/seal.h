/*
 * What the scanner gives up before the first byte: everything but to read and write one socket, and to have memory.
 */
#ifndef CARREL_SHIM_SCAN_SEAL_H
#define CARREL_SHIM_SCAN_SEAL_H

struct err;

/* Afterwards this process holds `fd` alone, opens and makes nothing, has no capability and a bounded memory. Any call outside
 * the list ends it with SIGSYS. */
int seal(int fd, struct err *e);

#endif
