/*
 * Transient units: started, changed, stopped, and processes put into them.
 */
#ifndef CARREL_RUNTIME_SYSTEMD_UNIT_H
#define CARREL_RUNTIME_SYSTEMD_UNIT_H

struct bus;
struct buf;
struct err;
struct request;

/* Starts the unit and waits for its job. A scope holds this very process first, for it must not be empty: the caller puts
 * its own inside and then lets this process end. `cgroup` becomes the unit's control group. */
int unit_start(struct bus *b, const struct request *r, struct buf *cgroup, struct err *e);
/* When it returns systemd has written what it has to into the control group's files. */
int unit_set(struct bus *b, const struct request *r, struct buf *cgroup, struct err *e);
/* Not there: success. */
int unit_stop(struct bus *b, const struct request *r, struct buf *cgroup, struct err *e);
int unit_attach(struct bus *b, const struct request *r, struct buf *cgroup, struct err *e);
/* The manager's own control group. */
int unit_where(struct bus *b, const struct request *r, struct buf *cgroup, struct err *e);

#endif
