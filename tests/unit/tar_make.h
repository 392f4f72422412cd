/*
 * Tar archives for tests, made block by block: honest ones and any kind of dishonest.
 */
#ifndef CARREL_TESTS_TAR_MAKE_H
#define CARREL_TESTS_TAR_MAKE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tar_image {
	uint8_t *data;
	size_t n;
};

static inline void tar_put(struct tar_image *t, const void *p, size_t n)
{
	size_t padded = (n + 511) / 512 * 512;

	t->data = realloc(t->data, t->n + padded);
	if (!t->data)
		abort();
	memset(t->data + t->n, 0, padded);
	memcpy(t->data + t->n, p, n);
	t->n += padded;
}

/* type: '0' file, '5' directory, '2' symlink, '1' hard link, '3' '4' devices, '6' fifo, 'x' pax header. `size`
 * is what the header says; `data` may have less. */
static inline void tar_add(struct tar_image *t, char type, const char *name, const char *link,
			   const char *data, unsigned long long size)
{
	char h[512] = { 0 };
	unsigned sum = 0;

	snprintf(h, 100, "%s", name);
	snprintf(h + 100, 8, "%07o", 0644);
	snprintf(h + 108, 8, "%07o", 0);
	snprintf(h + 116, 8, "%07o", 0);
	snprintf(h + 124, 12, "%011llo", size);
	snprintf(h + 136, 12, "%011o", 1000);
	memset(h + 148, ' ', 8);
	h[156] = type;
	if (link)
		snprintf(h + 157, 100, "%s", link);
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char) h[i];
	snprintf(h + 148, 7, "%06o", sum);
	tar_put(t, h, sizeof(h));
	if (data && strlen(data))
		tar_put(t, data, strlen(data));
}

/* One pax record for the next entry. */
static inline void tar_pax(struct tar_image *t, const char *key, const char *value)
{
	char record[8192];
	size_t n = strlen(key) + strlen(value) + 3, digits = 1;

	while (digits < 5 && n + digits >= (digits == 1	  ? 10U
					    : digits == 2 ? 100U
					    : digits == 3 ? 1000U
							  : 10000U))
		digits++;
	snprintf(record, sizeof(record), "%zu %s=%s\n", n + digits, key, value);
	tar_add(t, 'x', "PaxHeaders/x", NULL, record, strlen(record));
}

static inline void tar_end(struct tar_image *t)
{
	static const char zeros[1024];

	tar_put(t, zeros, sizeof(zeros));
}

#endif
