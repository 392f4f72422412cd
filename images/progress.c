#include "images/progress.h"

#include <stddef.h>

static void tell(const struct progress *p, const struct progress_event *event)
{
	if (p && p->tell)
		p->tell(p->arg, event);
}

void progress_resolved(const struct progress *p, const char *name, const struct digest *d)
{
	tell(p,
	     &(struct progress_event){ .kind = PROGRESS_RESOLVED, .name = name, .digest = d });
}

void progress_blob(const struct progress *p, const struct digest *d, const char *state,
		   uint64_t done, uint64_t total)
{
	tell(p, &(struct progress_event){ .kind = PROGRESS_BLOB,
					  .digest = d,
					  .state = state,
					  .done = done,
					  .total = total });
}

void progress_note(const struct progress *p, const char *name, const char *text)
{
	tell(p, &(struct progress_event){ .kind = PROGRESS_NOTE, .name = name, .text = text });
}
