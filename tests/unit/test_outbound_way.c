/* The way to a relay: addresses in turn, the race between them, names looked up in time, proxies and what they answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/util.h"
#include "sessiond/dialer/config.h"
#include "sessiond/dialer/lookup.h"
#include "sessiond/dialer/proxy.h"
#include "sessiond/dialer/race.h"

enum { DEADLINE_MS = 20000 };

static struct address v4(uint32_t host, uint16_t port)
{
	return (struct address){ .v4 = { .sin_family = AF_INET,
					 .sin_port = htons(port),
					 .sin_addr.s_addr = htonl(host) } };
}

static struct address v6(uint16_t port)
{
	return (struct address){ .v6 = { .sin6_family = AF_INET6,
					 .sin6_port = htons(port),
					 .sin6_addr = IN6ADDR_LOOPBACK_INIT } };
}

/* ---- addresses ---- */

static void families_take_turns(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "6 6 6 4 4", "6a4a6b4b6c" },
		{ "4 4 6", "4a6a4b" },
		{ "4", "4a" },
		{ "6 6", "6a6b" },
		{ "6 4 6 4", "6a4a6b4b" },
		{ "4 6 6 6", "4a6a6b6c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address list[LOOKUP_MAX];
		uint16_t fours = 0, sixes = 0;
		char got[2 * LOOKUP_MAX + 1] = "";
		size_t n = 0;

		for (const char *p = cases[i].before; *p; p++)
			if (*p != ' ') {
				list[n] =
					*p == '4' ? v4(INADDR_LOOPBACK, fours++) : v6(sixes++);
				n++;
			}
		race_order(list, n);
		for (size_t k = 0; k < n; k++) {
			got[2 * k] = list[k].any.sa_family == AF_INET ? '4' : '6';
			got[2 * k + 1] = (char) ('a' + ntohs(list[k].v4.sin_port));
		}
		assert_string_equal(got, cases[i].after);
	}
}

static int listener(uint16_t *port, int backlog)
{
	struct address a = v4(INADDR_LOOPBACK, 0);
	socklen_t n = sizeof(a.v4);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, &a.any, sizeof(a.v4)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &a.any, &n), 0);
	*port = ntohs(a.v4.sin_port);
	return fd;
}

struct result {
	int fd;
	size_t n;
	bool done;
	struct err err;
	uint64_t took_ms;
};

static void on_raced(void *arg, int fd, const struct err *e)
{
	*(struct result *) arg = (struct result){ .fd = fd, .done = true, .err = *e };
}

static struct result run_race(const struct address *list, size_t n)
{
	uint64_t began = clock_mono_ms();
	struct result r = { .fd = FD_NONE };
	struct race race = { 0 };
	struct loop *loop;
	struct err e = ERR_NONE;

	assert_int_equal(loop_new(&loop, &e), 0);
	race_start(&race, loop, list, n, on_raced, &r);
	while (!r.done && clock_mono_ms() < began + DEADLINE_MS)
		assert_int_equal(loop_turn(loop, 1000, &e), 0);
	assert_true(r.done);
	r.took_ms = clock_mono_ms() - began;
	race_stop(&race);
	loop_free(loop);
	return r;
}

static uint16_t port_of_peer(int fd)
{
	struct address a;
	socklen_t n = sizeof(a);

	assert_int_equal(getpeername(fd, &a.any, &n), 0);
	return ntohs(a.v4.sin_port);
}

/* A port of this machine on which nobody listens. */
static uint16_t closed_port(void)
{
	uint16_t port;
	int fd = listener(&port, 1);

	fd_close(&fd);
	return port;
}

static void the_next_address_follows_a_failure_at_once(void **state)
{
	uint16_t port;
	int fd = listener(&port, 8);
	struct address list[] = { v4(INADDR_LOOPBACK, closed_port()),
				  v4(INADDR_LOOPBACK, port) };
	struct result r = run_race(list, 2);

	assert_true(r.fd >= 0);
	assert_int_equal(port_of_peer(r.fd), port);
	fd_close(&r.fd);
	/* The control: it does not take the second when the first is good. */
	list[0] = v4(INADDR_LOOPBACK, port);
	list[1] = v4(INADDR_LOOPBACK, closed_port());
	r = run_race(list, 2);
	assert_true(r.fd >= 0);
	fd_close(&r.fd);
	fd_close(&fd);
}

/* Nobody answers where the queue of those who wait is full: what more comes is dropped. */
static void fill(uint16_t port, int *fds, size_t n)
{
	struct address a = v4(INADDR_LOOPBACK, port);

	for (size_t i = 0; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void) connect(fds[i], &a.any, sizeof(a.v4));
	}
}

static void a_silent_address_holds_nobody_up(void **state)
{
	uint16_t silent, port;
	int full = listener(&silent, 0), fd = listener(&port, 8), waiting[4];
	struct address list[] = { v4(INADDR_LOOPBACK, silent), v4(INADDR_LOOPBACK, port) };
	struct result r;

	fill(silent, waiting, ARRAY_SIZE(waiting));
	r = run_race(list, 2);
	assert_true(r.fd >= 0);
	assert_int_equal(port_of_peer(r.fd), port);
	assert_true(r.took_ms >= RACE_DELAY_MS);
	fd_close(&r.fd);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		fd_close(&waiting[i]);
	fd_close(&full);
	fd_close(&fd);
}

static void the_last_failure_is_told(void **state)
{
	struct address list[] = { v4(INADDR_LOOPBACK, closed_port()),
				  v4(INADDR_LOOPBACK, closed_port()) };
	char wanted[80];
	struct result r = run_race(list, 2);

	assert_int_equal(r.fd, FD_NONE);
	(void) snprintf(wanted, sizeof(wanted), "127.0.0.1:%u: Connection refused",
			ntohs(list[1].v4.sin_port));
	assert_string_equal(r.err.msg, wanted);
}

/* ---- names ---- */

static int work(const char *host, uint16_t port, struct address *out, size_t *n)
{
	if (strcmp(host, "slow") == 0)
		for (;;)
			(void) pause();
	if (strcmp(host, "dies") == 0)
		(void) raise(SIGKILL);
	if (strcmp(host, "takes the resolver with it") == 0)
		(void) kill(getppid(), SIGKILL);
	*n = 1;
	out[0] = v4(INADDR_LOOPBACK, port);
	return 0;
}

static void on_found(void *arg, const struct address *list, size_t n, const struct err *e)
{
	*(struct result *) arg = (struct result){ .n = n, .done = true, .err = *e };
	if (n > 0)
		assert_int_equal(ntohs(list[0].v4.sin_port), 77);
}

struct names {
	struct loop *loop;
	struct lookup *lookup;
};

static void names_init(struct names *s, lookup_work_fn fn)
{
	const struct lookup_spec spec = { .work = fn, .with_all_rights = true };
	struct err e = ERR_NONE;

	assert_int_equal(loop_new(&s->loop, &e), 0);
	assert_int_equal(lookup_new(s->loop, &spec, &s->lookup, &e), 0);
}

static void names_fini(struct names *s)
{
	lookup_free(s->lookup);
	loop_free(s->loop);
}

static struct result ask(struct names *s, const char *host, uint64_t within_ms)
{
	uint64_t end = clock_mono_ms() + DEADLINE_MS;
	struct result r = { 0 };
	struct err e = ERR_NONE;

	assert_int_equal(lookup_ask(s->lookup, host, 77, within_ms, on_found, &r, &e), 0);
	while (!r.done && clock_mono_ms() < end)
		assert_int_equal(loop_turn(s->loop, 1000, &e), 0);
	assert_true(r.done);
	return r;
}

static void names_are_found_in_time_or_not(void **state)
{
	struct names s;
	struct result r;

	names_init(&s, work);
	assert_int_equal(ask(&s, "quick", DEADLINE_MS).n, 1);
	r = ask(&s, "slow", 20);
	assert_int_equal(r.n, 0);
	assert_string_equal(r.err.msg, "its name is not found within 20 ms");
	assert_int_equal(ask(&s, "dies", DEADLINE_MS).n, 0);
	/* None of them took the resolver with it. */
	assert_int_equal(ask(&s, "quick", DEADLINE_MS).n, 1);
	assert_false(lookup_gone(s.lookup));
	names_fini(&s);
}

static void a_new_question_ends_the_old_one(void **state)
{
	struct result old = { 0 };
	struct names s;
	struct err e = ERR_NONE;

	names_init(&s, work);
	assert_int_equal(lookup_ask(s.lookup, "slow", 77, 10 * (uint64_t) DEADLINE_MS, on_found,
				    &old, &e),
			 0);
	lookup_cancel(s.lookup);
	assert_int_equal(ask(&s, "quick", DEADLINE_MS).n, 1);
	assert_false(old.done);
	names_fini(&s);
}

static void a_resolver_that_ended_is_told(void **state)
{
	uint64_t end = clock_mono_ms() + DEADLINE_MS;
	struct result r = { 0 };
	struct names s;
	struct err e = ERR_NONE;

	names_init(&s, work);
	(void) lookup_ask(s.lookup, "takes the resolver with it", 77, DEADLINE_MS, on_found, &r,
			  &e);
	while (!lookup_gone(s.lookup) && clock_mono_ms() < end)
		assert_int_equal(loop_turn(s.loop, 1000, &e), 0);
	assert_true(lookup_gone(s.lookup));
	assert_int_equal(lookup_ask(s.lookup, "quick", 77, DEADLINE_MS, on_found, &r, &e), -1);
	assert_string_equal(e.msg, "the process that looks up names has ended");
	names_fini(&s);
}

static void the_systems_own_names(void **state)
{
	struct address a;
	struct names s;

	names_init(&s, NULL);
	assert_true(ask(&s, "localhost", DEADLINE_MS).n >= 1);
	assert_string_not_equal(ask(&s, "no such name", DEADLINE_MS).err.msg, "");
	names_fini(&s);
	assert_true(lookup_literal("::1", 7, &a));
	assert_int_equal(a.any.sa_family, AF_INET6);
	assert_true(lookup_literal("127.0.0.1", 7, &a));
	assert_int_equal(ntohs(a.v4.sin_port), 7);
	assert_false(lookup_literal("localhost", 7, &a));
}

/* ---- proxies ---- */

static void addresses_of_proxies(void **state)
{
	static const char *const bad[] = {
		"",	   "proxy",	 "proxy:1",    "https://proxy", "socks5://proxy:1",
		"http://", "http://p:0", "http://p/x", "http://u:w@p:1"
	};
	struct relay_url u;
	struct err e = ERR_NONE;

	assert_int_equal(proxy_url_parse("http://[::1]:3128/", &u, &e), 0);
	assert_string_equal(u.host, "::1");
	assert_string_equal(u.authority, "[::1]:3128");
	assert_int_equal(u.port, 3128);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		e = ERR_NONE;
		assert_int_equal(proxy_url_parse(bad[i], &u, &e), -1);
		assert_non_null(strstr(e.msg, "http://host:port"));
		assert_null(strstr(e.msg, "u:w"));
	}
}

static void spared_hosts(void **state)
{
	static const struct {
		const char *list, *host;
		bool spared;
	} cases[] = {
		{ "example.org", "example.org", true },
		{ ".example.org", "example.org", true },
		{ "example.org", "a.EXAMPLE.org", true },
		{ "example.org", "badexample.org", false },
		{ "a.example.org", "example.org", false },
		{ "x, *", "example.org", true },
		{ "x ,  127.0.0.1,y", "127.0.0.1", true },
		{ "", "example.org", false },
		{ ".", "example.org", false },
		{ "::1", "::1", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (proxy_spares(cases[i].list, cases[i].host) != cases[i].spared)
			fail_msg("no_proxy=%s, %s", cases[i].list, cases[i].host);
}

static void what_proxies_are_told(void **state)
{
	struct dialer_config c = { .url = { .host = "fd00::2", .port = 443 } };
	auto_buf struct buf out = BUF_LIMIT(4096);
	struct err e = ERR_NONE;

	assert_int_equal(proxy_request(&c, "", &out, &e), 0);
	assert_string_equal(buf_str(&out),
			    "CONNECT [fd00::2]:443 HTTP/1.1\r\nHost: [fd00::2]:443\r\n\r\n");
	buf_clear(&out);
	strcpy(c.url.host, "relay.test");
	assert_int_equal(proxy_request(&c, "dTpw", &out, &e), 0);
	assert_string_equal(buf_str(&out),
			    "CONNECT relay.test:443 HTTP/1.1\r\nHost: relay.test:443\r\n"
			    "Proxy-Authorization: Basic dTpw\r\n\r\n");
}

static void what_proxies_answer(void **state)
{
	static const struct {
		const char *head, *behind, *says;
		bool with_auth, refused;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\n\r\n", "", NULL, false, false },
		{ "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n", "", NULL, false,
		  false },
		{ "HTTP/1.1 200 OK\r\n\r\n", "x", "bytes came before", false, false },
		{ "HTTP/1.1 407 No\r\n\r\n", "", "it asks for a user and a password (407)",
		  false, true },
		{ "HTTP/1.1 407 No\r\n\r\n", "<p>",
		  "it refuses the user and password of /f (407)", true, true },
		{ "HTTP/1.1 403 No\r\n\r\n", "",
		  "it does not connect to port 443 of relay.test (403)", false, true },
		{ "HTTP/1.1 502 No\r\n\r\n", "",
		  "it does not connect to port 443 of relay.test (502)", false, false },
		{ "SSH-2.0-x\r\n\r\n", "", "it does not connect to port 443 of relay.test (0)",
		  false, false },
		{ "HTTP/1.1 200 OK\r\na b\r\n\r\n", "", "line 2 of the head is no field", false,
		  false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct dialer_config c = { .url = { .host = "relay.test", .port = 443 },
						 .proxy_auth_file =
							 cases[i].with_auth ? "/f" : NULL };
		size_t n = strlen(cases[i].head);
		char text[200];
		bool refused = false;
		struct err e = ERR_NONE;
		int r;

		(void) snprintf(text, sizeof(text), "%s%s", cases[i].head, cases[i].behind);
		r = proxy_check(&c, text, strlen(text), n, &refused, &e);
		assert_int_equal(r, cases[i].says ? -1 : 0);
		assert_int_equal(refused, cases[i].refused);
		if (cases[i].says && !strstr(e.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].head, e.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_take_turns),
		cmocka_unit_test(the_next_address_follows_a_failure_at_once),
		cmocka_unit_test(a_silent_address_holds_nobody_up),
		cmocka_unit_test(the_last_failure_is_told),
		cmocka_unit_test(names_are_found_in_time_or_not),
		cmocka_unit_test(a_new_question_ends_the_old_one),
		cmocka_unit_test(a_resolver_that_ended_is_told),
		cmocka_unit_test(the_systems_own_names),
		cmocka_unit_test(addresses_of_proxies),
		cmocka_unit_test(spared_hosts),
		cmocka_unit_test(what_proxies_are_told),
		cmocka_unit_test(what_proxies_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
