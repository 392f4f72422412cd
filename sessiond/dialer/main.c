/*
 * carrel-dialer: the command line.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/opt.h"
#include "sessiond/dialer/config.h"
#include "sessiond/dialer/dialer.h"

enum { EXIT_USAGE = 2 };

#define AT(member) offsetof(struct dialer_config, member)
/* clang-format off */
static const struct opt options[] = {
	{ "config", 'c', OPT_STRING, AT(file), "FILE", "these options as YAML, with _ for -; options win over it" },
	{ "relay", 'r', OPT_STRING, AT(relay), "URL", "wss://relay.example[:PORT][/PATH] (port 443, /dial)" },
	{ "host", 0, OPT_STRING, AT(host), "HOST", "what this host is called there" },
	{ "token-file", 0, OPT_STRING, AT(token_file), "FILE", "this host's token; nobody else may read it" },
	{ "ca-file", 0, OPT_STRING, AT(ca_file), "FILE", "who may vouch for the relay, PEM (the system's authorities)" },
	{ "certificate", 0, OPT_STRING, AT(certificate), "FILE", "our certificate with its chain, PEM, for a relay that asks for one" },
	{ "key", 0, OPT_STRING, AT(key), "FILE", "its private key, PEM; nobody else may read it" },
	{ "proxy", 0, OPT_STRING, AT(proxy), "URL", "http://proxy.example:PORT, which connects to the relay (CONNECT); or the word environment: https_proxy, unless no_proxy has the relay" },
	{ "proxy-auth-file", 0, OPT_STRING, AT(proxy_auth_file), "FILE", "user:password for the proxy; nobody else may read it" },
	{ "daemon", 0, OPT_STRING, AT(daemon), "PATH", "a unix socket of carrel-sessiond (/run/carrel/outbound.sock)" },
	{ "user", 'u', OPT_STRING, AT(user), "USER", "whom to become once the files are read" },
	{ "insecure-plain", 0, OPT_SWITCH, AT(insecure_plain), NULL, "allow ws://, where everybody on the way reads the token" },
	{ "retry-min", 0, OPT_DURATION, AT(retry_min_ms), "TIME", "bound of the first wait after a failure; each doubles it (500ms)" },
	{ "retry-max", 0, OPT_DURATION, AT(retry_max_ms), "TIME", "bound of all of them (60s)" },
	{ "retry-refused", 0, OPT_DURATION, AT(retry_refused_ms), "TIME", "wait after the relay refused the token (5m)" },
	{ "stable", 0, OPT_DURATION, AT(stable_ms), "TIME", "a connection that lived so long begins anew at retry-min (60s)" },
	{ "connect", 0, OPT_DURATION, AT(connect_ms), "TIME", "how long an attempt may take (20s)" },
	{ "ping", 0, OPT_DURATION, AT(ping_ms), "TIME", "how often the relay is asked whether it lives (15s)" },
	{ "dead", 0, OPT_DURATION, AT(dead_ms), "TIME", "a relay that was silent for so long is left (three pings)" },
	{ "streams", 0, OPT_UINT, AT(streams), "N", "clients at the same time (256)" },
	{ "window", 0, OPT_BYTES, AT(window), "BYTES", "how much of a connection may wait for the daemon (256Ki)" },
	{ "log-format", 0, OPT_STRING, AT(log_format), "FORMAT", "text or json (text)" },
	{ "log-level", 0, OPT_STRING, AT(log_level), "LEVEL", "debug, info, warn or error (info)" },
	{ 0 },
};
/* clang-format on */
#undef AT

static const char program_text[] =
	"For a host that cannot be reached from outside. It keeps one connection to a "
	"carrel-relay, and each client that the relay passes on becomes a connection to the "
	"socket of carrel-sessiond, which asks for keys, tickets and origins as it does of "
	"everybody. No right comes from this program, the relay or the socket.\n"
	"\n"
	"When the connection is lost it is made again, after a wait that grows and is drawn by "
	"chance. Clients come back by their offset: no output is lost or repeated. When "
	"carrel-sessiond is started again, open terminals do not notice.\n"
	"\n"
	"It owns the TLS: version 1.2 or later, and the relay's certificate has to be valid for "
	"its name. Before it connects it gives up all capabilities, and by Landlock and seccomp "
	"the right to write, run or bind anything. A process of its own looks up names.\n"
	"\n"
	"SIGHUP makes it read token, certificate, key, authorities and the proxy's password again, as the user that it runs as; they "
	"hold from the next connection on, and one that a refusal has put off is made at once.\n"
	"\n"
	" carrel-dialer --relay wss://relay.example --host lab-7 --token-file /etc/carrel/relay.token\n"
	"\n"
	"# FILES\n"
	"- /etc/carrel/relay.token: the token, of mode 0600; the relay's operator has its hash\n"
	"- /run/carrel/outbound.sock: made by carrel-sessiond --listen "
	"unix:/run/carrel/outbound.sock,group=carrel-dialer\n"
	"\n"
	"# EXIT STATUS\n"
	"0 after SIGTERM or SIGINT, 1 when something failed, 2 for a wrong command line. A relay "
	"that is away or refuses the token does not end it.";

static int fail(const struct err *e)
{
	(void) fprintf(stderr, "carrel-dialer: %s\n", e->msg);
	return EXIT_FAILURE;
}

static const struct opt_program program = {
	.name = "carrel-dialer",
	.summary = "Connects this host's sandboxes to a relay.",
	.text = program_text,
	.opts = options,
	.section = 1,
};

static int show(enum opt_result what)
{
	auto_buf struct buf out = BUF_LIMIT(1 << 20);
	struct err e = ERR_NONE;

	if (opt_render(&program, what, NULL, &out, &e) < 0)
		return fail(&e);
	return fputs(buf_str(&out), stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct dialer_config *c)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct err e = ERR_NONE;

	(void) sigaction(SIGPIPE, &ignore, NULL);
	if (dialer_config_complete(c, &e) < 0 ||
	    log_open_named(STDERR_FILENO, c->log_format, c->log_level, &e) < 0 ||
	    dialer_run(c, &e) < 0)
		return fail(&e);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct dialer_config c = { 0 };
	struct opt_parsed p = { 0 };
	struct err e = ERR_NONE;
	int r;

	if (argc == 2 && strcmp(argv[1], "--man") == 0)
		return show(OPT_MAN);
	r = opt_parse(&program, argc, argv, &c, &p, &e);
	if (r < 0) {
		(void) fail(&e);
		r = EXIT_USAGE;
	} else if (r == OPT_RUN) {
		r = run(&c);
	} else {
		r = show((enum opt_result) r);
	}
	opt_parsed_fini(&p);
	dialer_config_fini(&c);
	return r;
}
