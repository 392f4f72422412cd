#include "shim/screen_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/*
 * What does not fit into a cell: characters with combining ones, and links. Cells hold numbers; when the numbers run out, those that
 * no cell holds any more are given again. When there are none, the combining character or the link is left out.
 */

struct walk {
	struct screen *s;
	void (*see)(struct walk *w, struct cell *c);
	bool used[SCREEN_MAX_CLUSTERS];
	uint16_t number[SCREEN_MAX_CLUSTERS];
};

static void walk_grid(struct walk *w, struct grid *g)
{
	for (int y = 0; g->rows && y < w->s->rows; y++)
		for (int x = 0; x < g->rows[y].n; x++)
			w->see(w, &g->rows[y].v[x]);
}

static void walk_all(struct walk *w, void (*see)(struct walk *w, struct cell *c))
{
	w->see = see;
	walk_grid(w, &w->s->main);
	walk_grid(w, &w->s->alt);
}

static void mark_cluster(struct walk *w, struct cell *c)
{
	if (c->ch & CELL_CLUSTER)
		w->used[c->ch & CELL_CODE] = true;
}

static void renumber(struct walk *w, struct cell *c)
{
	if (c->ch & CELL_CLUSTER)
		c->ch = (c->ch & ~CELL_CODE) | w->number[c->ch & CELL_CODE];
}

void clusters_collect(struct screen *s)
{
	struct walk w = { .s = s };
	size_t n = 0;

	walk_all(&w, mark_cluster);
	for (size_t i = 0; i < s->n_clusters; i++) {
		if (!w.used[i])
			continue;
		w.number[i] = (uint16_t) n;
		s->clusters[n++] = s->clusters[i];
	}
	s->n_clusters = n;
	walk_all(&w, renumber);
}

static struct cluster *new_cluster(struct screen *s)
{
	size_t cap;
	struct cluster *v;

	if (s->n_clusters == SCREEN_MAX_CLUSTERS) {
		/* All cells are looked at: not again and again for a few numbers. */
		if (s->keep_words)
			return NULL;
		if (s->collect_wait > 0) {
			s->collect_wait--;
			return NULL;
		}
		s->collect_wait = SCREEN_MAX_CLUSTERS;
		clusters_collect(s);
		if (s->n_clusters == SCREEN_MAX_CLUSTERS)
			return NULL;
	}
	if (s->n_clusters == s->cap_clusters) {
		cap = MIN(MAX(2 * s->cap_clusters, (size_t) 8), (size_t) SCREEN_MAX_CLUSTERS);
		v = realloc(s->clusters, cap * sizeof(*v));
		if (!v)
			return NULL;
		s->clusters = v;
		s->cap_clusters = cap;
	}
	return &s->clusters[s->n_clusters++];
}

void cluster_add(struct screen *s, struct cell *c, uint32_t code)
{
	uint8_t text[4];
	size_t n = vt_utf8(code, text);
	uint32_t base = c->ch & CELL_CODE;
	struct cluster *cl;

	if (!(c->ch & CELL_CONTENT)) {
		c->ch |= code;
		return;
	}
	if (!(c->ch & CELL_CLUSTER)) {
		cl = new_cluster(s);
		if (!cl)
			return;
		cl->n = (uint8_t) vt_utf8(base, cl->text);
		c->ch = (c->ch & ~CELL_CODE) | CELL_CLUSTER | (uint32_t) (cl - s->clusters);
	}
	cl = &s->clusters[c->ch & CELL_CODE];
	if (cl->n + n > sizeof(cl->text))
		return;
	memcpy(cl->text + cl->n, text, n);
	cl->n = (uint8_t) (cl->n + n);
}

static void mark_link(struct walk *w, struct cell *c)
{
	w->used[cell_link(c)] = true;
}

static void collect_links(struct screen *s)
{
	struct walk w = { .s = s };

	w.used[s->pen.link] = true;
	walk_all(&w, mark_link);
	for (size_t i = 1; i <= SCREEN_MAX_LINKS; i++) {
		if (w.used[i] || !s->links[i])
			continue;
		s->link_bytes -= strlen(s->links[i]);
		free(s->links[i]);
		s->links[i] = NULL;
	}
}

static uint8_t place_link(struct screen *s, const char *link)
{
	uint8_t room = 0;

	for (unsigned i = 1; i <= SCREEN_MAX_LINKS; i++) {
		if (!s->links[i])
			room = (uint8_t) i;
		else if (strcmp(s->links[i], link) == 0)
			return (uint8_t) i;
	}
	if (room == 0 || s->link_bytes + strlen(link) > SCREEN_LINK_BYTES)
		return 0;
	s->links[room] = strdup(link);
	if (!s->links[room])
		return 0;
	s->link_bytes += strlen(link);
	return room;
}

uint8_t link_number(struct screen *s, const char *link)
{
	uint8_t number = place_link(s, link);

	if (number > 0 || s->keep_words)
		return number;
	collect_links(s);
	return place_link(s, link);
}
