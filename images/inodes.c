#include "images/inodes.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/util.h"

struct slot {
	uint64_t dev, ino, value;
	bool used;
};

struct inodes {
	struct slot *v;
	size_t n, cap; /* cap: a power of two, at least twice n */
};

enum { FIRST_CAP = 64 };

static struct slot *new_slots(size_t cap)
{
	struct slot *v = calloc(cap, sizeof(*v));

	if (!v)
		abort(); /* bounded by the entries of a layer */
	return v;
}

struct inodes *inodes_new(void)
{
	struct inodes *m = xalloc(sizeof(*m));

	m->cap = FIRST_CAP;
	m->v = new_slots(m->cap);
	return m;
}

void inodes_free_ptr(struct inodes **m)
{
	if (!*m)
		return;
	free((*m)->v);
	free(*m);
	*m = NULL;
}

static struct slot *find(const struct inodes *m, uint64_t dev, uint64_t ino)
{
	size_t i = (size_t) ((ino ^ (dev << 17)) * 0x9e3779b97f4a7c15ULL >> 20) & (m->cap - 1);

	while (m->v[i].used && (m->v[i].ino != ino || m->v[i].dev != dev))
		i = (i + 1) & (m->cap - 1);
	return &m->v[i];
}

static void grow(struct inodes *m)
{
	struct inodes larger = { .cap = 2 * m->cap, .n = m->n };

	larger.v = new_slots(larger.cap);
	for (size_t i = 0; i < m->cap; i++) {
		if (m->v[i].used)
			*find(&larger, m->v[i].dev, m->v[i].ino) = m->v[i];
	}
	free(m->v);
	*m = larger;
}

bool inodes_add(struct inodes *m, uint64_t dev, uint64_t ino, uint64_t *value)
{
	struct slot *s = find(m, dev, ino);

	if (s->used) {
		*value = s->value;
		return false;
	}
	*s = (struct slot){ .dev = dev, .ino = ino, .value = *value, .used = true };
	if (2 * ++m->n > m->cap)
		grow(m);
	return true;
}
