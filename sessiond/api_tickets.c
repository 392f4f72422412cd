#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "sessiond/api.h"
#include "sessiond/problem.h"
#include "sessiond/records.h"
#include "sessiond/request.h"
#include "sessiond/server.h"
#include "sessiond/tickets.h"

/* clang-format off */
static const struct json_field ticket_fields[] = {
	{ "role", json_decode_str, 0, JSON_NULL_IS_ABSENT },
};
/* clang-format on */

/* An absent body asks for a ticket with which its holder may do what the asker may. */
static bool ticket_role(struct request *rq, bool *viewer)
{
	auto_json struct json_doc *doc = NULL;
	struct err e = ERR_NONE;
	const char *role = "writer";

	if (buf_len(&rq->body) > 0) {
		if (request_json(rq, &doc) < 0)
			return false;
		if (json_decode_object(json_root(doc), NULL, ticket_fields,
				       ARRAY_SIZE(ticket_fields), JSON_UNKNOWN_REJECT, &role,
				       &e) < 0) {
			problem_reply(rq, PROBLEM_INVALID, "%s", e.msg);
			return false;
		}
	}
	*viewer = strcmp(role, "viewer") == 0;
	if (*viewer || strcmp(role, "writer") == 0)
		return true;
	problem_reply(rq, PROBLEM_INVALID, "role: is neither writer nor viewer");
	return false;
}

void api_ticket_create(struct request *rq)
{
	auto_record struct record r = { 0 };
	struct ticket_spec spec = { .who = &rq->who };
	char ticket[TICKET_LEN + 1];
	struct err e = ERR_NONE;
	struct json_writer *w;

	if (!api_find_own(rq, &r))
		return;
	if (!ticket_role(rq, &spec.viewer))
		return;
	spec.sandbox = r.id;
	if (ticket_issue(rq->server->tickets, &spec, clock_mono_ms(), ticket, &e) < 0) {
		problem_retry(rq, PROBLEM_QUOTA, TICKET_MS / 1000, "%s", e.msg);
		return;
	}
	w = reply_json(rq, 201);
	jw_object(w, NULL);
	jw_str(w, "ticket", ticket);
	jw_str(w, "role", spec.viewer ? "viewer" : "writer");
	jw_uint(w, "expires_in", TICKET_MS / 1000);
	jw_close(w);
	reply_json_end(rq, w);
}
