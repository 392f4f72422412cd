/*
 * Kubernetes' v4.channel.k8s.io and v5.channel.k8s.io: a channel's number, then its bytes. v5 adds 255, which ends a channel.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/util.h"
#include "shim/dialect.h"

enum k8s_channel {
	K8S_STDIN = 0,
	K8S_STDOUT = 1,
	K8S_STDERR = 2,
	K8S_ERROR = 3, /* one metav1.Status, the last message */
	K8S_RESIZE = 4,
	K8S_CLOSE = 255, /* v5: the channel named by the next byte ends */
};

/* An empty message of stdout says that the streams are there; clients wait for it. */
static int greet(const struct dialect_greeting *g, const struct dialect_out *out, struct err *e)
{
	static const uint8_t open[] = { K8S_STDOUT };

	out->put(out->arg, open, sizeof(open));
	return 0;
}

/* As Go's decoder finds it, whatever the case: kubectl writes Width, the JavaScript client width. */
static const struct json *member(const struct json *object, const char *name)
{
	if (object->type == JSON_OBJECT)
		json_each (v, object)
			if (strcasecmp(v->key, name) == 0)
				return v;
	return NULL;
}

static int decode_resize(struct dialect_state *s, const uint8_t *p, size_t n,
			 struct dialect_in *in, struct err *e)
{
	const struct json *v;

	if (n == 0)
		return 0;
	v = dialect_json(s, p, n, e);
	if (!v)
		return err_wrap(e, "channel 4");
	dialect_take_size(member(v, "Width"), member(v, "Height"), in);
	return 0;
}

/* Bytes on channels that a client does not write to are dropped, as a Kubernetes server drops them. */
static int decode(struct dialect_state *s, const uint8_t *p, size_t n, struct dialect_in *in,
		  struct err *e)
{
	*in = (struct dialect_in){ .data = p + 1, .n = n - 1 };
	if (p[0] == K8S_STDIN)
		in->ask = DIALECT_INPUT;
	else if (p[0] == K8S_RESIZE)
		return decode_resize(s, p + 1, n - 1, in, e);
	return 0;
}

static int decode_v5(struct dialect_state *s, const uint8_t *p, size_t n, struct dialect_in *in,
		     struct err *e)
{
	if (p[0] != K8S_CLOSE)
		return decode(s, p, n, in, e);
	*in = (struct dialect_in){ .ask = n == 2 && p[1] == K8S_STDIN ? DIALECT_INPUT_END
								      : DIALECT_NOTHING };
	return 0;
}

static size_t head(uint8_t out[DIALECT_HEAD], enum dialect_stream stream, uint64_t offset)
{
	out[0] = stream == DIALECT_STDERR ? K8S_STDERR : K8S_STDOUT;
	return 1;
}

/* reason NULL: success. exit_code < 0: no program ended with one. */
static void put_status(const struct dialect_out *out, const char *reason, const char *message,
		       int exit_code)
{
	auto_buf struct buf text = BUF_LIMIT(1024);
	auto_json_writer struct json_writer *w = NULL;
	struct err e = ERR_NONE;
	char number[16];

	if (buf_append(&text, &(uint8_t){ K8S_ERROR }, 1, &e) < 0)
		return;
	w = json_writer_new(&text, false);
	jw_object(w, NULL);
	jw_object(w, "metadata");
	jw_close(w);
	jw_str(w, "status", reason ? "Failure" : "Success");
	if (reason) {
		jw_str(w, "message", message);
		jw_str(w, "reason", reason);
	}
	if (reason && exit_code >= 0) {
		(void) snprintf(number, sizeof(number), "%d", exit_code);
		jw_object(w, "details");
		jw_array(w, "causes");
		jw_object(w, NULL);
		jw_str(w, "reason", "ExitCode");
		jw_str(w, "message", number);
		jw_close(w);
		jw_close(w);
		jw_close(w);
	} else if (reason)
		jw_int(w, "code", 500);
	jw_close(w);
	if (json_writer_end(w, &e) < 0)
		log_error("status: %s", e.msg);
	else
		out->put(out->arg, buf_bytes(&text), buf_len(&text));
}

static void exit_status(struct dialect_state *s, const struct dialect_out *out,
			const struct dialect_exit *x)
{
	bool ended = strcmp(x->reason, "exited") == 0 || strcmp(x->reason, "signalled") == 0 ||
		     strcmp(x->reason, "oom") == 0;
	int code = x->signal ? 128 + x->signal : x->code;
	char message[96];

	if (!ended) {
		(void) snprintf(message, sizeof(message), "the sandbox was ended: %s",
				x->reason);
		put_status(out, "InternalError", message, -1);
	} else if (code == 0)
		put_status(out, NULL, NULL, -1);
	else {
		(void) snprintf(message, sizeof(message),
				"command terminated with exit code %d%s", code,
				strcmp(x->reason, "oom") == 0 ? ": out of memory" : "");
		put_status(out, "NonZeroExitCode", message, code);
	}
}

static void failed(const struct dialect_out *out, uint16_t code, const char *why)
{
	put_status(out, "InternalError", *why ? why : "the connection is closed", -1);
}

const struct dialect dialect_k8s_v5 = {
	.name = "v5.channel.k8s.io",
	.accepts_text = true,
	.greet = greet,
	.decode = decode_v5,
	.head = head,
	.exit = exit_status,
	.failed = failed,
};

const struct dialect dialect_k8s_v4 = {
	.name = "v4.channel.k8s.io",
	.accepts_text = true,
	.greet = greet,
	.decode = decode,
	.head = head,
	.exit = exit_status,
	.failed = failed,
};
