/*
 * Who is asking, once that is known.
 */
#ifndef CARREL_SESSIOND_IDENTITY_H
#define CARREL_SESSIOND_IDENTITY_H

#include <stdbool.h>

struct tier;

enum identity_via {
	VIA_NOTHING,
	VIA_KEY,    /* Authorization: Bearer */
	VIA_COOKIE, /* a browser's session */
};

enum {
	USER_MAX = 64,
	KEY_ID_LEN = 12,
};

struct identity {
	enum identity_via via;
	char user[USER_MAX + 1];
	char key_id[KEY_ID_LEN + 1];
	char tier_name[32];
	const struct tier *tier; /* NULL: the tiers file has no such tier any more */
	bool admin;
};

#endif
