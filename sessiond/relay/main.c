/*
 * carrel-relay: the command line.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/opt.h"
#include "sessiond/outbound/mux.h"
#include "sessiond/relay/hosts.h"
#include "sessiond/relay/relay.h"

enum { EXIT_USAGE = 2 };

#define AT(member) offsetof(struct relay_config, member)
/* clang-format off */
static const struct opt options[] = {
	{ "listen", 'l', OPT_LIST, AT(listen), "ADDRESS", "127.0.0.1:8443, [::1]:8443 or unix:/path; may be repeated" },
	{ "cert", 0, OPT_STRING, AT(cert), "FILE", "certificate chain, PEM; without it TLS is a proxy's matter" },
	{ "key", 0, OPT_STRING, AT(key), "FILE", "its private key, PEM" },
	{ "insecure-plain", 0, OPT_SWITCH, AT(insecure_plain), NULL, "listen without TLS on an address that is not loopback" },
	{ "hosts", 0, OPT_STRING, AT(hosts), "FILE", "who may dial in: lines \"HOST SHA256-OF-ITS-TOKEN\"" },
	{ "suffix", 0, OPT_STRING, AT(suffix), "NAME", "a host's own name is HOST and this, as .relay.example" },
	{ "user", 'u', OPT_STRING, AT(user), "USER", "whom to become once the sockets are open" },
	{ "streams", 0, OPT_UINT, AT(streams), "N", "connections to one host at the same time (256)" },
	{ "window", 0, OPT_BYTES, AT(window), "BYTES", "how much of a connection may wait for a slow client (256Ki)" },
	{ "ping", 0, OPT_DURATION, AT(ping_ms), "TIME", "how often a dialer is asked whether it lives (15s)" },
	{ "dead", 0, OPT_DURATION, AT(dead_ms), "TIME", "a dialer that was silent for so long is cut (three pings)" },
	{ "head", 0, OPT_DURATION, AT(head_ms), "TIME", "how long a client may take for its request's head (10s)" },
	{ "log-format", 0, OPT_STRING, AT(log_format), "FORMAT", "text or json (text)" },
	{ "log-level", 0, OPT_STRING, AT(log_level), "LEVEL", "debug, info, warn or error (info)" },
	{ 0 },
};
/* clang-format on */
#undef AT

static const char program_text[] =
	"Hosts that no connection reaches from outside dial in with carrel-dialer; what clients "
	"ask for HOST.relay.example, or below /h/HOST/, goes through that connection to the "
	"host's carrel-sessiond. The relay sees bytes and gives no right: keys, tickets and "
	"origins are the daemon's to check, as if the client had come by itself.\n"
	"\n"
	"Without a command it serves.\n"
	"\n"
	"# FILES\n"
	"The file of --hosts has one line per host: its name, a label of DNS, and the SHA-256 of "
	"its token in hexadecimal digits. `carrel-relay token HOST` prints a new token and the "
	"line. Lines that begin with # are comments.\n"
	"\n"
	"# SIGNALS\n"
	"SIGHUP reads hosts, certificate and key again; a dialer whose token is not there any "
	"more is cut. SIGTERM and SIGINT stop it.\n"
	"\n"
	"# EXIT STATUS\n"
	"0 after SIGTERM or SIGINT, 1 when something failed, 2 for a wrong command line.";

static const char token_text[] =
	"The first line is the token, for the host's --token-file; the second is for the relay's "
	"file of hosts. Neither is kept anywhere.\n"
	"\n"
	" carrel-relay token lab-7";

static int fail(const struct err *e)
{
	(void) fprintf(stderr, "carrel-relay: %s\n", e->msg);
	return EXIT_FAILURE;
}

static void ready(const char *const *addresses)
{
	for (; *addresses; addresses++)
		(void) printf("%s\n", *addresses);
	(void) fflush(stdout);
}

static int run_serve(void *global, const char **operands, int n, void *opts)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct relay_config *c = global;
	struct err e = ERR_NONE;

	(void) sigaction(SIGPIPE, &ignore, NULL);
	if (relay_config_complete(c, &e) < 0 || relay_run(c, ready, &e) < 0)
		return fail(&e);
	return EXIT_SUCCESS;
}

static int run_token(void *global, const char **operands, int n, void *opts)
{
	char token[TOKEN_LEN + 1], line[192];
	struct err e = ERR_NONE;

	if (!mux_host_ok(operands[0])) {
		(void) err_set(&e, EINVAL,
			       "token: \"%.80s\" is no label of DNS in lower case (a-z, 0-9, "
			       "- inside, at most %d)",
			       operands[0], MUX_HOST_MAX);
		return fail(&e);
	}
	hosts_new_token(operands[0], token, line);
	(void) printf("%s\n%s\n", token, line);
	return EXIT_SUCCESS;
}

static const struct opt_cmd commands[] = {
	{ .name = "serve",
	  .run = run_serve,
	  .help = "pass clients on to hosts (also without a command)" },
	{ .name = "token",
	  .operands = "HOST",
	  .min_operands = 1,
	  .max_operands = 1,
	  .run = run_token,
	  .help = "make a host's token and its line for the file of hosts",
	  .text = token_text },
	{ 0 },
};

static const struct opt_program program = {
	.name = "carrel-relay",
	.summary = "Lets clients reach hosts that only dial out.",
	.text = program_text,
	.opts = options,
	.cmds = commands,
	.command = "serve",
	.section = 1,
};

static int show(enum opt_result what, const struct opt_cmd *cmd)
{
	auto_buf struct buf out = BUF_LIMIT(1 << 20);
	struct err e = ERR_NONE;

	if (opt_render(&program, what, cmd, &out, &e) < 0)
		return fail(&e);
	return fputs(buf_str(&out), stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct relay_config c = { 0 };
	struct opt_parsed p = { 0 };
	struct err e = ERR_NONE;
	int r;

	if (argc == 2 && strcmp(argv[1], "--man") == 0)
		return show(OPT_MAN, NULL);
	r = opt_parse(&program, argc, argv, &c, &p, &e);
	if (r < 0) {
		(void) fail(&e);
		r = EXIT_USAGE;
	} else if (r != OPT_RUN) {
		r = show((enum opt_result) r, p.cmd);
	} else if (log_open_named(STDERR_FILENO, c.log_format, c.log_level, &e) < 0) {
		(void) fail(&e);
		r = EXIT_USAGE;
	} else {
		r = p.cmd->run(&c, p.operands, p.n_operands, p.opts);
	}
	opt_parsed_fini(&p);
	opt_list_fini(&c.listen);
	return r;
}
