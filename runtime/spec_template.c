/* spec: a config.json to start from. */
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "runtime/container.h"

static const char process_part[] =
	"\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
	"\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
	"\"TERM=xterm\"],\"cwd\":\"/\",\"capabilities\":{"
	"\"bounding\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
	"\"effective\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
	"\"permitted\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
	"\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"carrel\",";

static const char mounts_head[] =
	"\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	"\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},";

static const char pts_root[] =
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
	"\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},";
static const char pts_rootless[] =
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
	"\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"]},";

static const char mounts_rest[] =
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],";

static const char paths_part[] =
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\","
	"\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\","
	"\"/proc/sched_debug\",\"/proc/interrupts\",\"/proc/scsi\",\"/sys/firmware\","
	"\"/sys/devices/virtual/powercap\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
	"\"/proc/sysrq-trigger\"]";

static const char linux_root[] =
	"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
	"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
	"{\"type\":\"uts\"},{\"type\":\"mount\"}%s],";
static const char linux_rootless[] =
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},"
	"{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}%s,"
	"{\"type\":\"user\"}],"
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],"
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],";

/* Where controllers have a hierarchy each, programs inside look for the paths that the host shows; so templates have
 * always left the namespace to cgroup v2. */
static const char *cgroup_namespace(void)
{
	struct err ignored = ERR_NONE;
	enum cgroup_mode mode;

	if (cgroup_host_mode(&mode, &ignored) == 0 && mode == CGROUP_V1)
		return "";
	return ",{\"type\":\"cgroup\"}";
}

static int write_parts(bool rootless, struct buf *text, struct err *e)
{
	if (buf_puts(text, "{\"ociVersion\":\"1.3.0\",", e) < 0 ||
	    buf_puts(text, process_part, e) < 0 || buf_puts(text, mounts_head, e) < 0 ||
	    buf_puts(text, rootless ? pts_rootless : pts_root, e) < 0 ||
	    buf_puts(text, mounts_rest, e) < 0)
		return -1;
	if (rootless &&
	    buf_printf(text, e, linux_rootless, cgroup_namespace(), geteuid(), getegid()) < 0)
		return -1;
	if (!rootless && buf_printf(text, e, linux_root, cgroup_namespace()) < 0)
		return -1;
	if (buf_puts(text, paths_part, e) < 0)
		return -1;
	return buf_puts(text, "}}", e);
}

int container_spec_template(bool rootless, struct buf *out, struct err *e)
{
	auto_buf struct buf text = BUF_LIMIT(16384);
	struct json_doc *doc;

	if (write_parts(rootless, &text, e) < 0 ||
	    json_parse(buf_str(&text), buf_len(&text), NULL, &doc, e) < 0)
		return -1;
	const int r = json_print(json_root(doc), true, out, e);
	json_doc_free(doc);
	return r;
}
