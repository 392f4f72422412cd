/*
 * The page's files: read once at start, served from memory by exact name.
 *
 * No path of a request ever reaches the file system.
 */
#ifndef CARREL_SESSIOND_STATIC_H
#define CARREL_SESSIOND_STATIC_H

struct err;
struct pages;
struct request;

/* Every regular file in `dir` and `dir`/assets whose suffix has a row in the table of types; dotfiles and
 * others are left out. */
int pages_load(const char *dir, struct pages **out, struct err *e);
void pages_free(struct pages *p); /* accepts NULL */

void static_index(struct request *rq); /* "/" */
void static_file(struct request *rq);

#endif
