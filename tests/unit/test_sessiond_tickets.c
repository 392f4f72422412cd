/* Tickets: used once, by the sandbox that they are for, and not too many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "sessiond/tickets.h"

static int issue(struct tickets *t, const struct identity *who, bool viewer, uint64_t now_ms,
		 char out[TICKET_LEN + 1], struct err *e)
{
	const struct ticket_spec spec = { .sandbox = "box", .who = who, .viewer = viewer };

	return ticket_issue(t, &spec, now_ms, out, e);
}

static void tickets_once(void **state)
{
	struct tickets *t = tickets_new();
	struct identity ann = { .user = "ann", .key_id = "k1" }, who = { 0 };
	bool viewer = true;
	char ticket[TICKET_LEN + 1];
	struct err e = ERR_NONE;

	assert_int_equal(issue(t, &ann, false, 1000, ticket, &e), 0);
	assert_int_equal(strlen(ticket), TICKET_LEN);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1001, &who, &viewer), 1);
	assert_string_equal(who.user, "ann");
	assert_false(viewer);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1002, &who, &viewer), 0);

	assert_int_equal(issue(t, &ann, false, 1000, ticket, &e), 0);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1000 + TICKET_MS, &who, &viewer), 0);

	/* Shown to another sandbox it is spent too. */
	assert_int_equal(issue(t, &ann, false, 1000, ticket, &e), 0);
	assert_int_equal(ticket_redeem(t, ticket, "other", 1001, &who, &viewer), 0);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1002, &who, &viewer), 0);

	assert_int_equal(ticket_redeem(t, "", "box", 1, &who, &viewer), 0);
	assert_int_equal(issue(t, &ann, true, 1000, ticket, &e), 0);
	assert_int_equal(ticket_redeem(t, ticket, "box", 1001, &who, &viewer), 1);
	assert_true(viewer);
	tickets_free(t);
}

static void tickets_limited(void **state)
{
	struct tickets *t = tickets_new();
	struct identity ann = { .user = "ann" }, bob = { .user = "bob" };
	char ticket[TICKET_LEN + 1];
	struct err e = ERR_NONE;

	for (int i = 0; i < TICKETS_PER_USER; i++)
		assert_int_equal(issue(t, &ann, false, 1000, ticket, &e), 0);
	assert_int_equal(issue(t, &ann, false, 1000, ticket, &e), -1);
	assert_int_equal(issue(t, &bob, false, 1000, ticket, &e), 0);
	/* The old ones make room when they have expired. */
	assert_int_equal(issue(t, &ann, false, 1000 + TICKET_MS, ticket, &e), 0);
	tickets_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tickets_once),
		cmocka_unit_test(tickets_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
