/* OCI's document of a container's state. */
#include "base/buf.h"
#include "base/json.h"
#include "runtime/state.h"

const char *state_status_name(enum state_status s)
{
	static const char *const names[] = {
		[STATE_CREATING] = "creating", [STATE_CREATED] = "created",
		[STATE_RUNNING] = "running",   [STATE_PAUSED] = "paused",
		[STATE_STOPPED] = "stopped",
	};

	return names[s];
}

void state_render_fields(const struct state_view *v, struct json_writer *w)
{
	jw_str(w, "ociVersion", v->oci_version);
	jw_str(w, "id", v->id);
	jw_int(w, "pid", v->pid);
	jw_str(w, "status", state_status_name(v->status));
	jw_str(w, "bundle", v->bundle);
	if (v->extended) {
		jw_str(w, "rootfs", v->rootfs);
		jw_str(w, "created", v->created);
	}
	if (v->annotations)
		jw_node(w, "annotations", v->annotations);
	if (v->extended)
		jw_str(w, "owner", v->owner);
}

int state_render(const struct state_view *v, bool pretty, struct buf *out, struct err *e)
{
	auto_json_writer struct json_writer *w = json_writer_new(out, pretty);

	jw_object(w, NULL);
	state_render_fields(v, w);
	jw_close(w);
	return json_writer_end(w, e);
}
