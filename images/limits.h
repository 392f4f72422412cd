/*
 * How much an image may cost before it is refused.
 */
#ifndef CARREL_IMAGES_LIMITS_H
#define CARREL_IMAGES_LIMITS_H

#include <stdint.h>

struct image_limits {
	uint64_t bytes;	      /* of one unpacked stream, holes in sparse files included */
	uint64_t blob_bytes;  /* of one blob as it comes */
	uint64_t ratio;	      /* unpacked : packed, looked at beyond ratio_floor */
	uint64_t ratio_floor; /* bytes */
	uint64_t entries;     /* of one archive */
	uint64_t depth;	      /* components of a name */
	uint64_t name;	      /* bytes of one component */
	uint64_t path;	      /* bytes of a whole name or link target */
	uint64_t seconds;     /* for one archive */
};

#define IMAGE_LIMITS_DEFAULT                                                                   \
	((struct image_limits){ .bytes = 16ULL << 30,                                          \
				.blob_bytes = 16ULL << 30,                                     \
				.ratio = 200,                                                  \
				.ratio_floor = 64ULL << 20,                                    \
				.entries = 1000000,                                            \
				.depth = 128,                                                  \
				.name = 255,                                                   \
				.path = 4095,                                                  \
				.seconds = 1800 })

#endif
