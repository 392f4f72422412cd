#include "sessiond/tickets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "base/util.h"
#include "sessiond/digest.h"

struct ticket {
	struct digest hash;
	uint64_t expires_ms; /* 0: free */
	char sandbox[65];
	struct identity who;
	bool viewer;
};

struct tickets {
	struct ticket v[TICKETS_MAX];
	size_t used; /* no ticket was ever at or above */
};

struct tickets *tickets_new(void)
{
	return xalloc(sizeof(struct tickets));
}

void tickets_free(struct tickets *t)
{
	free(t);
}

static void clear(struct ticket *t)
{
	*t = (struct ticket){ 0 };
}

int ticket_issue(struct tickets *t, const struct ticket_spec *spec, uint64_t now_ms,
		 char out[TICKET_LEN + 1], struct err *e)
{
	struct ticket *room = NULL;
	uint8_t secret[32];
	unsigned held = 0;

	for (size_t i = 0; i < t->used; i++) {
		struct ticket *old = &t->v[i];

		if (old->expires_ms <= now_ms)
			clear(old);
		if (!old->expires_ms)
			room = room ? room : old;
		else if (strcmp(old->who.user, spec->who->user) == 0)
			held++;
	}
	if (held >= TICKETS_PER_USER)
		return err_set(e, EUSERS, "%d tickets of this user are unused",
			       TICKETS_PER_USER);
	if (!room && t->used == TICKETS_MAX)
		return err_set(e, ENOSPC, "all %d tickets are out", TICKETS_MAX);
	if (!room)
		room = &t->v[t->used++];

	random_bytes(secret, sizeof(secret));
	str_base64url(secret, sizeof(secret), out);
	if (str_copy(room->sandbox, sizeof(room->sandbox), spec->sandbox, "sandbox", e) < 0)
		return -1;
	room->hash = digest_sha256(out, TICKET_LEN);
	room->expires_ms = now_ms + TICKET_MS;
	room->who = *spec->who;
	room->viewer = spec->viewer;
	return 0;
}

int ticket_redeem(struct tickets *t, const char *ticket, const char *sandbox, uint64_t now_ms,
		  struct identity *who, bool *viewer)
{
	struct digest hash;
	struct ticket *hit = NULL;
	int good;

	if (strlen(ticket) != TICKET_LEN)
		return 0;
	hash = digest_sha256(ticket, TICKET_LEN);
	/* All of them, whichever it is: the time tells nothing. */
	for (size_t i = 0; i < t->used; i++) {
		if (bytes_equal_ct(t->v[i].hash.bytes, hash.bytes, sizeof(hash.bytes)))
			hit = &t->v[i];
	}
	if (!hit)
		return 0;
	good = hit->expires_ms > now_ms && strcmp(hit->sandbox, sandbox) == 0;
	if (good) {
		*who = hit->who;
		*viewer = hit->viewer;
	}
	clear(hit);
	return good;
}
