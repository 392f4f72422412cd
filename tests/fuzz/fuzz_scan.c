/*
 * Any bytes as a stream under a policy: the same goes out and the same is found however it is cut, and no more goes out
 * than came in, but for notices. The first byte chooses the terminal, the second how it is cut.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/util.h"
#include "shim/scan/rules.h"
#include "shim/scan/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { NOTICE = 16 }; /* "[blocked: tok]" and two more */

static const char policy[] =
	"{\"version\":1,\"policies\":{\"p\":["
	"{\"id\":\"aws\",\"pattern\":\"\\\\bAKIA[A-Z2-7]{16}\\\\b\",\"direction\":[\"out\",\"in\"],\"action\":\"mask\"},"
	"{\"id\":\"tok\",\"pattern\":\"tok[0-9]{3}\",\"direction\":[\"out\",\"in\"],\"action\":\"block\"},"
	"{\"id\":\"pem\",\"pattern\":\"-----BEGIN X-----[a-z=\\\\s]{0,300}\",\"direction\":\"out\",\"action\":\"mask\"},"
	"{\"id\":\"any\",\"pattern\":\"x.y\",\"direction\":[\"out\",\"in\"],\"action\":\"mask\"},"
	"{\"id\":\"run\",\"pattern\":\"z{5}\",\"direction\":\"out\",\"action\":\"alert\"},"
	"{\"id\":\"hex\",\"pattern\":\"[0-9a-f]{8}\",\"direction\":\"out\",\"action\":\"mask\",\"keywords\":[\"secret\"]}]}}";

struct result {
	struct buf out;
	uint64_t sum; /* of the events, in any order */
	size_t n;
};

static void found(void *arg, const struct stream_event *ev)
{
	struct result *r = arg;

	r->sum += (ev->offset * 31 + ev->characters) * 1000003 + ev->rule * 7919 + ev->shown;
	for (const char *p = ev->fingerprint; *p; p++)
		r->sum += (uint64_t) *p << (p - ev->fingerprint);
	r->n++;
}

static void run(const struct rules *rules, uint8_t kind, const uint8_t *p, size_t n,
		size_t step, struct result *r)
{
	static const unsigned cols[] = { 0, 10, 20, 80 };
	struct stream_spec spec = { .rules = rules,
				    .direction = kind & 4 ? POLICY_IN : POLICY_OUT,
				    .cols = cols[kind & 3],
				    .terminal = (kind & 3) != 0,
				    .fn = found,
				    .arg = r };
	struct print_key key;
	struct err e = ERR_NONE;
	struct stream *s;

	print_key_set(&key, (const uint8_t *) "k", 1);
	r->out = BUF_LIMIT(1 << 24);
	spec.key = &key;
	if (stream_new(&spec, &s, &e) < 0)
		abort();
	for (size_t done = 0; done < n; done += MIN(step, n - done))
		if (stream_feed(s, p + done, MIN(step, n - done), 0, &r->out, &e) < 0)
			abort();
	if (stream_finish(s, &r->out, &e) < 0)
		abort();
	stream_free(s);
	if (buf_len(&r->out) > n * 2 + r->n * NOTICE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct rules rules;
	struct result whole = { 0 }, cut = { 0 };
	struct json_doc *doc;
	struct err e = ERR_NONE;

	if (!rules.n && (json_parse(policy, strlen(policy), NULL, &doc, &e) < 0 ||
			 rules_compile(doc, "p", NULL, 0, &rules, &e) < 0))
		abort();
	/* What is longer than is ever held back is let go, wherever a read ends. */
	if (n < 2 || n > STREAM_HELD / 2)
		return 0;
	run(&rules, data[0], data + 2, n - 2, n, &whole);
	run(&rules, data[0], data + 2, n - 2, 1 + data[1] % 64u, &cut);
	if (buf_len(&whole.out) != buf_len(&cut.out) || whole.sum != cut.sum ||
	    (buf_len(&cut.out) > 0 &&
	     memcmp(buf_bytes(&whole.out), buf_bytes(&cut.out), buf_len(&cut.out)) != 0))
		abort();
	buf_fini(&whole.out);
	buf_fini(&cut.out);
	return 0;
}
