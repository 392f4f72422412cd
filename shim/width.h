/*
 * How many columns a character takes: 0 (it joins the one before), 1 or 2.
 *
 * By Unicode 11, as the page's xterm.js counts (its addon of that name): where a program and a terminal differ about a width, every
 * client and this model must at least err alike.
 */
#ifndef CARREL_SHIM_WIDTH_H
#define CARREL_SHIM_WIDTH_H

#include <stdint.h>

extern const uint64_t width_none_below_800[32];
unsigned width_of_far(uint32_t c); /* c >= 0x800 */

/* c >= 0xa0. */
static inline unsigned width_of(uint32_t c)
{
	return c < 0x800 ? !(width_none_below_800[c / 64] >> (c % 64) & 1) : width_of_far(c);
}

#endif
