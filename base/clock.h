/* Time: monotonic for intervals, real for stamps. */
#ifndef CARREL_BASE_CLOCK_H
#define CARREL_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void);
uint64_t clock_mono_ms(void);
uint64_t clock_real_ms(void); /* since 1970 */

/* "2026-03-01T12:00:00.123456789Z" of now (RFC 3339, nanoseconds as runc prints them). */
struct clock_stamp {
	char s[40];
};
struct clock_stamp clock_rfc3339_now(void);
struct clock_stamp clock_rfc3339_ms(uint64_t real_ms); /* milliseconds, three decimals */

#endif
