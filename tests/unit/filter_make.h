/*
 * System call filters written as constants: SPEC(default, rules), of RULE and PLAIN, with NAMES and ARG.
 */
#ifndef CARREL_TESTS_UNIT_FILTER_MAKE_H
#define CARREL_TESTS_UNIT_FILTER_MAKE_H

#include "base/util.h"
#include "runtime/seccomp.h"

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define ARG(i, o, v, w)                                                                        \
	{                                                                                      \
		.index = (i), .op = (o), .value = (v), .value_two = (w)                        \
	}
#define RULE(act, list, ...)                                                                   \
	{                                                                                      \
		.names = list, .action = act,                                                  \
		.args = (const struct filter_arg[]){ __VA_ARGS__ },                            \
		.n_args = sizeof((const struct filter_arg[]){ __VA_ARGS__ }) /                 \
			  sizeof(struct filter_arg)                                            \
	}
#define PLAIN(act, list)                                                                       \
	{                                                                                      \
		.names = list, .action = act                                                   \
	}
#define SPEC(def, r)                                                                           \
	{                                                                                      \
		.set = true, .default_action = def, .rules = r, .n_rules = ARRAY_SIZE(r)       \
	}

#endif
