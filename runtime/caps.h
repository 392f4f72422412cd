/* Capability sets: bounding, permitted, effective, inheritable (always empty unless asked), ambient. */
#ifndef CARREL_RUNTIME_CAPS_H
#define CARREL_RUNTIME_CAPS_H

#include <stdbool.h>
#include <stdint.h>

struct err;

/* Bit n = capability number n. */
struct caps_spec {
	uint64_t bounding, effective, permitted, inheritable, ambient;
	bool set; /* process.capabilities was given; else all sets are empty */
};

/* "CAP_KILL" -> bit; an unknown name returns 1 (the caller warns and ignores, as runc does). */
int caps_parse(const char *name, uint64_t *bit);
/* NULL-terminated names of all that the running kernel knows. */
const char *const *caps_names(void);
/* Drops from the sets what the caller does not hold itself; returns the dropped mask (for a warning). */
uint64_t caps_clip_to_own(struct caps_spec *s);

/* Whether the caller has it in effect. */
bool caps_holds(unsigned number);

/* Bounding set first, while we still may; keeps permitted over the uid change that follows. */
int caps_apply_bounding(const struct caps_spec *s, struct err *e);
/* After setuid: the rest, in one capset, then ambient. */
int caps_apply(const struct caps_spec *s, struct err *e);

#endif
