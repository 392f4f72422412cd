/*
 * Processes besides the first: their starts and their ends. For table.c alone.
 */
#ifndef CARREL_SHIM_TABLE_EXEC_H
#define CARREL_SHIM_TABLE_EXEC_H

#include <stddef.h>

struct session;
struct table;
struct talk_msg;

/* The janitor's answers. Descriptors that are taken are -1 afterwards. */
void table_started(struct table *t, const struct talk_msg *m, int *fds, size_t n_fds);
void table_failed(struct table *t, const struct talk_msg *m);
void table_process_ended(struct table *t, struct session *s, const struct talk_msg *m);
/* What a process is due to, for another program (shim/handover.h). Restoring sets it. */
struct pack;
struct unpack;
void table_due_save(const struct session *s, struct pack *p);
void table_due_restore(struct session *s, struct unpack *u);
/* No answer will come any more. */
void table_starts_lost(struct table *t);

#endif
