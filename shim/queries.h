/*
 * Output without the questions in it that a terminal answers.
 *
 * A program asks its terminal who it is, where the cursor stands, which colours it has; the answer comes as input. When old output is
 * shown again, nobody waits for the answers any more: they would stand at the prompt. Everything else passes
 * unchanged, in its order, cut anywhere; what has begun and not ended is held back, VT_TAIL bytes at most: a longer
 * sequence is no question.
 */
#ifndef CARREL_SHIM_QUERIES_H
#define CARREL_SHIM_QUERIES_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct queries;

struct queries *queries_new(void);
void queries_free(struct queries *q);

/* What went to the terminal before: when it is in the middle of a sequence, that may become a question. */
void queries_preface(struct queries *q, const void *p, size_t n);
/* Appends to out what passes. */
int queries_filter(struct queries *q, const void *p, size_t n, struct buf *out, struct err *e);
/* What was held back, and no more: a question that ends later is one that somebody asks now. */
int queries_end(struct queries *q, struct buf *out, struct err *e);

/* For another program (shim/handover.h); into a new one. */
struct pack;
struct unpack;
void queries_save(const struct queries *q, struct pack *p);
void queries_restore(struct queries *q, struct unpack *u);

#endif
