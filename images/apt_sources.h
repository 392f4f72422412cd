/*
 * Where this machine gets its packages from, as apt is configured: images are built from the same places.
 */
#ifndef CARREL_IMAGES_APT_SOURCES_H
#define CARREL_IMAGES_APT_SOURCES_H

struct err;
struct buf;

/* Asks apt-get for its sources and appends those of the suite, its updates and its security updates, limited to
 * the components, as sources.list lines. None: an error. */
int apt_sources(const char *suite, const char **components, struct buf *out, struct err *e);

/* The same from apt-get's answer: lines "URI|RELEASE|COMPONENT". */
int apt_sources_filter(const char *answer, const char *suite, const char **components,
		       struct buf *out, struct err *e);

#endif
