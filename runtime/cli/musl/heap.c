/*
 * The heap of the small build: size classes over one block, for a process that lives for milliseconds.
 *
 * musl's own allocator gives pages back to the kernel as soon as a group of them is free; between two system calls of
 * ours it mapped and unmapped the same pages again and again, which cost a fifth of a whole `run`. Here memory
 * comes from the program's own zero pages, then from large mappings, and is never given back. A freed block
 * goes to the list of its class and is taken from there again. The classes lie close together, four to each power of two:
 * a page that is not touched is one that nobody clears, charges, copies for a child and takes back. One thread only, as
 * the program.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
	ALIGN = 16,
	SMALLEST = 32,	   /* class 0, with its head */
	SMALL_CLASSES = 3, /* 32, 64, 128; then 256, 320, 384, 448, 512, 640 ... */
	STEPS_FROM = 8,	   /* the power of two with the first steps */
	CLASSES = SMALL_CLASSES + 4 * (30 - STEPS_FROM), /* below 1 GiB */
	FIRST_BYTES = 512 << 10,
	WARM_BYTES = 16 << 10,
	PAGE_BYTES = 4096,
	MORE_BYTES = 1 << 20,
};

struct head {
	union {
		struct head *next; /* while free */
		size_t class;	   /* while used */
	};
	size_t pad; /* what follows is aligned */
};
_Static_assert(sizeof(struct head) == ALIGN, "what follows is aligned");

static _Alignas(PAGE_BYTES) char first[FIRST_BYTES];
static char *at = first, *end = first + FIRST_BYTES;
static char *warm = first; /* up to here its pages are there */
static struct head *freed[CLASSES];

/* A few pages in one call cost less than a fault for each. Where the kernel does not know the call (Linux 5.14) they come
 * one by one. The first page does so too: before the second exec, and in commands that do little, it is all that is
 * used. */
static void warm_up(void)
{
	if (at <= warm || at <= first + PAGE_BYTES || at > first + FIRST_BYTES - WARM_BYTES)
		return;
	const size_t n = (size_t) (at - warm + WARM_BYTES - 1) / WARM_BYTES * WARM_BYTES;
	const int saved = errno;

	(void) madvise(warm, n, MADV_POPULATE_WRITE);
	errno = saved;
	warm += n;
}

static char *fresh(size_t n)
{
	if ((size_t) (end - at) < n) {
		const size_t room = n > MORE_BYTES ? n : MORE_BYTES;
		char *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			return NULL;
		at = p;
		end = p + room;
	}
	at += n;
	if (end == first + FIRST_BYTES)
		warm_up();
	return at - n;
}

static size_t class_of(size_t n)
{
	size_t class = 0;

	if (n <= (size_t) 1 << STEPS_FROM) {
		while ((size_t) SMALLEST << class < n)
			class ++;
		return class;
	}
	const unsigned power = 63 - (unsigned) __builtin_clzl(n - 1); /* the one below n */
	return SMALL_CLASSES + 4 * (power - STEPS_FROM) + ((n - 1) >> (power - 2)) - 3;
}

static size_t size_of(size_t class)
{
	if (class < SMALL_CLASSES)
		return (size_t) SMALLEST << class;
	const size_t step = class - SMALL_CLASSES;
	return (4 + step % 4) << (step / 4 + STEPS_FROM - 2);
}

void *malloc(size_t n)
{
	const size_t class = n < SIZE_MAX / 2 ? class_of(n + sizeof(struct head)) : CLASSES;

	if (class >= CLASSES) {
		errno = ENOMEM;
		return NULL;
	}
	struct head *h = freed[class];
	if (h)
		freed[class] = h->next;
	else
		h = (struct head *) fresh(size_of(class));
	if (!h)
		return NULL;
	h->class = class;
	return h + 1;
}

void free(void *p)
{
	if (!p)
		return;
	struct head *h = (struct head *) p - 1;
	const size_t class = h->class;
	h->next = freed[class];
	freed[class] = h;
}

void *calloc(size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	void *p = malloc(all);
	return p ? memset(p, 0, all) : NULL;
}

void *realloc(void *old, size_t n)
{
	if (!old)
		return malloc(n);
	const struct head *h = (struct head *) old - 1;
	const size_t room = size_of(h->class) - sizeof(*h);
	if (n <= room)
		return old;
	void *p = malloc(n);
	if (!p)
		return NULL;
	memcpy(p, old, room);
	free(old);
	return p;
}

/* Never asked for more than the alignment that every block has; musl's linker wants the name to be ours too. */
void *aligned_alloc(size_t align, size_t n)
{
	if (align > ALIGN) {
		errno = EINVAL;
		return NULL;
	}
	return malloc(n);
}
