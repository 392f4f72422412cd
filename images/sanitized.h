/*
 * Whether this is a build with AddressSanitizer: its runtime maps terabytes and makes calls of its own,
 * so the children's limits are wider there.
 */
#ifndef CARREL_IMAGES_SANITIZED_H
#define CARREL_IMAGES_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define IMAGES_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IMAGES_SANITIZED 1
#else
#define IMAGES_SANITIZED 0
#endif
#else
#define IMAGES_SANITIZED 0
#endif

#endif
