#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec t = { 0 };

	(void) clock_gettime(id, &t); /* cannot fail for these clocks */
	return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000u;
}

uint64_t clock_real_ms(void)
{
	return read_ns(CLOCK_REALTIME) / 1000000u;
}

/*
 * gmtime_r would open /etc/localtime at its first call. The year is made to begin on 1 March, so that
 * the leap day comes last and month lengths follow one formula; an era is 400 years.
 */
static struct clock_stamp stamp(uint64_t sec, unsigned fraction, int digits)
{
	uint64_t days = sec / 86400 + 719468; /* since 0000-03-01 */
	unsigned s = sec % 86400;
	uint64_t era = days / 146097;
	unsigned doe = days % 146097;
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	unsigned day = doy - (153 * mp + 2) / 5 + 1;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	unsigned year = (unsigned) (yoe + era * 400) + (month <= 2);
	struct clock_stamp out;

	(void) snprintf(out.s, sizeof(out.s), "%04u-%02u-%02uT%02u:%02u:%02u.%0*uZ", year,
			month, day, s / 3600, s / 60 % 60, s % 60, digits, fraction);
	return out;
}

struct clock_stamp clock_rfc3339_now(void)
{
	uint64_t ns = read_ns(CLOCK_REALTIME);

	return stamp(ns / 1000000000u, ns % 1000000000u, 9);
}

struct clock_stamp clock_rfc3339_ms(uint64_t real_ms)
{
	return stamp(real_ms / 1000, real_ms % 1000, 3);
}
