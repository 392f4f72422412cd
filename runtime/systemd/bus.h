/*
 * The connection to a systemd manager: the system's or the calling user's, directly by its private socket or through
 * the message bus. Every call has what is left of one deadline.
 */
#ifndef CARREL_RUNTIME_SYSTEMD_BUS_H
#define CARREL_RUNTIME_SYSTEMD_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct err;

#define BUS_SYSTEMD "org.freedesktop.systemd1"
#define BUS_PATH    "/org/freedesktop/systemd1"
#define BUS_MANAGER "org.freedesktop.systemd1.Manager"

struct bus {
	sd_bus *sd;
	bool user;
	uint64_t deadline; /* CLOCK_MONOTONIC, microseconds */
};

int bus_open(bool user, struct bus *out, struct err *e);
void bus_close(struct bus *b);
void bus_set_timeout(struct bus *b, uint64_t ms);

/* Microseconds that are left, at least 1. */
uint64_t bus_left(const struct bus *b);

/* Sends m, whose reference it takes, and waits. Returns 1 when the error's name is `expected` (which may be NULL),
 * 0 with the answer in *reply (which may be NULL), -1 with a sentence. */
int bus_call(const struct bus *b, sd_bus_message *m, const char *expected,
	     sd_bus_message **reply, struct err *e);
/* A call to the manager. */
int bus_new_call(const struct bus *b, const char *method, sd_bus_message **out, struct err *e);

/* A negative errno from the library as a sentence: always -1. */
int bus_error(struct err *e, int r, const char *what);

#endif
